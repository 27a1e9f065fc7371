"""The ELBO of q_EW, the distribution of a sample picked from k by its weight: between two bounds, beside L_k."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from iwae.reporting.contrasts import columns
from iwae.reporting.statements import NO_VALUES, listed, span
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part, Sum
from iwae.reporting.tables.formats import EMPTY, Column, Table

BOUNDS = (
    Sum("importance", "L_k"),
    Sum("lower", "B - L_k", digits=3, sign=True),
    Sum("upper", "U - L_k", digits=3, sign=True),
)
_NAMES = [bound.name for bound in BOUNDS]


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and ``samples``, the k from which a sample is picked: means over seeds, in nats.

    ``importance``: L_k; ``lower`` and ``upper``: bounds of the ELBO of q_EW minus L_k, paired over images.
    """
    names = [*_NAMES, *(error for name in _NAMES for error in columns(name)[1:])]
    return cells.several_rows(study, kinds, "implicit", _bounds, ["seeds", "samples", "images", *names])


def _bounds(models: list[Model]) -> pd.DataFrame:
    frames = [model.table("implicit").assign(seed=model.spec.seed) for model in models]
    whole = pd.concat(frames).rename(columns={"k": "samples"})
    whole[["lower", "upper"]] = whole[["lower", "upper"]].sub(whole.importance, axis=0)
    by_seed = whole.groupby(["samples", "seed"])[_NAMES].mean().groupby("samples")
    by_image = whole.groupby(["samples", "image"])[_NAMES].mean().groupby("samples")  # the seeds share their images
    found = by_seed.mean().assign(images=by_image.size())
    for name in _NAMES:
        _, se_images, sd_seeds = columns(name)
        found[se_images], found[sd_seeds] = by_image[name].std() / found.images**0.5, by_seed[name].std()
    return found.reset_index()


def lay_out(part: Part) -> list[Table]:
    """A table with a line for each model and number of samples."""
    part = part.ordered()
    part = replace(part, rows=part.rows[part.rows.samples != 1])  # where all of them are equal
    samples = Column("samples", lambda row: EMPTY if pd.isna(row.samples) else f"{row.samples:.0f}")
    shown = [*cells.keys(part.rows), samples, *(bound.shown(part.rows) for bound in BOUNDS)]
    return [part.table("{}: the ELBO of q_EW, which is not L_k", shown, _notes(part), NO_VALUES)]


def _notes(part: Part) -> list[str]:
    several = part.rows[part.rows.seeds > 0]
    if several.empty:
        return []
    return [
        "q_EW: the distribution of a sample that is picked from k draws of q by its weight (Cremer, Morris & Duvenaud "
        "2017). In expectation L_k <= B <= ELBO[q_EW] <= U, over "
        f"{listed(part.rows.images.dropna().astype(int))} test images.",
        f"For k > 1 the lower bound lies {span(several.lower, 3)} nats "
        "above L_k: that the two are equal, as is often said, is false.",
        "se_images: standard error over test images, of differences paired over them.",
    ]
