"""Mixtures of Gaussians fitted to draws by expectation maximisation."""

from collections.abc import Callable

import torch
from torch import Tensor

from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture

_ROWS = 2000  # draws weighed at once: 4 MB of responsibilities for 500 components
_LEAST_VARIANCE = 1e-6  # of a component that a single draw belongs to
_LEAST_WEIGHT = 1e-10  # of a component that no draw belongs to, in draws


def fit_mixture(draw: Callable[[], Tensor], components: int, iterations: int, generator: torch.Generator) -> Mixture:
    """A mixture of diagonal Gaussians fitted by expectation maximisation.

    It starts from components about distinct draws, each as wide as all draws together.

    Args:
        draw: Gives the draws (Q, D) of an iteration; fresh ones each time keep the fit from learning them by heart.
        components: Number K of components, Q at most.
        iterations: Number of iterations.
        generator: Chooses the draws to start from, on their device.
    """
    z = draw()
    chosen = torch.randperm(len(z), generator=generator, device=z.device)[:components]
    mixture = Mixture.of(Gaussian(z[chosen], z.std(0, correction=0).log().expand(components, -1)))
    for _ in range(iterations):
        mixture = maximisation(mixture, z)
        z = draw()
    return mixture


def maximisation(mixture: Mixture, z: Tensor) -> Mixture:
    """One iteration: the mixture of the greatest expected likelihood for draws (Q, D), given the one before."""
    counts, first, second = (torch.zeros_like(each) for each in (mixture.log_weights, *mixture.components))
    for rows in z.split(_ROWS):
        share = mixture.responsibilities(rows)  # (rows, K)
        counts += share.sum(0)
        first += share.T @ rows
        second += share.T @ rows.square()
    counts = counts.clamp(min=_LEAST_WEIGHT)
    mean = first / counts[:, None]
    variance = (second / counts[:, None] - mean.square()).clamp(min=_LEAST_VARIANCE)
    return Mixture.of(Gaussian(mean, 0.5 * variance.log()), torch.log_softmax(counts.log(), 0))
