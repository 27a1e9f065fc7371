"""log_w of a model as a function of the noise that its latents are made of, with the gradient by the noise.

In this space q(h|x) is N(0, I) whatever the image and the number of layers, so what moves in it needs to know nothing
else of a model.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from iwae.device import compile_function
from iwae.evaluation.pixels import as_tensor
from iwae.models.architecture import Architecture
from iwae.models.model import Encoded, Model, encode, infer, joint_log_prob, prior_density, samples_log_prob
from iwae.models.networks import Parameters
from iwae.models.priors import Density

LogWeights = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Maps noise (C, B, D) of B images to log_w (C, B), in nats, and its gradient by the noise (C, B, D)."""

_WORTH_COMPILING = 100_000  # gradients; compiling takes as long as some of them


def log_weights_at(model: Model, gradients: int, device: torch.device) -> Callable[[np.ndarray], LogWeights]:
    """Makes `LogWeights` of binary images (B, 784) ``uint8`` under a model on `device`.

    Args:
        model: The model.
        gradients: How many gradients of one sample are wanted in all: of many, the function is compiled.
        device: Where to compute.
    """
    architecture, parameters = model.architecture, model.parameters
    prior, kind = prior_density(architecture, parameters), next(iter(parameters.values())).dtype
    compute = compile_function(_value_and_gradient, device) if gradients >= _WORTH_COMPILING else _value_and_gradient

    def at(x: np.ndarray) -> LogWeights:
        encoded = encode(architecture, parameters, as_tensor(x, device, kind))
        return lambda noise: compute(architecture, parameters, prior, encoded, noise)

    return at


def batches(images: int, width: int) -> Iterator[tuple[np.ndarray, int]]:
    """Indices of images, all of them in order, `width` at a time, and how many of them are new.

    The last are filled up with the same ones again, since what is compiled is compiled for one shape.
    """
    width = min(width, images)
    for first in range(0, images, width):
        some = np.arange(first, min(first + width, images))
        yield np.resize(some, width), len(some)


def _value_and_gradient(
    architecture: Architecture, parameters: Parameters, prior: Density, encoded: Encoded, noise: Tensor
) -> tuple[Tensor, Tensor]:
    def total(noise: Tensor) -> tuple[Tensor, Tensor]:
        layers = noise.split(architecture.latents, dim=-1)
        latents, posteriors = infer(architecture, parameters, encoded, layers)
        log_joint = sum(joint_log_prob(architecture, parameters, encoded.x, latents, prior))
        log_w = log_joint - samples_log_prob(posteriors, layers)
        return log_w.sum(), log_w

    gradient, log_w = torch.func.grad(total, has_aux=True)(noise)
    return log_w, gradient
