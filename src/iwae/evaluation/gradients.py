"""How noisy the gradient of a bound is: its signal to noise by estimator and k, for q's parameters and for p's.

The signal-to-noise ratio of a parameter is |E g| / sd g over the draws of one minibatch. By Rainforth et al. (2018)
that of q falls as k^-1/2 under the IWAE's bound while that of p rises as k^1/2; DReG lifts q's. STL's is that of a
biased gradient, whose mean stays where the bound's own vanishes with k. Measured at a trained model;
`iwae.evaluation.linear_gaussian` has the problem of that paper.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from iwae.estimators import Gradient
from iwae.evaluation.subject import Subject
from iwae.files import write_rows
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
