"""How noisy the gradient of a bound is: its signal to noise by estimator and k, for q's parameters and for p's.

The signal-to-noise ratio of a parameter is |E g| / sd g over the draws of one minibatch. By Rainforth et al. (2018)
that of q falls as k^-1/2 under the IWAE's bound while that of p rises as k^1/2; DReG lifts q's. STL's is that of a
biased gradient, whose mean stays where the bound's own vanishes with k. Measured at a trained model;
`iwae.evaluation.linear_gaussian` has the problem of that paper.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from iwae.estimators import Gradient
from iwae.evaluation.pixels import as_tensor
from iwae.evaluation.subject import Subject
from iwae.models.store import TrainedModel
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
        ratio: The root of the mean over parameters of (E g)^2 / var g, without the bias of finitely many draws; 0 where
            nothing is left.
        se: Its standard error over the draws; None where the ratio is 0.
        variance: The sum over parameters of var g.
    """

    ratio: float
    se: float | None
    variance: float


def noise_of(draw: Draw, replicates: int, groups: Mapping[str, Sequence[str]]) -> dict[str, Noise]:
    """The noise of a gradient over independent draws; its error by leaving out a tenth of them at a time.

    Args:
        draw: Draws it.
        replicates: Number of draws, at least 5: an unbiased estimate needs four.
        groups: For each group of parameters their names.
    """
    sizes = [len(part) for part in np.array_split(np.arange(replicates), min(10, replicates))]
    tenths = [reduce(_sum, (_powers(draw()) for _ in range(size))) for size in sizes]
    whole = reduce(_sum, tenths)
    found = {}
    for group, names in groups.items():
        total, *parts = (torch.cat([each[name].flatten(1) for name in names], 1) for each in (whole, *tenths))
        squared, variance = _squared_ratio(total, replicates)
        others = zip(parts, sizes, strict=True)
        rest = np.array([_squared_ratio(total - part, replicates - size)[0] for part, size in others])
        ratio, error = math.sqrt(max(squared, 0.0)), math.sqrt((len(rest) - 1) * rest.var())
        found[group] = Noise(ratio, error / (2 * ratio) if ratio else None, variance)
    return found


def _powers(gradient: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first two powers of each parameter's gradient, (2, ...)."""
    return {name: torch.stack([value.double(), value.double().square()]) for name, value in gradient.items()}


def _sum(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value + other[name] for name, value in one.items()}


def _squared_ratio(powers: Tensor, count: int) -> tuple[float, float]:
    """The mean over P parameters of (E g)^2 / var g, unbiased, and the sum of var g.

    Of R draws of a Gaussian, mean^2 / variance as estimated has the expectation (ratio^2 + 1/R) (R - 1) / (R - 3).

    Args:
        powers: Sums of g and of g^2 over the draws, (2, P).
        count: Number of draws.
    """
    mean, square = powers / count
    variance = (square - mean.square()).clamp(min=0) * count / (count - 1)
    varying = variance > 0  # a pixel that is never on has no gradient
    ratio = (mean[varying].square() / variance[varying]).mean().item()
    return ratio * (count - 3) / (count - 1) - 1 / count, variance.sum().item()


def measure(
    model: TrainedModel,
    train: np.ndarray,
    settings: GradientsSettings,
    device: torch.device,
    progress: Callable[[int], object] = lambda draws: None,
) -> list[dict[str, object]]:
    """The rows of ``gradients.csv``.

    Args:
        model: The model, on `device`.
        train: The binary images it was trained on, (N, 784) ``uint8``.
        settings: Numbers of images, samples and draws, and the seed.
        device: Where to compute.
        progress: Called with the number of draws done since its last call.
    """
    x, units = as_tensor(train[: settings.images], device), sum(model.architecture.latents)
    first = torch.zeros((), dtype=torch.int64, device=device)  # the only bound
    networks = {
        "encoder": model.architecture.recognition,
        "decoder": (*model.architecture.generation, model.architecture.decoder),
    }
    groups = {
        part: tuple(name for name in model.parameters if name.startswith(tuple(f"{each.name}." for each in some)))
        for part, some in networks.items()
    }
    rows: list[dict[str, object]] = []
    for objective, estimator, k in _cases(settings.ks):
        seed = model.spec.random_seed(settings.seed, f"gradients/{k}")  # the same noise for all of one k
        generator = torch.Generator(device).manual_seed(seed)
        bounds = [implementation(OBJECTIVES[objective].bound)]
        gradient = implementation(ESTIMATORS[estimator].gradient)(model.architecture, bounds, "mean")

        def draw(gradient: Gradient = gradient, k: int = k, generator: Generator = generator) -> dict[str, Tensor]:
            noise = torch.randn(k, len(x), units, generator=generator, device=device)
            progress(1)
            return gradient(model.parameters, x, noise, first)[0]

        for group, noise in noise_of(draw, settings.replicates, groups).items():
            rows.append({"objective": objective, "estimator": estimator, "k": k, "part": group, **noise._asdict()})
    return rows


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
        rows = measure(subject.model, subject.train, settings, subject.device, bar.update)
    subject.write_rows("gradients.csv", rows)
