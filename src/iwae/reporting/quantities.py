"""What claims are about: quantities of one trained model, read from the files in its folder."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from iwae.reporting.statements import activity_variant
from iwae.reporting.study import Model, StudyResults, nll_per_image
from iwae.study.settings import ACTIVE

NEAR = 0.5  # decades around the threshold of activity that lie between the two modes of log A_u
FEWEST = 3  # units on either side of the threshold that make a mode


class Sample(NamedTuple):
    """The images of one split that a mean was taken over.

    Attributes:
        split: ``test`` or ``train``.
        indices: Which images, (n,).
        values: The value of each image, (n,), with the sign with which it enters the quantity.
    """

    split: str
    indices: np.ndarray
    values: np.ndarray


class Measured(NamedTuple):
    """A quantity of one model.

    Attributes:
        value: Its value.
        samples: One for each split whose images it is a mean over, the value being the sum of these means; none for a
            count.
    """

    value: float
    samples: tuple[Sample, ...] = ()


class Quantity(NamedTuple):
    """A quantity.

    Attributes:
        read: Reads it of a model; None where it was not measured, or the model has none.
        unit: Its unit.
        step: The smallest step in which it is counted or printed. What lies within one step is not told apart, so the
            variance over seeds is taken to be at least that of rounding, step^2 / 12.
        files: The files of a model's folder that it is read from.
        section: The section of the manifest whose settings must be the paper's for the two to be comparable.
        of_bits: Whether its error from another binarization of the same images is known: that of log p(x).
    """

    read: Callable[[StudyResults, Model], Measured | None]
    unit: str
    step: float
    files: tuple[str, ...]
    section: str
    of_bits: bool = False


def _sum_of_means(*samples: Sample) -> Measured:
    return Measured(sum(float(sample.values.mean()) for sample in samples), samples)


def _nll_of(model: Model, split: str, sign: int = 1) -> Sample:
    values, indices = nll_per_image([model], split)
    return Sample(split, indices, sign * values[0])


def _nll(study: StudyResults, model: Model) -> Measured:
    return _sum_of_means(_nll_of(model, "test"))


def _generalization_gap(study: StudyResults, model: Model) -> Measured:
    return _sum_of_means(_nll_of(model, "test"), _nll_of(model, "train", sign=-1))


def _chopped_change(study: StudyResults, model: Model) -> Measured | None:
    if "chopped" not in study.sections or "chopped" not in model.manifest:
        return None
    arrays = model.arrays("chopped", "chopped.npz", ("images", "whole", "chopped"))
    return _sum_of_means(Sample("test", arrays["images"], arrays["whole"].astype(np.float64) - arrays["chopped"]))


def _activity(study: StudyResults, model: Model) -> pd.DataFrame:
    """Columns layer and activity, in the variant that Table 1 shows."""
    table = model.table("activity", "activity.csv")
    authors = activity_variant(study.grid.models or study.models) == "one-sample"
    return table.assign(activity=table["activity_authors" if authors else "activity"])


def _active_units(study: StudyResults, model: Model) -> Measured:
    return Measured(float((_activity(study, model).activity > ACTIVE).sum()))


def _active_units_of_layer(layer: int) -> Callable[[StudyResults, Model], Measured | None]:
    def read(study: StudyResults, model: Model) -> Measured | None:
        units = _activity(study, model)
        units = units[units.layer == layer]
        return None if units.empty else Measured(float((units.activity > ACTIVE).sum()))

    return read


def _active_share(study: StudyResults, model: Model) -> Measured:
    return Measured(float((_activity(study, model).activity > ACTIVE).mean()))


def _share_between_modes(study: StudyResults, model: Model) -> Measured:
    """1 where fewer than `FEWEST` units lie on one side of the threshold: then there are no two modes."""
    units = _activity(study, model).activity
    active = int((units > ACTIVE).sum())
    if min(active, len(units) - active) < FEWEST:
        return Measured(1.0)
    return Measured(float(units.between(ACTIVE / 10**NEAR, ACTIVE * 10**NEAR).mean()))


_NLL = ("likelihood.npz", "likelihood.csv")
_ACTIVITY = ("activity.csv",)
QUANTITIES = {
    "nll": Quantity(_nll, "nats", 0.01, _NLL, "likelihood", of_bits=True),
    "generalization_gap": Quantity(_generalization_gap, "nats", 0.01, _NLL, "likelihood", of_bits=True),
    "chopped_change": Quantity(_chopped_change, "nats", 0.01, ("chopped.npz", "chopped.csv"), "chopped"),
    "active_units": Quantity(_active_units, "units", 1.0, _ACTIVITY, "activity"),
    "active_units_1": Quantity(_active_units_of_layer(1), "units", 1.0, _ACTIVITY, "activity"),
    "active_units_2": Quantity(_active_units_of_layer(2), "units", 1.0, _ACTIVITY, "activity"),
    "active_share": Quantity(_active_share, "of all units", 0.02, _ACTIVITY, "activity"),
    "share_between_modes": Quantity(_share_between_modes, "of all units", 0.02, _ACTIVITY, "activity"),
}
