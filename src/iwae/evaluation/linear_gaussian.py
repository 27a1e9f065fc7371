"""The linear Gaussian problem of Rainforth et al. (2018), section 5: how the noise of gradients goes with k.

z ~ N(mu, I), x|z ~ N(z, I), q(z|x) = N(A x + b, 2/3 I), every parameter a little off its optimum. With the standard
estimator of L_k the signal to noise goes as k^-1/2 for q and as k^1/2 for p.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Generator, Tensor

from iwae.bounds import Bound, importance_bound
from iwae.estimators import RELATIVE, Relative, weighted_gradient
from iwae.evaluation.gradients import noise_of
from iwae.files import write_rows
from iwae.models.densities import Gaussian
from iwae.models.networks import Parameters
from iwae.progress import progress_bar

# Draws for each k, per replicate of a model's: more of what costs less, and enough to tell a mean that falls with k.
_SHARES = {1: 10.0, 3: 10.0, 10: 4.0, 30: 2.0, 100: 1.0, 300: 0.6}
_FEWEST = 5


class LinearGaussian:
    """Data, model and q of the problem.

    Args:
        images: Number of x, from z of mu drawn of N(0, I).
        units: Dimensions of x and z.
        spread: Standard deviation by which every parameter is off its optimum, mu* = mean x, A* = I/2, b* = mu*/2.
        generator: Draws x and the parameters.
    """

    def __init__(self, images: int, units: int, spread: float, generator: Generator) -> None:
        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self.x = draw(units) + math.sqrt(2) * draw(images, units)
        best = {"mu": self.x.mean(0), "A": 0.5 * torch.eye(units), "b": 0.5 * self.x.mean(0)}
        self.parameters = {name: value + spread * draw(*value.shape) for name, value in best.items()}
        self._log_std = torch.full((units,), 0.5 * math.log(2 / 3))

    def posterior(self, parameters: Parameters) -> Gaussian:
        """q(z|x) of all x."""
        return Gaussian(self.x @ parameters["A"].T + parameters["b"], self._log_std)

    def log_joint(self, parameters: Parameters, latents: list[Tensor]) -> Tensor:
        """Log p(x, z), (k, N)."""
        (z,) = latents
        zeros = torch.zeros_like(self._log_std)
        return Gaussian(parameters["mu"], zeros).log_prob(z) + Gaussian(z, zeros.expand_as(z)).log_prob(self.x)

    def gradient(self, relative: Relative, bound: Bound, k: int, generator: Generator) -> dict[str, Tensor]:
        """A draw of the gradient of the mean bound over all x."""
        noise = torch.randn(k, *self.x.shape, generator=generator)
        rising, _ = weighted_gradient(
            lambda parameters: [self.posterior(parameters).sample(noise)],
            self.log_joint,
            lambda parameters, latents: self.posterior(parameters).log_prob(latents[0]),
            bound,
            relative,
            self.parameters,
        )
        return {name: value / len(self.x) for name, value in rising.items()}


ESTIMATORS = ("standard", "stl", "dreg")


def signal_to_noise(
    draws: Mapping[int, int],
    images: int = 1024,
    units: int = 20,
    seed: int = 0,
    progress: Callable[[int], object] = lambda draws: None,
) -> list[dict[str, object]]:
    """The signal to noise of b (of q) and mu (of p) by estimator and k: rows as of ``gradients.csv``, with ``draws``.

    Args:
        draws: Draws of the gradient for each k.
        images: Number of x.
        units: Dimensions.
        seed: Of all draws.
        progress: Called with how many draws are done since its last call.
    """
    generator = torch.Generator().manual_seed(seed)
    problem, groups = LinearGaussian(images, units, 0.01, generator), {"encoder": ("b",), "decoder": ("mu",)}
    rows: list[dict[str, object]] = []
    for k, count in draws.items():
        for estimator in ESTIMATORS:

            def draw(relative: Relative = RELATIVE[estimator], k: int = k) -> dict[str, Tensor]:
                progress(1)
                return problem.gradient(relative, importance_bound, k, generator)

            for part, noise in noise_of(draw, count, groups).items():
                words = {"objective": "iwae", "estimator": estimator, "k": k, "part": part}
                rows.append({**words, **noise._asdict(), "draws": count})
    return rows


def write(path: Path, replicates: int, seed: int) -> None:
    """Write `signal_to_noise` of the problem as in the paper, a CSV file.

    Args:
        path: The file.
        replicates: Draws for each k of a model's gradients, here more for small k and fewer for large ones. With the
            configuration's 100 it takes four minutes of a core.
        seed: Of all draws.
    """
    draws = {k: count for k, share in _SHARES.items() if (count := round(share * replicates)) >= _FEWEST}
    with progress_bar(len(ESTIMATORS) * sum(draws.values()), "signal to noise, linear Gaussian", "draw") as bar:
        write_rows(path, signal_to_noise(draws, seed=seed, progress=bar.update))
