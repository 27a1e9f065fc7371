"""How noisy the gradient of a bound is: its signal to noise by estimator and k, for q's parameters and for p's.

The signal-to-noise ratio of a parameter is |E g| / sd g over the draws of one minibatch. By Rainforth et al. (2018)
that of q falls as k^-1/2 under the IWAE's bound while that of p rises as k^1/2; STL and DReG lift q's. Measured at a
trained model, and on the linear Gaussian problem of that paper.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from iwae.bounds import Bound, importance_bound
from iwae.estimators import Gradient, Relative, weighted_gradient
from iwae.evaluation.subject import Subject
from iwae.files import write_rows
from iwae.models.densities import Gaussian
from iwae.models.networks import Parameters
from iwae.progress import progress_bar
from iwae.study.measurements import GradientsSettings
from iwae.study.registry import ESTIMATORS, OBJECTIVES, implementation

CASES = (("vae", "standard"), ("vae", "stl"), ("iwae", "standard"), ("iwae", "stl"), ("iwae", "dreg"))
"""Objectives and estimators whose gradients are measured."""

Draw = Callable[[], dict[str, Tensor]]
"""Draws a gradient by parameter."""


class Noise(NamedTuple):
    """What draws of the gradient of some parameters say.

    Attributes:
        ratio: The root of the mean over parameters of (E g)^2 / var g, without the bias of finitely many draws, which
            would be 1 over their number; 0 where nothing is left.
        se: Its standard error, from the spread over parameters; NaN where the ratio is 0.
        variance: The sum over parameters of var g.
    """

    ratio: float
    se: float
    variance: float


def noise_of(draw: Draw, replicates: int, groups: dict[str, tuple[str, ...]]) -> dict[str, Noise]:
    """The noise of a gradient over independent draws.

    Args:
        draw: Draws it.
        replicates: Number of draws.
        groups: For each group of parameters their names.
    """
    sums: dict[str, Tensor] = {}
    squares: dict[str, Tensor] = {}
    for _ in range(replicates):
        for name, value in draw().items():
            exact = value.double()
            sums[name] = sums.get(name, 0) + exact
            squares[name] = squares.get(name, 0) + exact.square()
    return {group: _noise(sums, squares, names, replicates) for group, names in groups.items()}


def _noise(sums: dict[str, Tensor], squares: dict[str, Tensor], names: tuple[str, ...], replicates: int) -> Noise:
    mean = torch.cat([sums[name].flatten() for name in names]) / replicates
    square = torch.cat([squares[name].flatten() for name in names]) / replicates
    variance = (square - mean.square()).clamp(min=0) * replicates / (replicates - 1)
    varying = variance > 0  # a pixel that is never on has no gradient
    ratios = mean[varying].square() / variance[varying] - 1 / replicates
    ratio = math.sqrt(max(ratios.mean().item(), 0.0))
    error = ratios.std().item() / len(ratios) ** 0.5
    return Noise(ratio, error / (2 * ratio) if ratio else math.nan, variance.sum().item())


def measure(
    subject: Subject, settings: GradientsSettings, progress: Callable[[int], object]
) -> list[dict[str, object]]:
    """The rows of ``gradients.csv``; `progress` is called with how many draws are done."""
    model, device = subject.model, subject.device
    x = torch.from_numpy(subject.train[: settings.images]).to(device).float()
    groups = {
        group: tuple(name for name in model.parameters if name.startswith(first))
        for group, first in (("encoder", "q"), ("decoder", "p"))
    }
    rows: list[dict[str, object]] = []
    for objective, estimator, k in _cases(settings.ks):
        seed = model.spec.random_seed(settings.seed, f"gradients/{k}")  # the same noise for all of one k
        generator = torch.Generator(device).manual_seed(seed)
        bounds = [implementation(OBJECTIVES[objective].bound)]
        gradient = implementation(ESTIMATORS[estimator].gradient)(model.architecture, bounds, "mean")
        shape = (k, len(x), sum(model.architecture.latents))

        draw = partial(_draw, gradient, model.parameters, x, shape, generator, progress)
        for group, noise in noise_of(draw, settings.replicates, groups).items():
            rows.append({"objective": objective, "estimator": estimator, "k": k, "part": group, **noise._asdict()})
    return rows


def _draw(
    gradient: Gradient,
    parameters: Parameters,
    x: Tensor,
    shape: tuple[int, int, int],
    generator: Generator,
    progress: Callable[[int], object],
) -> dict[str, Tensor]:
    noise = torch.randn(shape, generator=generator, device=x.device)
    progress(1)
    return gradient(parameters, x, noise, torch.zeros((), dtype=torch.int64, device=x.device))[0]


def _cases(ks: tuple[int, ...]) -> Iterator[tuple[str, str, int]]:
    """What is measured: at k = 1 the two objectives are one, and DReG is STL."""
    for objective, estimator in CASES:
        for k in ks:
            if k > 1 or objective == "vae":
                yield objective, estimator, k


def write(subject: Subject, settings: GradientsSettings) -> None:
    """Measure the noise of the gradients of the VAE's and the IWAE's bound: ``gradients.csv``."""
    total = settings.replicates * len(list(_cases(settings.ks)))
    with progress_bar(total, f"{subject.model.spec.name} gradients", "draw") as bar:
        write_rows(subject.folder / "gradients.csv", measure(subject, settings, bar.update))


class LinearGaussian:
    """The problem of Rainforth et al. (2018), section 5: z ~ N(mu, I), x|z ~ N(z, I), q(z|x) = N(A x + b, 2/3 I).

    Args:
        images: Number of x, from z of mu drawn of N(0, I).
        units: Dimensions of x and z.
        spread: Standard deviation by which every parameter is off its optimum, mu* = mean x, A* = I/2, b* = mu*/2.
        generator: Draws x and the parameters.
    """

    def __init__(self, images: int, units: int, spread: float, generator: Generator) -> None:
        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.x = draw(units) + math.sqrt(2) * draw(images, units)
        best = {"mu": self.x.mean(0), "A": 0.5 * torch.eye(units, dtype=torch.float64), "b": 0.5 * self.x.mean(0)}
        self.parameters = {name: value + spread * draw(*value.shape) for name, value in best.items()}
        self._log_std = torch.full((units,), 0.5 * math.log(2 / 3), dtype=torch.float64)

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
        noise = torch.randn(k, *self.x.shape, generator=generator, dtype=torch.float64)
        rising, _ = weighted_gradient(
            lambda parameters: [self.posterior(parameters).sample(noise)],
            self.log_joint,
            lambda parameters, latents: self.posterior(parameters).log_prob(latents[0]),
            bound,
            relative,
            self.parameters,
        )
        return {name: value / len(self.x) for name, value in rising.items()}


RELATIVE: dict[str, Relative] = {
    "standard": lambda weights: (1.0, -1.0),
    "stl": lambda weights: (1.0, 0.0),
    "dreg": lambda weights: (weights, 0.0),
}


def toy(replicates: dict[int, int], images: int = 1024, units: int = 20, seed: int = 0) -> list[dict[str, object]]:
    """The signal to noise of b (of q) and mu (of p) in `LinearGaussian` by estimator and k.

    Args:
        replicates: Draws for each k.
        images: Number of x.
        units: Dimensions.
        seed: Of all draws.
    """
    generator = torch.Generator().manual_seed(seed)
    problem, groups = LinearGaussian(images, units, 0.01, generator), {"encoder": ("b",), "decoder": ("mu",)}
    rows: list[dict[str, object]] = []
    for k, count in replicates.items():
        for estimator, relative in RELATIVE.items():
            draw = partial(problem.gradient, relative, importance_bound, k, generator)
            for part, noise in noise_of(draw, count, groups).items():
                rows.append({"objective": "iwae", "estimator": estimator, "k": k, "part": part, **noise._asdict()})
    return rows


def slope(rows: list[dict[str, object]], estimator: str, part: str, least_k: int = 1) -> tuple[float, float]:
    """The exponent of k in the signal to noise and its standard error, by weighted least squares on a log scale."""
    chosen = [row for row in rows if (row["estimator"], row["part"]) == (estimator, part) and row["k"] >= least_k]
    x = np.log([row["k"] for row in chosen])
    ratio, se = (np.array([row[name] for row in chosen], dtype=np.float64) for name in ("ratio", "se"))
    weight = (ratio / se) ** 2
    centred = x - np.average(x, weights=weight)
    spread = (weight * centred**2).sum()
    return float((weight * centred * np.log(ratio)).sum() / spread), float(spread**-0.5)
