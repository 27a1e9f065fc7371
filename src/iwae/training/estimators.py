"""How the gradient of one model's bound is estimated; `iwae.study.registry.ESTIMATORS` has the names.

An estimator is a function (architecture, bounds, loss) that makes a `Gradient`. The bounds are those of the stack's
objectives, functions of log_w (k, B) -> (B,); loss is the protocol's, the ``sum`` or the ``mean`` over a minibatch.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from iwae.bounds import Bound, selected_bound
from iwae.models.architecture import Architecture
from iwae.models.model import log_weights
from iwae.models.networks import Parameters

Gradient = Callable[[Parameters, Tensor, Tensor, Tensor], tuple[dict[str, Tensor], Tensor]]
"""Maps (parameters, x (B, 784), noise (k, B, D), index of the model's objective ()) to the gradient of the loss, which
falls as the bound rises, by parameter, and the bound averaged over the images, ()."""


def make_bound(
    architecture: Architecture, bounds: Sequence[Bound]
) -> Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]:
    """The bound of each image under one model: a function of the arguments of a `Gradient` to (B,), in nats."""

    def bound(parameters: Parameters, x: Tensor, noise: Tensor, objective: Tensor) -> Tensor:
        log_w = log_weights(architecture, parameters, x, noise.split(architecture.latents, dim=-1))
        return selected_bound(bounds, log_w, objective)

    return bound


def standard(architecture: Architecture, bounds: Sequence[Bound], loss: str) -> Gradient:
    """The derivative of the bound at reparametrised samples (paper, section 3)."""
    bound_of = make_bound(architecture, bounds)

    def loss_of(parameters: Parameters, x: Tensor, noise: Tensor, objective: Tensor) -> tuple[Tensor, Tensor]:
        bound = bound_of(parameters, x, noise, objective)
        return -(bound.sum() if loss == "sum" else bound.mean()), bound.mean()

    return torch.func.grad(loss_of, has_aux=True)
