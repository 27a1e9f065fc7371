"""The nll of test images minus that of training images."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.statements import likelihood_line, listed
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells, stated
from iwae.reporting.tables.cells import Part, Sum
from iwae.reporting.tables.formats import Table

TEST, TRAIN = Sum("nll", "test nll"), Sum("nll_train", "training nll")
GAP = Sum("gap", "difference", "generalization_gap", sign=True)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model: nll of test images, ``nll_train`` of training images, and ``gap``, in nats.

    The two sets of images are independent, so the squares of their errors add up. ``paper_low`` and ``paper_high``: the
    range that the paper's text gives of the gap; ``comparable``: whether it does, and training and nll are as there.
    """

    def train_images(study: StudyResults, kind: Kind) -> dict[str, int]:
        return {"train_images": TRAIN.of(study, kind).images}

    return cells.frame(study, kinds, TEST.sampled, train_images, TRAIN, GAP, stated.columns("generalization_gap"))


def lay_out(part: Part) -> list[Table]:
    """A table with both nll and their difference."""
    part = part.ordered()
    shown = [*cells.keys(part.rows), *(one.shown(part.rows) for one in (TEST, TRAIN, GAP)), *stated.shown(part)]
    title = "{}: nll of test images minus nll of training images"
    return [part.table(title, shown, _notes, stated.consequence(part))]


def _notes(part: Part) -> list[str]:
    notes = [
        likelihood_line(part.measured),
        f"The training images are {listed(part.rows.train_images.dropna())} of those that the models were trained on.",
        "se_images: standard error over images; the two sets are independent, so the squares of their errors add up."
        f"{cells.seeds_note(part.rows, 'gap')}",
        "All models are measured on the same images, so the error over images is one, and moves all rows together.",
    ]
    if part.known("paper_low"):
        notes.append("paper's: what the text, or the authors' README, says of the differences of all models.")
    return notes
