"""Weighted sums of a quantity over kinds of models, with their errors: every mean and difference that is reported.

The error over images is of sums paired over the images that models share, be it in several binarizations; the deviation
over seeds is of the sums of each seed, since models of one seed share binarization and initialisation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from iwae.reporting.quantities import Sample, measured
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.study.registry import DATASETS


class Variance(NamedTuple):
    """An estimated variance and its degrees of freedom."""

    value: float
    dof: float


@dataclass(frozen=True)
class WeightedSum:
    """What a study says of a weighted sum, over the seeds that all its kinds have; perhaps none."""

    seeds: tuple[int, ...] = ()
    models: tuple[Model, ...] = ()  # of those seeds
    missing: tuple[Kind, ...] = ()  # kinds of which the study has no model, or not this quantity
    by_seed: np.ndarray = field(default_factory=lambda: np.empty(0))  # the sum of each seed, (seeds,)
    # For each data set and split that it is a mean over, the variance from the choice of its images; the first data set
    # stands for others of the same images, which differ in their binarization.
    over_images: Mapping[tuple[str, str], Variance] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """Its mean over seeds; NaN where there is none."""
        return float(self.by_seed.mean()) if self.seeds else np.nan

    @property
    def se_images(self) -> float:
        """Its standard error over images; NaN for what is no mean over images."""
        return add(*self.over_images.values()).value ** 0.5 if self.over_images else np.nan

    @property
    def sd_seeds(self) -> float:
        """Its standard deviation over seeds; NaN for fewer than two."""
        return float(self.by_seed.std(ddof=1)) if len(self.seeds) > 1 else np.nan

    @property
    def images(self) -> Any:
        """Over how many images it is; NA for what is no mean over images."""
        return max((variance.dof + 1 for variance in self.over_images.values()), default=pd.NA)

    def columns(self, name: str) -> dict[str, float]:
        """Its columns in a table: value, standard error over images, standard deviation over seeds."""
        return dict(zip(columns(name), (self.value, self.se_images, self.sd_seeds), strict=True))


def columns(name: str) -> tuple[str, str, str]:
    """The columns of a value and its errors over images and seeds; those of nll have no prefix."""
    prefix = "" if name == "nll" else f"{name}_"
    return name, f"{prefix}se_images", f"{prefix}sd_seeds"


def weighted_sum(study: StudyResults, quantity: str, weights: Mapping[Kind, float]) -> WeightedSum:
    """The weighted sum of one of `quantities.QUANTITIES` over kinds of models, over the seeds that all of them have."""
    found = {
        kind: {
            seed: (model, value)
            for seed, model in study.by_kind.get(kind, {}).items()
            if (value := measured(study, quantity, model)) is not None
        }
        for kind in weights
    }
    missing = tuple(kind for kind, models in found.items() if not models)
    seeds = tuple(sorted(set.intersection(*(set(models) for models in found.values()))))
    if missing or not seeds:
        return WeightedSum(missing=missing)
    means: dict[tuple[str, str], list[tuple[float, Sample]]] = defaultdict(list)
    first: dict[str, str] = {}
    for kind, weight in weights.items():
        dataset = first.setdefault(DATASETS[kind.dataset].folder, kind.dataset)
        for sample in (sample for seed in seeds for sample in found[kind][seed][1].samples):
            means[dataset, sample.split].append((weight / len(seeds), sample))
    return WeightedSum(
        seeds,
        tuple(found[kind][seed][0] for kind in weights for seed in seeds),
        by_seed=sum(
            (weight * np.array([found[kind][seed][1].value for seed in seeds]) for kind, weight in weights.items()),
            start=np.zeros(len(seeds)),
        ),
        over_images={place: spread_over_images(group) for place, group in means.items()},
    )


def spread_over_images(means: Sequence[tuple[float, Sample]]) -> Variance:
    """The variance of a weighted sum of means over images of one split, drawn once for all the means that share them.

    What an image adds to the sum counts as one draw. Where all means are over the same images it is thus the variance
    of the sums of each image, over their number; means without a common image are independent.
    """
    shares = [weight * (values - values.mean()) / len(values) for weight, (_, _, values) in means]
    _, place = np.unique(np.concatenate([sample.indices for _, sample in means]), return_inverse=True)
    by_image = np.bincount(place, weights=np.concatenate(shares))
    images = len(by_image)
    return Variance(float((by_image**2).sum()) * images / (images - 1), images - 1)


def add(*parts: Variance) -> Variance:
    """The variance of a sum of independent terms; degrees of freedom by Satterthwaite's approximation."""
    total = sum(part.value for part in parts)
    if total == 0:
        return Variance(0.0, min(part.dof for part in parts))
    return Variance(total, total**2 / sum(part.value**2 / part.dof for part in parts))
