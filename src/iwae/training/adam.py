"""Adam as the paper's text and as its authors' code have it, in one formula.

Both are ``parameter -= rate_t * m / (sqrt(v) + epsilon_t)``. They differ in the scalars of a step, which are computed
here in float64 before the steps are run, in the initial second moment, and in whether m and v are this step's or the
previous step's.
"""

import numpy as np
import torch
from torch import Tensor

from iwae.study.protocol import Protocol


def step_scalars(protocol: Protocol, first: int, rates: np.ndarray) -> Tensor:
    """rate_t and epsilon_t of steps t = first, first + 1, ..., float32 (count, 2).

    The bias corrections of both moments are folded into rate_t. Epsilon ``corrected`` is added to the corrected
    sqrt(v / (1 - beta2^t)), so it too is scaled to stand beside sqrt(v).

    Args:
        protocol: Adam's fields.
        first: Number of the first step since the moments were initialised, from 1.
        rates: Learning rate of each step, (count,).
    """
    t = np.arange(first, first + len(rates), dtype=np.float64)
    correction = np.sqrt(1 - protocol.adam_beta2**t)
    corrected = rates * correction / (1 - protocol.adam_beta1**t)
    scale = correction if protocol.adam_epsilon_place == "corrected" else np.ones_like(t)
    return torch.from_numpy(np.stack([corrected, protocol.adam_epsilon * scale], axis=1).astype(np.float32))


def initial_second_moment(protocol: Protocol, parameter: Tensor) -> Tensor:
    """Ones or zeros of a parameter's shape."""
    return torch.ones_like(parameter) if protocol.adam_second_moment == "ones" else torch.zeros_like(parameter)


def adam_update(
    protocol: Protocol, parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, scalars: Tensor
) -> None:
    """One step, in place on `parameter` and its moments `first` and `second`.

    Args:
        protocol: Adam's fields.
        parameter: What is trained, any shape.
        gradient: Gradient of the loss with respect to it.
        first: First moment, like `parameter`.
        second: Second moment, like `parameter`.
        scalars: rate_t and epsilon_t, (2,).
    """
    new_first = protocol.adam_beta1 * first + (1 - protocol.adam_beta1) * gradient
    new_second = protocol.adam_beta2 * second + (1 - protocol.adam_beta2) * gradient.square()
    m, v = (first, second) if protocol.adam_moments == "delayed" else (new_first, new_second)
    parameter.copy_(parameter - scalars[0] * m / (v.sqrt() + scalars[1]))
    first.copy_(new_first)
    second.copy_(new_second)
