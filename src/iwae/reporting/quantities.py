"""What is measured of one model: one reader for each quantity, whoever reports it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from iwae.reporting.study import Model, StudyResults
from iwae.study.measurements import ACTIVITY_COLUMNS
from iwae.study.settings import ACTIVE

NEAR = 0.5  # decades around the threshold of activity that lie between the two modes of log A_u
FEWEST = 3  # units on either side of the threshold that make a mode
SURGERY_TERMS = ("reconstruction", "mutual_information", "index_gap", "marginal_kl", "elbo")


class Sample(NamedTuple):
    """The images of one split that a mean was taken over, (n,), and the value of each, (n,)."""

    split: str
    indices: np.ndarray
    values: np.ndarray


class Measured(NamedTuple):
    """A quantity of one model, with what of the rest has a meaning."""

    value: float
    samples: tuple[Sample, ...] = ()  # one for each split whose images it is a mean over: the sum of these means
    n: int | None = None  # over how many images or draws it is a mean, or of how many units
    se: float | None = None  # its standard error over these images or draws


class Quantity(NamedTuple):
    """A quantity, and how it is read of a model: None where the model has none.

    `step` is the smallest one in which it is counted or printed. What lies within one step is not told apart, so the
    variance over seeds is taken to be at least that of rounding, step^2 / 12. It is pooled over models of any number of
    layers, or, where those with two differ more from seed to seed, `by_layers`.
    """

    read: Callable[[StudyResults, Model], Measured | None]
    unit: str
    step: float
    section: str  # of the manifest, whose files it is read from
    beside: tuple[str, ...] = ()  # further sections that it takes
    of_bits: bool = False  # whether its error from another binarization of the same images is known: that of log p(x)
    by_layers: bool = False
    ends: tuple[float, float] = (-np.inf, np.inf)  # between which it can lie
    collected: bool = True  # whether it is in results.csv


def _array(section: str, values: str, images: str, model: Model) -> Sample:
    """Values of images from an npz file, which has their indices under the name `images`."""
    split = "train" if images.startswith("train") else "test"
    return Sample(split, model.array(section, images), model.array(section, values).astype(np.float64))


def _inference(column: str, model: Model) -> Sample:
    """The ELBO of each image by a q, as ``inference.csv`` names it."""
    table = model.table("inference")
    return Sample("test", table.image.to_numpy(), table[column].to_numpy(np.float64))


def _annealed(split: str, model: Model) -> Sample:
    """Lower bounds on log p(x) by annealing; of images that the model drew, how far the upper ones are above."""
    table = model.table("annealed")
    rows = table[table.split == split]
    values = rows.lower if split == "test" else rows.upper - rows.lower
    return Sample(split, rows.image.to_numpy(), values.to_numpy(np.float64))


# What is known image by image. Log-likelihoods and bounds, in nats.
_SAMPLES: dict[str, Callable[[Model], Sample]] = {
    "test": partial(_array, "likelihood", "test", "test_images"),
    "train": partial(_array, "likelihood", "train", "train_images"),
    "ess": partial(_array, "likelihood", "test_ess", "test_images"),
    **{name: partial(_array, "chopped", name, "images") for name in ("whole", "chopped", "held")},
    "annealed": partial(_annealed, "test"),
    "simulated": partial(_annealed, "simulated"),
    **{name: partial(_inference, name) for name in ("encoder", "diagonal", "full")},
}


def _mean(signs: Mapping[str, int], study: StudyResults, model: Model) -> Measured:
    """The sum of the means of samples, each with its sign, over different images."""
    found = [(sign, _SAMPLES[name](model)) for name, sign in signs.items()]
    return _sum_of_means(*(sample._replace(values=sign * sample.values) for sign, sample in found))


def _minus(above: str, below: str, study: StudyResults, model: Model) -> Measured | None:
    """The mean difference of two samples over the images that they share; None where these are fewer than two."""
    first, second = (_SAMPLES[name](model) for name in (above, below))
    images, one, other = np.intersect1d(first.indices, second.indices, return_indices=True)
    if len(images) < 2:
        return None
    return _sum_of_means(Sample(first.split, images, first.values[one] - second.values[other]))


def _sum_of_means(*samples: Sample) -> Measured:
    value = sum(float(sample.values.mean()) for sample in samples)
    variance = sum(float(sample.values.var(ddof=1)) / len(sample.values) for sample in samples)
    return Measured(value, samples, len(samples[0].values), variance**0.5)


def _nll_of_annealed(study: StudyResults, model: Model) -> Measured | None:
    """Nll of the images that were annealed."""
    (_, annealed, _), (split, images, values) = (_SAMPLES[name](model) for name in ("annealed", "test"))
    there = np.isin(images, annealed)
    return _sum_of_means(Sample(split, images[there], -values[there])) if there.sum() > 1 else None


def _other_bits(column: str, others: str, study: StudyResults, model: Model) -> Measured:
    """The mean of nll over binarizations whose names begin with `others`, minus that by the study's own."""
    nll = model.table("rebinarized").set_index("binarization")[column]
    return Measured(float(nll[nll.index.str.startswith(others)].mean() - nll["own"]))


def _sd_draws(study: StudyResults, model: Model) -> Measured:
    """The standard deviation of nll over binarizations by seeds of one generator, the study's own among them."""
    table = model.table("rebinarized")
    return Measured(float(table.nll[table.binarization != "authors"].std()))


def _authors_gap(study: StudyResults, model: Model) -> Measured:
    """The generalization gap of L_samples with the authors' bits in the place of the study's own."""
    moves = [_other_bits(column, "authors", study, model).value for column in ("nll", "nll_train")]
    return Measured(_mean({"test": -1, "train": 1}, study, model).value + moves[0] - moves[1])


def _held_change(study: StudyResults, model: Model) -> Measured | None:
    try:
        return _minus("whole", "held", study, model)
    except KeyError:  # measured before units were held at their means
        return None


def _chopped_units(column: str, layer: int, study: StudyResults, model: Model) -> Measured | None:
    table = model.table("chopped")
    rows = table[table.layer == layer]
    return None if rows.empty else Measured(float(rows[column].iloc[0]))


def activities(study: StudyResults, model: Model, column: str = "shown") -> pd.DataFrame:
    """Columns layer and activity of each unit of a model, by the text's definition or another `column`.

    That is ``activity_authors``, or ``shown``: whichever stands beside the paper's.
    """
    table = model.table("activity")
    column = ACTIVITY_COLUMNS[study.activity] if column == "shown" else column
    return table.assign(activity=table[column])[["layer", "activity"]]


def _active(column: str, layer: int | None, study: StudyResults, model: Model) -> Measured | None:
    units = activities(study, model, column)
    values = units.activity[units.layer == (layer or units.layer)]
    return None if values.empty else Measured(float((values > ACTIVE).sum()), n=len(values))


def _active_share(layer: int, study: StudyResults, model: Model) -> Measured | None:
    active = _active("shown", layer, study, model)
    return Measured(active.value / active.n, n=active.n) if active and active.n else None


def _share_between_modes(study: StudyResults, model: Model) -> Measured:
    """1 where fewer than `FEWEST` units lie on one side of the threshold: then there are no two modes."""
    units = activities(study, model).activity
    active = int((units > ACTIVE).sum())
    if min(active, len(units) - active) < FEWEST:
        return Measured(1.0)
    return Measured(float(units.between(ACTIVE / 10**NEAR, ACTIVE * 10**NEAR).mean()))


def _surgery(term: str, study: StudyResults, model: Model) -> Measured:
    """A term over all training images; each draw is from another image."""
    table = model.table("surgery")
    row = table[(table.images == table.images.max()) & (table.term == term)].iloc[0]
    draws = min(model.settings("surgery")["samples"], int(row.images))
    return Measured(float(row["value"]), n=draws, se=float(row.se))


def _at_the_end(column: str, sign: int, study: StudyResults, model: Model) -> Measured | None:
    """What the learning curve ends at; None for the bound on held-out images where there are none."""
    value = model.table("training")[column].iloc[-1]
    return None if pd.isna(value) else Measured(sign * float(value))


_nats = partial(Quantity, unit="nats", step=0.01, section="likelihood")
_count = partial(Quantity, unit="units", step=1.0, section="activity", by_layers=True)
_annealing = partial(_nats, section="annealed", collected=False)
_gap = partial(_nats, section="inference", beside=("annealed",), collected=False)
_bits = partial(_nats, section="rebinarized", collected=False)
_share = partial(_count, unit="of the units", step=0.02, ends=(0.0, 1.0), collected=False)
QUANTITIES = {
    "nll": _nats(partial(_mean, {"test": -1}), of_bits=True),
    "nll_train": _nats(partial(_mean, {"train": -1}), of_bits=True),
    **{
        f"{others}_bits{split}": _bits(partial(_other_bits, f"nll{split}", others))
        for others in ("authors", "draw")
        for split in ("", "_train")
    },
    "sd_draws": _bits(_sd_draws),
    "authors_gap": _bits(_authors_gap, beside=("likelihood",)),
    "ess": Quantity(partial(_mean, {"ess": 1}), "samples", 1.0, "likelihood"),
    "generalization_gap": _nats(partial(_mean, {"test": -1, "train": 1}), of_bits=True, collected=False),
    **{
        f"active_units{suffix}_{layer}": _count(partial(_active, f"activity{suffix}", layer))
        for suffix in ("", "_authors")
        for layer in (1, 2)
    },
    "active": _count(partial(_active, "shown", None), collected=False),
    **{f"active_{layer}": _count(partial(_active, "shown", layer), collected=False) for layer in (1, 2)},
    **{f"active_share_{layer}": _share(partial(_active_share, layer)) for layer in (1, 2)},
    "share_between_modes": _share(_share_between_modes),
    "chopped_change": _nats(partial(_minus, "whole", "chopped"), section="chopped", by_layers=True),
    "held_change": _nats(_held_change, section="chopped"),
    "whole_nll": _nats(partial(_mean, {"whole": -1}), section="chopped", collected=False),
    **{
        f"{column}_{layer}": _count(partial(_chopped_units, column, layer), section="chopped", collected=False)
        for column in ("removed", "units")
        for layer in (1, 2)
    },
    **{term: Quantity(partial(_surgery, term), "nats", 0.001, "surgery") for term in SURGERY_TERMS},
    "annealed_nll": _annealing(partial(_mean, {"annealed": -1}), of_bits=True),
    "nll_of_annealed": _annealing(_nll_of_annealed, beside=("likelihood",)),
    "annealed_gap": _annealing(partial(_mean, {"simulated": 1})),
    "slack": _annealing(partial(_minus, "annealed", "test"), beside=("likelihood",)),
    "approximation_gap": _gap(partial(_minus, "annealed", "diagonal")),
    "correlated_gap": _gap(partial(_minus, "annealed", "full")),
    "posterior_kl": _gap(partial(_minus, "annealed", "encoder")),
    "amortisation_gap": _gap(partial(_minus, "diagonal", "encoder"), beside=()),
    "validation_loss": _nats(partial(_at_the_end, "validation_bound", -1), section="training"),
    "updates": Quantity(partial(_at_the_end, "updates", 1), "updates", 1.0, "training"),
    "wall_seconds": Quantity(lambda _, model: Measured(float(model.trained["wall_seconds"])), "s", 1.0, "training"),
}


def measured(study: StudyResults, quantity: str, model: Model) -> Measured | None:
    """A quantity of one model; None if it was not measured, or the model has none."""
    key = quantity, model.spec.name
    if key not in study.known:
        entry = QUANTITIES[quantity]
        there = {entry.section, *entry.beside} <= model.manifest.keys()
        study.known[key] = entry.read(study, model) if there else None
    return study.known[key]
