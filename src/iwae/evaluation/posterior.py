"""The true posterior p(h|x) of some images on grids, where h has two units (paper, appendix C).

A posterior is far narrower than the prior: a grid that covers the prior finds it, grids in smaller windows show it.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.evaluation.pixels import as_tensor, grey
from iwae.models.model import Model, encode, joint_log_prob, prior_density, reconstruct

_LEAST_REACH = 5.0  # of the grid that all images share: the prior's deviations on each side
_REACH = 4.0  # deviations of q about its mean that it covers
_LEAST = 1e-4  # of the largest density: a window holds all points above
_ZOOMS = 2  # the second is needed where the whole posterior is a few cells of the grid that all images share


class Posteriors(NamedTuple):
    """The posteriors of m images, each on a grid of P x P points in a window of its own.

    Attributes:
        axes: Coordinates of the points along both axes of each window, evenly spaced, the first unit's first, (m, 2, P)
            ``float32``.
        log_joint: log p(x, h) at h = (axes[n, 0, j], axes[n, 1, i]), row i the second coordinate, in nats, (m, P, P)
            ``float32``.
        mean: Mean of q(h|x), (m, 2) ``float32``.
        deviation: Its standard deviation, (m, 2) ``float32``.
        inputs: The binary images as grey levels, 0 or 255, (m, 784) ``uint8``.
        reconstructions: Means of the pixels given the mean of q, as grey levels, (m, 784) ``uint8``.
    """

    axes: np.ndarray
    log_joint: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    inputs: np.ndarray
    reconstructions: np.ndarray


@torch.inference_mode()
def draw(model: Model, x: np.ndarray, points: int, device: torch.device) -> Posteriors:
    """The posteriors of images under a model of one stochastic layer with two units.

    Args:
        model: The model, on `device`.
        x: Binary images, (m, 784) ``uint8``.
        points: Points P of each grid along each axis.
        device: Where to compute.
    """
    binary = as_tensor(x, device)
    (posterior,) = encode(model.architecture, model.parameters, binary).posteriors.values()
    mean, deviation = posterior.mean, torch.exp(posterior.log_std)
    axes = common_axes(mean, deviation, points)
    surface = log_joint(model, binary, axes)
    for _ in range(_ZOOMS):
        axes = window_axes(axes, surface)
        surface = log_joint(model, binary, axes)
    means = reconstruct(model.architecture, model.parameters, binary)
    arrays = [array.cpu().numpy() for array in (axes, surface, mean, deviation)]
    return Posteriors(*[*arrays, x * np.uint8(255), grey(means)])


def common_axes(mean: Tensor, deviation: Tensor, points: int) -> Tensor:
    """Axes, the same for all m images, that cover the prior and Gaussians (m, 2): (m, 2, points), symmetric about 0."""
    reach = max(_LEAST_REACH, (mean.abs() + _REACH * deviation).max().item())
    return torch.linspace(-reach, reach, points, device=mean.device).repeat(*mean.shape, 1)


def window_axes(axes: Tensor, log_joint: Tensor) -> Tensor:
    """Axes of a window for each image, one step wider on each side than what its posterior has on a given grid.

    Args:
        axes: Axes of that grid, (m, 2, P).
        log_joint: log p(x, h) on it, (m, P, P). Points of less than 1e-4 of the largest density do not count.

    Returns:
        (m, 2, P).
    """
    step = axes[..., 1] - axes[..., 0]
    high = log_joint > log_joint.amax((1, 2), keepdim=True) + math.log(_LEAST)
    found = torch.stack([high.any(1), high.any(2)], dim=1)  # (m, 2, P): columns are the first coordinate
    first = axes.where(found, torch.inf).amin(-1) - step
    last = axes.where(found, -torch.inf).amax(-1) + step
    fractions = torch.linspace(0, 1, axes.shape[-1], device=axes.device)
    return first[..., None] + (last - first)[..., None] * fractions


def log_joint(model: Model, x: Tensor, axes: Tensor) -> Tensor:
    """Log p(x, h) of binary images x (m, 784) on grids with axes (m, 2, P): (m, P, P), row i the second coordinate."""
    rows, prior = [], prior_density(model.architecture, model.parameters)
    for second in axes[:, 1].T:  # one row of points at a time: a few megabytes
        h = torch.stack([axes[:, 0].T, second.expand(axes.shape[-1], -1)], dim=-1)  # (P, m, 2)
        log_prior, log_likelihood = joint_log_prob(model.architecture, model.parameters, x, [h], prior)
        rows.append((log_prior + log_likelihood).T)
    return torch.stack(rows, dim=1)
