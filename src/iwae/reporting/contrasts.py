"""What a study measured, for claims: values of each kind of model by seed, and weighted sums of them with errors."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from iwae.reporting.departures import departs
from iwae.reporting.quantities import QUANTITIES, Measured
from iwae.reporting.statistics import (
    Estimate,
    Region,
    Variance,
    WeightedMean,
    add,
    spread_over_images,
    spread_over_seeds,
)
from iwae.reporting.study import Model, StudyResults


class Kind(NamedTuple):
    """A kind of model: all that names one but its seed."""

    dataset: str
    layers: int
    objective: str
    k: int
    variation: str = ""

    @property
    def name(self) -> str:
        """As in a model's name, without the seed."""
        words = (f"l{self.layers}-{self.objective}-k{self.k}", self.variation)
        return f"{self.dataset}/{'-'.join(filter(None, words))}"


class Contrast(NamedTuple):
    """An effect that a claim is about: a weighted sum of one quantity over kinds of models, and where it must lie.

    Attributes:
        label: What is compared, in words.
        quantity: One of `QUANTITIES`.
        weights: The weight of each kind.
        region: Where the claim says that the sum lies.
        paper: The paper's value of the sum, None if it gives none.
        realised: Whether the sum is held against numbers that the paper realised. These are for the same images, so
            ours are a part of a finite whole, and where all of them were measured no error is left but that the
            authors' binarization is another (of use only where that is known, `Quantity.of_bits`). And they are of one
            seed for each model: the spread over seeds counts once more, the paper's being taken to be ours.
    """

    label: str
    quantity: str
    weights: Mapping[Kind, float]
    region: Region
    paper: float | None = None
    realised: bool = False


@dataclass(frozen=True)
class Finding:
    """What the study says of a contrast.

    Attributes:
        contrast: The contrast.
        seeds: The seeds that all its kinds have; perhaps none.
        models: The models of those seeds.
        missing: Kinds that the study has no model of, or not this quantity.
        comparable: Whether all models may be compared with the paper's.
        value: Mean over seeds; NaN where there is none.
        se_images: Its standard error over images, nats; NaN for quantities that are not means over images.
        sd_seeds: Standard deviation over the seeds of the sum; NaN for fewer than two.
        estimate: The value with its whole error; None where the spread over seeds is not known.
    """

    contrast: Contrast
    seeds: tuple[int, ...] = ()
    models: tuple[Model, ...] = ()
    missing: tuple[Kind, ...] = ()
    comparable: bool = False
    value: float = np.nan
    se_images: float = np.nan
    sd_seeds: float = np.nan
    estimate: Estimate | None = None

    @property
    def points(self) -> bool | None:
        """Whether the value lies where the claim says; None without a value."""
        low, high = self.contrast.region
        return None if np.isnan(self.value) else bool(low < self.value < high)


@dataclass(frozen=True)
class Evidence:
    """A study, asked for contrasts.

    Attributes:
        study: The study.
        whole: How many images each split of each data set has.
        binarization: Standard deviation over images of the difference of log p(x) between two binarizations of an image
            of each data set, in nats; none where they are always the same.
        taken_over: The data sets of which that was not measured, each with the one whose spread it was given.
    """

    study: StudyResults
    whole: Mapping[str, Mapping[str, int]]
    binarization: Mapping[str, float] = field(default_factory=dict)
    taken_over: Mapping[str, str] = field(default_factory=dict)
    _measured: dict[tuple[str, str], Measured | None] = field(default_factory=dict, repr=False)

    @cached_property
    def kinds(self) -> dict[Kind, dict[int, Model]]:
        """The models of the study by kind and seed."""
        found: dict[Kind, dict[int, Model]] = {}
        for model in self.study.models:
            spec = model.spec
            kind = Kind(spec.dataset, spec.layers, spec.objective, spec.k, spec.variation)
            found.setdefault(kind, {})[spec.seed] = model
        return found

    def measured(self, quantity: str, model: Model) -> Measured | None:
        """A quantity of one model; None if it was not measured."""
        key = quantity, model.spec.name
        if key not in self._measured:
            self._measured[key] = QUANTITIES[quantity].read(self.study, model)
        return self._measured[key]

    def find(self, contrast: Contrast) -> Finding:
        """What the study says of `contrast`."""
        found = {
            kind: {
                seed: model
                for seed, model in self.kinds.get(kind, {}).items()
                if self.measured(contrast.quantity, model) is not None
            }
            for kind in contrast.weights
        }
        missing = tuple(kind for kind, models in found.items() if not models)
        seeds = tuple(sorted(set.intersection(*(set(models) for models in found.values()))))
        if missing or not seeds:
            return Finding(contrast, missing=missing)
        models = {kind: [found[kind][seed] for seed in seeds] for kind in found}
        flat = tuple(model for group in models.values() for model in group)
        by_seed = self._sum(contrast, models)
        variance = self._image_variance(contrast, models)
        left = self._image_variance(contrast, models, finite=True) if _on_other_bits(contrast) else variance
        return Finding(
            contrast,
            seeds,
            flat,
            comparable=all(self._comparable(contrast.quantity, model) for model in flat),
            value=float(by_seed.mean()),
            se_images=np.nan if variance is None else variance.value**0.5,
            sd_seeds=float(by_seed.std(ddof=1)) if len(seeds) > 1 else np.nan,
            estimate=self._estimate(contrast, by_seed, left),
        )

    def assumptions(self, contrast: Contrast) -> list[str]:
        """What the error of a contrast takes for granted without having been measured, a sentence each."""
        if not _on_other_bits(contrast):
            return []
        return [
            f"How far two binarizations of {dataset} lie apart was not measured: that of {self.taken_over[dataset]}, "
            f"{self.binarization[dataset]:g} nats, is taken over."
            for dataset in sorted({kind.dataset for kind in contrast.weights} & set(self.taken_over))
        ]

    def _comparable(self, quantity: str, model: Model) -> bool:
        return not departs(model, QUANTITIES[quantity].section)

    def _values(self, quantity: str, models: list[Model]) -> list[Measured]:
        return [found for model in models if (found := self.measured(quantity, model)) is not None]

    def _sum(self, contrast: Contrast, models: Mapping[Kind, list[Model]]) -> np.ndarray:
        """The weighted sum for each seed."""
        return sum(
            weight * np.array([found.value for found in self._values(contrast.quantity, models[kind])])
            for kind, weight in contrast.weights.items()
        )

    def _image_variance(
        self, contrast: Contrast, models: Mapping[Kind, list[Model]], finite: bool = False
    ) -> Variance | None:
        """The variance of the sum that comes from the choice of images; None where it has no meaning.

        Models and seeds are paired over the images of a split that they share; splits and data sets are independent.
        `finite`: the images are a part of their split, whose mean is meant, over another binarization.
        """
        means: dict[tuple[str, str], list[WeightedMean]] = defaultdict(list)
        for kind, weight in contrast.weights.items():
            group = self._values(contrast.quantity, models[kind])
            for split, indices, values in (sample for found in group for sample in found.samples):
                means[kind.dataset, split].append(WeightedMean(weight / len(group), indices, values))
        if not means:
            return None
        parts = {place: spread_over_images(group) for place, group in means.items()}
        if finite:
            parts = {place: self._against_paper(contrast, *place, part) for place, part in parts.items()}
        return add(*parts.values())

    def _against_paper(self, contrast: Contrast, dataset: str, split: str, part: Variance) -> Variance:
        """The variance of a mean over some images of a split, as an estimate of one over all, binarized anew.

        Images that were left out add their share of the spread over images, of which the bits are a part; all images,
        that they are binarized twice, with what this does to one model being taken to do the same to all.
        """
        images = part.dof + 1
        whole = self.whole.get(dataset, {}).get(split)
        left_out = max(0.0, 1 - images / whole) if whole else 1.0
        weight = sum(weight for kind, weight in contrast.weights.items() if kind.dataset == dataset)
        bits = (weight * self.binarization.get(dataset, 0.0)) ** 2 / (whole or images)
        return Variance(left_out * part.value + bits, part.dof)

    def _estimate(self, contrast: Contrast, by_seed: np.ndarray, images: Variance | None) -> Estimate | None:
        variance = self._seed_variance(contrast)
        if variance is None:
            return None
        means = 1 / len(by_seed) + contrast.realised  # over our seeds, and the one of the paper's
        weights = means * sum(weight**2 for weight in contrast.weights.values())
        parts = [Variance(variance.value * weights, variance.dof), *([images] if images else [])]
        total = add(*parts)
        return Estimate(float(by_seed.mean()), total.value**0.5, total.dof)

    def _seed_variance(self, contrast: Contrast) -> Variance | None:
        """The variance over seeds of one model's value, pooled over the kinds of the contrast's data sets' grids."""
        datasets = {kind.dataset for kind in contrast.weights}
        pool = {kind for kind in self.kinds if kind.dataset in datasets and not kind.variation}
        measured = {
            (kind, seed): (model, found)
            for kind in sorted(pool | set(contrast.weights))
            for seed, model in self.kinds.get(kind, {}).items()
            if (found := self.measured(contrast.quantity, model))
        }
        comparable = {name: self._comparable(contrast.quantity, model) for name, (model, _) in measured.items()}
        alike = {all(comparable[name] for name in measured if name[0] == kind) for kind in contrast.weights}
        values = {name: found.value for name, (_, found) in measured.items() if comparable[name] in alike}
        pooled = spread_over_seeds(values, blocks=abs(sum(contrast.weights.values())) < 1e-9)
        if pooled is None:
            return None
        floor = QUANTITIES[contrast.quantity].step ** 2 / 12
        return Variance(max(pooled.value, floor), pooled.dof)


def _on_other_bits(contrast: Contrast) -> bool:
    """Whether what is left of the error over images is that the paper binarized them differently."""
    return contrast.realised and QUANTITIES[contrast.quantity].of_bits
