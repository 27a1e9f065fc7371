"""What a study measured, for claims: values of each kind of model by seed, and weighted sums of them with errors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from iwae.reporting.contrasts import Variance, WeightedSum, add, weighted_sum
from iwae.reporting.quantities import QUANTITIES, measured
from iwae.reporting.statements import departures, is_complete, is_foreign
from iwae.reporting.statistics import Estimate, Region, interval, p_inside, p_outside, spread_over_seeds, spreads_differ
from iwae.reporting.study import Kind, StudyResults

_THIRD = (1 / 4, 1 / 2)  # of all passes: what still counts as a third


class Contrast(NamedTuple):
    """An effect that a claim is about: a weighted sum of one of `QUANTITIES` over kinds of models.

    It is `realised` if it is held against numbers that the paper realised. These are for the same images, so ours are a
    part of a finite whole, and where all of them were measured no error is left but that the authors' binarization is
    another (of use only where that is known, `Quantity.of_bits`). And they are of one seed for each model: the spread
    over seeds counts once more, the paper's being taken to be ours.
    """

    label: str  # what is compared, in words
    quantity: str
    weights: Mapping[Kind, float]
    region: Region  # where the claim says that the sum lies
    paper: float = np.nan  # the paper's value of the sum, NaN if it gives none
    realised: bool = False


@dataclass(frozen=True)
class Finding:
    """What the study says of a contrast."""

    contrast: Contrast
    sum: WeightedSum
    comparable: bool = False  # whether all models may be compared with the paper's
    complete: bool = False  # and with each other, each trained to its end under a named protocol
    estimate: Estimate | None = None  # the value with its whole error; None where the spread over seeds is not known
    earlier: float = np.nan  # the value after a third of the passes; NaN without such, or under the paper's protocol

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its `statistics.interval`, within what a value can be; None without an estimate."""
        if self.estimate is None:
            return None
        of_one_kind = list(self.contrast.weights.values()) == [1.0]
        ends = QUANTITIES[self.contrast.quantity].ends if of_one_kind else (-np.inf, np.inf)
        return tuple(np.clip(interval(self.estimate), *ends).tolist())

    @property
    def p_inside(self) -> float:
        """The p of the hypothesis that the effect lies outside the claimed region; 1 without an estimate."""
        return p_inside(self.estimate, self.contrast.region) if self.estimate else 1.0

    @property
    def p_outside(self) -> float:
        """The p of the hypothesis that it lies inside; 1 without an estimate."""
        return p_outside(self.estimate, self.contrast.region) if self.estimate else 1.0

    @property
    def points(self) -> bool | None:
        """Whether the value lies where the claim says; None without a value."""
        return self.contrast.region.holds(self.sum.value)

    @property
    def converged(self) -> bool | None:
        """Whether the value lay on the same side after a third of the passes; None where that is not known."""
        before = self.contrast.region.holds(self.earlier)
        return None if before is None else before == self.points


@dataclass(frozen=True)
class Evidence:
    """A study, asked for contrasts, and what `Claims` knows of each data set."""

    study: StudyResults
    whole: Mapping[str, Mapping[str, int]]
    binarization: Mapping[str, float] = field(default_factory=dict)
    taken_over: Mapping[str, str] = field(default_factory=dict)

    def find(self, contrast: Contrast, sizes: bool = True) -> Finding:
        """What the study says of `contrast`; `sizes` is that of `is_complete`."""
        section = QUANTITIES[contrast.quantity].section
        found = weighted_sum(self.study, contrast.quantity, contrast.weights)
        if not found.models:
            return Finding(contrast, found)
        return Finding(
            contrast,
            found,
            comparable=not any(departures(model, section) for model in found.models),
            complete=all(is_complete(model, section, sizes) for model in found.models),
            estimate=self._estimate(contrast, found),
            earlier=self._earlier(contrast) if any(map(is_foreign, found.models)) else np.nan,
        )

    def _earlier(self, contrast: Contrast) -> float:
        """The sum over the models of a third of the passes; NaN where one is missing."""
        shorter = ((third_of_the_passes(self.study, kind), weight) for kind, weight in contrast.weights.items())
        weights = {kind: weight for kind, weight in shorter if kind}
        whole = len(weights) == len(contrast.weights)
        return weighted_sum(self.study, contrast.quantity, weights).value if whole else np.nan

    def assumptions(self, contrast: Contrast) -> list[str]:
        """What the error of a contrast takes for granted without having been measured, a sentence each."""
        if not _on_other_bits(contrast):
            return []
        return [
            f"How far two binarizations of {dataset} lie apart was not measured: that of {self.taken_over[dataset]}, "
            f"{self.binarization[dataset]:g} nats, is taken over."
            for dataset in sorted({kind.dataset for kind in contrast.weights} & set(self.taken_over))
        ]

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

    def _estimate(self, contrast: Contrast, found: WeightedSum) -> Estimate | None:
        values, floor = self._values(contrast), QUANTITIES[contrast.quantity].step ** 2 / 12  # that of rounding
        pools: dict[tuple[Kind, ...], float] = defaultdict(float)
        for kind, weight in contrast.weights.items():
            pools[_pool(contrast, kind, values, floor)] += weight**2
        means = 1 / len(found.seeds) + contrast.realised  # over our seeds, and the one of the paper's
        if not all(any(len(values[kind]) > 1 for kind in pool) for pool in pools):
            # Where no kind of a pool has two seeds, one over all: the spreads of two would be one estimate, used twice.
            pools = {tuple(values): sum(pools.values())}
        seeds = []
        for pool, squares in pools.items():
            spread = spread_over_seeds([values[kind] for kind in pool])
            if spread is None:
                return None
            seeds.append(Variance(max(spread.value, floor) * means * squares, spread.dof))
        images = found.over_images
        if _on_other_bits(contrast):
            images = {place: self._against_paper(contrast, *place, part) for place, part in images.items()}
        total = add(*seeds, *images.values())
        return Estimate(found.value, total.value**0.5, total.dof)

    def _values(self, contrast: Contrast) -> dict[Kind, list[float]]:
        """The values, one a seed, of the kinds of a contrast and of the grids of its data sets, in their order.

        Only of models that were trained and measured as those of the contrast; a kind without such is left out.
        """
        section, datasets = QUANTITIES[contrast.quantity].section, {kind.dataset for kind in contrast.weights}
        grid = {kind for kind in self.study.by_kind if kind.dataset in datasets and not kind.variation}
        found = {
            kind: [
                (not departures(model, section), entry.value)
                for model in self.study.of_kinds([kind])
                if (entry := measured(self.study, contrast.quantity, model))
            ]
            for kind in sorted(grid | set(contrast.weights))
        }
        alike = {all(comparable for comparable, _ in found[kind]) for kind in contrast.weights}
        values = {kind: [value for comparable, value in each if comparable in alike] for kind, each in found.items()}
        return {kind: each for kind, each in values.items() if each}


def _pool(contrast: Contrast, kind: Kind, values: Mapping[Kind, Sequence[float]], floor: float) -> tuple[Kind, ...]:
    """The kinds over which the spread over seeds of `kind` is pooled, of those with `values`.

    Those of the same objective, since the VAE's may be several times the IWAE's, and by `Quantity.by_layers` of as many
    layers; but none other where their spreads differ by more than chance.
    """
    several = QUANTITIES[contrast.quantity].by_layers
    alike = [
        other for other in values if other.objective == kind.objective and (other.layers == kind.layers or not several)
    ]
    alone = len(values[kind]) > 1 and spreads_differ([values[other] for other in alike], floor)
    return (kind,) if alone else tuple(alike)


def third_of_the_passes(study: StudyResults, kind: Kind) -> Kind | None:
    """The kind of models that differ from `kind` by having had about a third of the passes; None if there are none."""
    whole = study.training(kind).passes
    if whole is None:
        return None
    least, most = (share * whole for share in _THIRD)
    shorter = {passes: other for passes, other in study.shorter(kind).items() if least <= passes <= most}
    return shorter[min(shorter, key=lambda passes: abs(3 * passes - whole))] if shorter else None


def _on_other_bits(contrast: Contrast) -> bool:
    """Whether what is left of the error over images is that the paper binarized them differently."""
    return contrast.realised and QUANTITIES[contrast.quantity].of_bits
