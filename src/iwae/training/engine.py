"""The update: one pure function of one model, mapped over the models of a stack and compiled as a whole.

Models of one architecture and one k form a stack and are trained as one batched computation, their parameters stacked
along a leading axis M. Objectives differ only in the bound, which an index for each model selects, and seeds only in
their parameters and draws. The same code runs on the CPU and on CUDA; uncompiled, it is the tests' oracle.
"""

import gc
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iwae.bounds import Bound
from iwae.data.binarization import bernoulli_pixels
from iwae.estimators import make_bound
from iwae.models.architecture import Architecture
from iwae.study.protocol import Protocol
from iwae.study.registry import ESTIMATORS, OBJECTIVES, implementation
from iwae.study.specification import ModelSpec
from iwae.training.adam import adam_update, initial_second_moment, step_scalars
from iwae.training.draws import BlockDraws
from iwae.training.state import ModelState

Step = Callable[..., Tensor]
# Every stack may choose between both, so that a model's bits do not depend on what is trained beside it, and one
# compiled update serves both.
_PAPER_OBJECTIVES = ("vae", "iwae")
_WARM_UPDATES = 3  # before a capture: compilation, and libraries that set themselves up on first use


def make_step(architecture: Architecture, protocol: Protocol, bounds: Sequence[Bound], estimator: str) -> Step:
    """The update of a stack, to be compiled or run as it is.

    The function returned changes the parameters and moments in place and returns each model's bound on its minibatch,
    averaged over images, (M,). Its arguments are the stacked parameters, first and second moments; all training
    pixels, uint8 (N, 784); the images of each model's minibatch, int64 (M, B); the draws of one step, bits
    (M, B, 784) and noise (M, k, B, D); the index of each model's bound, int64 (M,); and Adam's scalars, (2,), followed
    by the weight of the KL where the protocol has it rise, (3,).
    """
    gradient_of = implementation(ESTIMATORS[estimator].gradient)(architecture, bounds, protocol.loss)
    warmed = protocol.kl_warm_up > 0
    gradients = torch.vmap(gradient_of, in_dims=(0, 0, 0, 0) + (None,) * warmed)

    def step(
        parameters: dict[str, Tensor],
        first: dict[str, Tensor],
        second: dict[str, Tensor],
        pixels: Tensor,
        index: Tensor,
        bits: Tensor,
        noise: Tensor,
        objective: Tensor,
        scalars: Tensor,
    ) -> Tensor:
        x = bernoulli_pixels(pixels[index], bits)
        gradient, bound = gradients(parameters, x, noise, objective, *(scalars[2:] if warmed else ()))
        if protocol.gradient_clip is not None:
            gradient = clipped(gradient, protocol.gradient_clip)
        for name, parameter in parameters.items():
            adam_update(protocol, parameter, gradient[name], first[name], second[name], scalars)
        return bound

    return step


def clipped(gradients: dict[str, Tensor], most: float) -> dict[str, Tensor]:
    """Gradients of M models by parameter, (M, ...), each model's scaled down to the Euclidean norm `most` at most."""
    norm = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients.values()]).sum(0).sqrt()
    scale = torch.clamp(most / norm, max=1)
    return {name: gradient * scale.view(-1, *[1] * (gradient.dim() - 1)) for name, gradient in gradients.items()}


class Stack:
    """Models trained together: their parameters, moments and generators.

    Attributes:
        specs: The models, in the order of the leading axis; all of one architecture and one k.
        parameters: Stacked parameters by name, (M, ...).
        first: First moments, like `parameters`.
        second: Second moments, like `parameters`.
        objective: The index of each model's objective among those of the stack, int64 (M,).
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
        # In one order, whatever a state's file has: sums, and what is compiled, depend on it, and so do the bits.
        self.parameters, self.first, self.second = (
            {name: torch.stack([group[name] for group in models]).to(device) for name in architecture.parameter_shapes}
            for models in zip(*((state.parameters, state.first, state.second) for state in states), strict=True)
        )
        objectives = [name for name in OBJECTIVES if name in {*_PAPER_OBJECTIVES, *(spec.objective for spec in specs)}]
        self.objective = torch.tensor([objectives.index(spec.objective) for spec in specs], device=device)
        self._generators = [torch.Generator(device) for _ in states]
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(state.generator)
        bounds = [implementation(OBJECTIVES[name].bound) for name in objectives]
        self._step = compile_step(make_step(architecture, protocol, bounds, specs[0].estimator))
        self._bound = torch.vmap(make_bound(architecture, bounds), in_dims=(0, None, 0, 0))

    @property
    def device(self) -> torch.device:
        """Where the stack is trained."""
        return self.objective.device

    def tensors_of(self, model: int) -> dict[str, Any]:
        """Parameters, moments and generator of one model, on the CPU, as `ModelState` holds them."""
        groups = {"parameters": self.parameters, "first": self.first, "second": self.second}
        states = {
            group: {name: value[model].cpu().clone() for name, value in values.items()}
            for group, values in groups.items()
        }
        return {**states, "generator": self._generators[model].get_state()}

    def reset_optimizer(self) -> None:
        """Set the moments to their initial values."""
        for name, parameter in self.parameters.items():
            self.first[name].zero_()
            self.second[name].copy_(initial_second_moment(self.protocol, parameter))

    def block(self, pixels: Tensor, steps: int, batch_size: int) -> "Block":
        """The buffers and, on CUDA, the graph for blocks of `steps` updates on these training pixels."""
        return Block(self, BlockDraws(self.architecture, self._generators, self.specs[0].k, batch_size, steps), pixels)

    def update(self, pixels: Tensor, index: Tensor, bits: Tensor, noise: Tensor, scalars: Tensor) -> Tensor:
        """Make one update, the arguments as in `make_step`; each model's bound on its minibatch, (M,)."""
        state = self.parameters, self.first, self.second
        return self._step(*state, pixels, index, bits, noise, self.objective, scalars)

    def bounds_on(self, x: Tensor, noise: Tensor) -> Tensor:
        """Each model's training bound on binary images x (B, 784) with noise (M, k, B, D): (M, B), in nats."""
        with torch.no_grad():
            return self._bound(self.parameters, x, noise, self.objective)


class Block:
    """A block of T updates of a stack: its buffers and, on CUDA, one graph of all its kernels.

    An update is too short to be launched kernel by kernel: Python and the driver would take most of the time. So the
    updates of a block are captured once and replayed; only the draws and the arguments change in between.
    """

    def __init__(self, stack: Stack, draws: BlockDraws, pixels: Tensor) -> None:
        steps, models, batch_size, _ = draws.bits.shape
        self._stack, self._draws, self._pixels = stack, draws, pixels
        self._index = torch.zeros(steps, models, batch_size, dtype=torch.int64, device=stack.device)
        # Rows 16 bytes apart: a compiled update would first copy an argument that is not aligned.
        count = 3 if stack.protocol.kl_warm_up else 2
        self._scalars = torch.ones(steps, 4, device=stack.device)[:, :count]
        self._bounds = torch.empty(steps, models, device=stack.device)
        arguments = zip(self._index, draws.bits, draws.noise, self._scalars, self._bounds, strict=True)
        self._arguments = list(arguments)
        self._replay = captured(self._make_updates, self._warm_up) if stack.device.type == "cuda" else None

    def run(self, index: Tensor, first_step: int, rates: np.ndarray, kl_weights: np.ndarray | None = None) -> Tensor:
        """Make the updates.

        Args:
            index: The images of each minibatch, int64 (T, M, B).
            first_step: Number of the first update since the moments were initialised, from 1.
            rates: Learning rate of each update, (T,).
            kl_weights: Weight of the KL in each update, (T,), where the protocol has it rise.

        Returns:
            Each model's bound at each update, averaged over the minibatch, (T, M), in nats. The next run overwrites it.
        """
        self._index.copy_(index)
        self._scalars[:, :2] = step_scalars(self._stack.protocol, first_step, rates)
        if kl_weights is not None:
            self._scalars[:, 2] = torch.from_numpy(kl_weights)
        self._draws.refill()
        (self._replay or self._make_updates)()
        return self._bounds

    def _make_updates(self) -> None:
        for arguments in self._arguments:
            self._make_update(*arguments)

    def _make_update(self, index: Tensor, bits: Tensor, noise: Tensor, scalars: Tensor, bounds: Tensor) -> None:
        bounds.copy_(self._stack.update(self._pixels, index, bits, noise, scalars))

    def _warm_up(self) -> None:
        """Compile the update, which capturing does not allow, and leave the stack as it was."""
        changed = [*self._stack.parameters.values(), *self._stack.first.values(), *self._stack.second.values()]
        kept = [tensor.clone() for tensor in changed]
        self._draws.refill_with_zeros()
        for arguments in islice(cycle(self._arguments), _WARM_UPDATES):
            self._make_update(*arguments)
        for tensor, value in zip(changed, kept, strict=True):
            tensor.copy_(value)


def captured(function: Callable[[], None], warm_up: Callable[[], None]) -> Callable[[], None]:
    """`function`'s CUDA kernels as a graph: a function that replays them on the stream that is current then.

    They are captured on the current stream, or on a new one where that is the default, which cannot be captured. It
    must not be PyTorch's one for captures: cuBLAS has a workspace for each stream, which its kernels keep in the graph,
    and graphs that run at the same time must not share it.
    """
    current = torch.cuda.current_stream()
    stream = torch.cuda.Stream() if current == torch.cuda.default_stream() else current
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        warm_up()
    stream.synchronize()
    gc.collect()  # a graph of an earlier training that is deleted while this one is captured would spoil it
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        function()
    return graph.replay
