"""What claims are about: quantities of one trained model, read from the files in its folder."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from iwae.reporting.statements import activity_variant
from iwae.reporting.study import Model, Study, nll_per_image
from iwae.settings import ACTIVE

NEAR = 0.5  # decades around the threshold of activity that lie between the two modes of log A_u


class Sample(NamedTuple):
    """The images of one split that a mean was taken over.

    Attributes:
        split: ``test`` or ``train``.
        images: How many there are.
        variance: The variance of their mean that comes from their choice.
    """

    split: str
    images: int
    variance: float


class Measured(NamedTuple):
    """A quantity of one model.

    Attributes:
        value: Its value, a mean over images where it is one.
        samples: The images that the mean was taken over; none for a count.
        indices: Which images, (n,), where `per_image` has their values.
        per_image: The value of each image, (n,); None where the quantity is not the mean of such values.
    """

    value: float
    samples: tuple[Sample, ...] = ()
    indices: np.ndarray | None = None
    per_image: np.ndarray | None = None

    def pairs_with(self, other: "Measured") -> bool:
        """Whether both have values of the same images."""
        both = self.per_image is not None and other.per_image is not None
        return both and np.array_equal(self.indices, other.indices)


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

    read: Callable[[Study, Model], Measured | None]
    unit: str
    step: float
    files: tuple[str, ...]
    section: str
    of_bits: bool = False


def _mean(values: np.ndarray, indices: np.ndarray, split: str) -> Measured:
    sample = Sample(split, len(values), float(values.var(ddof=1)) / len(values))
    return Measured(float(values.mean()), (sample,), indices, values)


def _nll_of(model: Model, split: str) -> Measured:
    values, indices = nll_per_image([model], split)
    return _mean(values[0], indices, split)


def _nll(study: Study, model: Model) -> Measured:
    return _nll_of(model, "test")


def _generalization_gap(study: Study, model: Model) -> Measured:
    test, train = (_nll_of(model, split) for split in ("test", "train"))
    return Measured(test.value - train.value, test.samples + train.samples)


def _chopped_change(study: Study, model: Model) -> Measured | None:
    if "chopped" not in study.sections or "chopped" not in model.manifest:
        return None
    arrays = model.arrays("chopped", "chopped.npz", ("images", "whole", "chopped"))
    return _mean(arrays["whole"].astype(np.float64) - arrays["chopped"], arrays["images"], "test")


def _activity(study: Study, model: Model) -> pd.DataFrame:
    """Columns layer and activity, in the variant that Table 1 shows."""
    table = model.table("activity", "activity.csv")
    authors = activity_variant(study.grid.models or study.models) == "one-sample"
    return table.assign(activity=table["activity_authors" if authors else "activity"])


def _active_units(study: Study, model: Model) -> Measured:
    return Measured(float((_activity(study, model).activity > ACTIVE).sum()))


def _active_units_of_layer(layer: int) -> Callable[[Study, Model], Measured | None]:
    def read(study: Study, model: Model) -> Measured | None:
        units = _activity(study, model)
        units = units[units.layer == layer]
        return None if units.empty else Measured(float((units.activity > ACTIVE).sum()))

    return read


def _active_share(study: Study, model: Model) -> Measured:
    return Measured(float((_activity(study, model).activity > ACTIVE).mean()))


def _share_between_modes(study: Study, model: Model) -> Measured:
    """1 where all units lie on one side of the threshold: then there are no two modes."""
    units = _activity(study, model).activity
    if (units > ACTIVE).nunique() == 1:
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
