"""The true posterior p(h|x) of some images on a grid, where h has two units (paper, appendix C)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.evaluation.pictures import grey
from iwae.models.model import conditional, joint_log_prob, reconstruct
from iwae.models.store import TrainedModel

_LEAST_REACH = 4.0  # of the axes: the prior's deviations on each side
_DEVIATIONS = 4.0  # of q about its mean that the axes show


class Posteriors(NamedTuple):
    """The posteriors of m images on a grid of P x P points.

    Attributes:
        axis: Coordinates of the grid's points along each axis, the same for all images, (P,) ``float32``.
        log_joint: log p(x, h) at h = (axis[j], axis[i]), row i the second coordinate, in nats, (m, P, P) ``float32``.
        mean: Mean of q(h|x), (m, 2) ``float32``.
        deviation: Its standard deviation, (m, 2) ``float32``.
        inputs: The binary images as grey levels, 0 or 255, (m, 784) ``uint8``.
        reconstructions: Means of the pixels given the mean of q, as grey levels, (m, 784) ``uint8``.
    """

    axis: np.ndarray
    log_joint: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    inputs: np.ndarray
    reconstructions: np.ndarray


@torch.inference_mode()
def draw(model: TrainedModel, x: np.ndarray, points: int, device: torch.device) -> Posteriors:
    """The posteriors of images under a model of one stochastic layer with two units.

    Args:
        model: The model, on `device`.
        x: Binary images, (m, 784) ``uint8``.
        points: Points P of the grid along each axis.
        device: Where to compute.
    """
    binary = torch.from_numpy(x).to(device).float()
    mean, log_deviation = conditional(model.architecture, model.parameters, "q1", binary)
    deviation = torch.exp(log_deviation)
    axis = grid_axis(mean, deviation, points)
    means = reconstruct(model.architecture, model.parameters, binary)
    arrays = (axis, log_joint(model, binary, axis), mean, deviation)
    return Posteriors(*(array.cpu().numpy() for array in arrays), x * np.uint8(255), grey(means))


def grid_axis(mean: Tensor, deviation: Tensor, points: int) -> Tensor:
    """Evenly spaced coordinates that cover the prior and Gaussians (m, 2) in both directions: (points,), symmetric."""
    reach = max(_LEAST_REACH, (mean.abs() + _DEVIATIONS * deviation).max().item())
    return torch.linspace(-reach, reach, points, device=mean.device)


def log_joint(model: TrainedModel, x: Tensor, axis: Tensor) -> Tensor:
    """Log p(x, h) of binary images x (m, 784) at h = (axis[j], axis[i]): (m, P, P), row i the second coordinate."""
    rows = []
    for second in axis:  # one row of points at a time: a few megabytes
        h = torch.stack([axis, second.expand_as(axis)], dim=1)[:, None]  # (P, 1, 2)
        log_prior, log_likelihood = joint_log_prob(model.architecture, model.parameters, x, [h])
        rows.append((log_prior + log_likelihood).T)
    return torch.stack(rows, dim=1)
