"""How noisy the gradient of a bound is: its signal to noise by estimator and k, for q's parameters and for p's.

The signal-to-noise ratio of a parameter is |E g| / sd g over the draws of one minibatch. By Rainforth et al. (2018)
that of q falls as k^-1/2 under the IWAE's bound while that of p rises as k^1/2; DReG lifts q's. STL's is that of a
biased gradient, whose mean stays where the bound's own vanishes with k. Measured at a trained model;
`iwae.evaluation.linear_gaussian` has the problem of that paper.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from iwae.estimators import Gradient
from iwae.evaluation.subject import Subject
from iwae.models.networks import Parameters
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


class Moments(NamedTuple):
    """Of some draws of a gradient their number, their sum and the sum of their squares, by parameter."""

    draws: int
    sums: dict[str, Tensor]
    squares: dict[str, Tensor]

    @classmethod
    def of(cls, gradient: dict[str, Tensor]) -> "Moments":
        """Those of one draw."""
        exact = {name: value.double() for name, value in gradient.items()}
        return cls(1, exact, {name: value.square() for name, value in exact.items()})

    def plus(self, other: "Moments", sign: int = 1) -> "Moments":
        """Those of all draws of both; with `sign` -1 without those of `other`."""
        sums, squares = (
            {name: value + sign * second[name] for name, value in first.items()}
            for first, second in ((self.sums, other.sums), (self.squares, other.squares))
        )
        return Moments(self.draws + sign * other.draws, sums, squares)


def noise_of(draw: Draw, replicates: int, groups: dict[str, tuple[str, ...]]) -> dict[str, Noise]:
    """The noise of a gradient over independent draws; its error by leaving out a tenth of them at a time.

    Args:
        draw: Draws it.
        replicates: Number of draws, at least 5: an unbiased estimate needs four.
        groups: For each group of parameters their names.
    """
    parts = np.array_split(np.arange(replicates), min(10, replicates))
    tenths = [reduce(Moments.plus, (Moments.of(draw()) for _ in part)) for part in parts]
    whole = reduce(Moments.plus, tenths)
    found = {}
    for group, names in groups.items():
        squared, variance = _squared_ratio(whole, names)
        rest = np.array([_squared_ratio(whole.plus(tenth, -1), names)[0] for tenth in tenths])
        ratio, error = math.sqrt(max(squared, 0.0)), math.sqrt((len(rest) - 1) * rest.var())
        found[group] = Noise(ratio, error / (2 * ratio) if ratio else None, variance)
    return found


def _squared_ratio(moments: Moments, names: tuple[str, ...]) -> tuple[float, float]:
    """The mean over parameters of (E g)^2 / var g, unbiased, and the sum of var g.

    Of R draws of a Gaussian, mean^2 / variance as estimated has the expectation (ratio^2 + 1/R) (R - 1) / (R - 3).
    """
    count = moments.draws
    mean, square = (torch.cat([part[name].flatten() for name in names]) / count for part in moments[1:])
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
    x = torch.from_numpy(train[: settings.images]).to(device).float()
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
        rows = measure(subject.model, subject.train, settings, subject.device, bar.update)
    subject.write_rows("gradients.csv", rows)
