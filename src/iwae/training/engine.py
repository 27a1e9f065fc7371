"""The update: one pure function of one model, mapped over the models of a stack and compiled as a whole.

Models of one architecture and one k form a stack and are trained as one batched computation, their parameters stacked
along a leading axis M. VAE and IWAE differ only in the bound, which a flag for each model selects, and seeds only in
their parameters and draws. The same code runs on the CPU and on CUDA; uncompiled, it is the tests' oracle.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from iwae.bounds import training_bound
from iwae.data.binarization import bernoulli_pixels
from iwae.models.architecture import Architecture
from iwae.models.model import Parameters, log_weights
from iwae.protocol import Protocol
from iwae.specification import ModelSpec
from iwae.training.adam import adam_update, initial_second_moment, step_scalars
from iwae.training.draws import BlockDraws
from iwae.training.state import ModelState, generator_state

Step = Callable[..., Tensor]


def make_bound(architecture: Architecture) -> Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]:
    """The training bound of each image as a function of one model.

    It maps (parameters, x (B, 784), noise (k, B, D), importance_weighted ()) to (B,), in nats.
    """

    def bound(parameters: Parameters, x: Tensor, noise: Tensor, importance_weighted: Tensor) -> Tensor:
        log_w = log_weights(architecture, parameters, x, noise.split(architecture.latents, dim=-1))
        return training_bound(log_w, importance_weighted)

    return bound


def make_step(architecture: Architecture, protocol: Protocol) -> Step:
    """The update of a stack, to be compiled or run as it is.

    The function returned changes the parameters and moments in place and returns each model's bound on its minibatch,
    averaged over images, (M,). Its arguments are the stacked parameters, first and second moments; all training
    pixels, uint8 (N, 784); the images of each model's minibatch, int64 (M, B); the draws of one step, bits
    (M, B, 784) and noise (M, k, B, D); which models are importance weighted, bool (M,); and Adam's scalars, (2,).
    """
    bound_of = make_bound(architecture)

    def loss(parameters: Parameters, x: Tensor, noise: Tensor, importance_weighted: Tensor) -> tuple[Tensor, Tensor]:
        bound = bound_of(parameters, x, noise, importance_weighted)
        return -(bound.sum() if protocol.loss == "sum" else bound.mean()), bound.mean()

    gradients = torch.vmap(torch.func.grad(loss, has_aux=True))

    def step(
        parameters: dict[str, Tensor],
        first: dict[str, Tensor],
        second: dict[str, Tensor],
        pixels: Tensor,
        index: Tensor,
        bits: Tensor,
        noise: Tensor,
        importance_weighted: Tensor,
        scalars: Tensor,
    ) -> Tensor:
        x = bernoulli_pixels(pixels[index], bits)
        gradient, bound = gradients(parameters, x, noise, importance_weighted)
        for name, parameter in parameters.items():
            adam_update(protocol, parameter, gradient[name], first[name], second[name], scalars)
        return bound

    return step


class Stack:
    """Models trained together: their parameters, moments and generators.

    Attributes:
        specs: The models, in the order of the leading axis; all of one architecture and one k.
        parameters: Stacked parameters by name, (M, ...).
        first: First moments, like `parameters`.
        second: Second moments, like `parameters`.
        importance_weighted: Which models are IWAEs, bool (M,).
    """

    def __init__(
        self,
        specs: Sequence[ModelSpec],
        states: Sequence[ModelState],
        architecture: Architecture,
        protocol: Protocol,
        device: torch.device,
        compile_step: Callable[[Step], Step] = lambda step: step,
    ) -> None:
        self.specs, self.architecture, self.protocol = list(specs), architecture, protocol
        self.parameters = _stacked([state.parameters for state in states], device)
        self.first = _stacked([state.first for state in states], device)
        self.second = _stacked([state.second for state in states], device)
        self.importance_weighted = torch.tensor([spec.objective == "iwae" for spec in specs], device=device)
        self._generators = [torch.Generator(device) for _ in states]
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(state.generator)
        self._step = compile_step(make_step(architecture, protocol))
        self._bound = torch.vmap(make_bound(architecture), in_dims=(0, None, 0, 0))
        self._draws: dict[int, BlockDraws] = {}

    @property
    def device(self) -> torch.device:
        """Where the stack is trained."""
        return self.importance_weighted.device

    def tensors_of(self, model: int) -> dict[str, Any]:
        """Parameters, moments and generator of one model, on the CPU, as `ModelState` holds them."""
        groups = {"parameters": self.parameters, "first": self.first, "second": self.second}
        states = {
            group: {name: value[model].cpu().clone() for name, value in values.items()}
            for group, values in groups.items()
        }
        return {**states, "generator": generator_state(self._generators[model])}

    def reset_optimizer(self) -> None:
        """Set the moments to their initial values."""
        for name, parameter in self.parameters.items():
            self.first[name].zero_()
            self.second[name].copy_(initial_second_moment(self.protocol, parameter))

    def run_block(self, pixels: Tensor, index: Tensor, first_step: int, rate: float) -> Tensor:
        """Make a block of T updates.

        Args:
            pixels: All training images, uint8 (N, 784), on the stack's device.
            index: The images of each minibatch, int64 (T, M, B), on the stack's device.
            first_step: Number of the first update since the moments were initialised, from 1.
            rate: Learning rate.

        Returns:
            Each model's bound at each update, averaged over the minibatch, (T, M), in nats.
        """
        steps, _, batch_size = index.shape
        scalars = step_scalars(self.protocol, first_step, steps, rate).to(self.device)
        draws = self._refilled(steps, batch_size)
        bounds = torch.empty(steps, len(self.specs), device=self.device)
        for t in range(steps):
            bounds[t] = self._step(
                self.parameters,
                self.first,
                self.second,
                pixels,
                index[t],
                draws.bits[t],
                draws.noise[t],
                self.importance_weighted,
                scalars[t],
            )
        return bounds

    def _refilled(self, steps: int, batch_size: int) -> BlockDraws:
        if steps not in self._draws:
            k = self.specs[0].k
            self._draws[steps] = BlockDraws(self.architecture, self._generators, k, batch_size, steps)
        self._draws[steps].refill()
        return self._draws[steps]

    def bounds_on(self, x: Tensor, noise: Tensor) -> Tensor:
        """Each model's training bound on binary images x (B, 784) with noise (M, k, B, D): (M, B), in nats."""
        with torch.no_grad():
            return self._bound(self.parameters, x, noise, self.importance_weighted)


def _stacked(models: Sequence[dict[str, Tensor]], device: torch.device) -> dict[str, Tensor]:
    return {name: torch.stack([model[name] for model in models]).to(device) for name in models[0]}
