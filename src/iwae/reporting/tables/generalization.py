"""The nll of test images minus that of training images."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.statements import comparison_lines, likelihood_line, listed
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import head, key_cells, nll, seeds_note, table, value_cells
from iwae.reporting.tables.formats import Table
from iwae.reporting.tables.stated import stated_cells, stated_consequence, stated_range


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model: nll of test images, ``nll_train`` of training images, and ``gap``, in nats.

    The two sets of images are independent, so the squares of their errors add up. ``paper_low`` and ``paper_high``: the
    range that the paper's text gives of the gap; ``comparable``: whether it does, and training and nll are as there.
    """
    return pd.DataFrame(_row(study, kind) for kind in kinds)


def _row(study: StudyResults, kind: Kind) -> dict[str, Any]:
    train, gap = (weighted_sum(study, name, {kind: 1.0}) for name in ("nll_train", "generalization_gap"))
    images = next((variance.dof + 1 for variance in train.over_images.values()), pd.NA)
    return {
        **head(study, kind),
        **nll(study, kind),
        "train_images": images,
        **train.columns("nll_train"),
        **gap.columns("gap"),
        **stated_range(study, "generalization_gap", kind, "likelihood"),
    }


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table with both nll and their difference."""
    cells = key_cells(rows) + value_cells(rows, "nll", "test nll") + value_cells(rows, "nll_train", "training nll")
    cells += value_cells(rows, "gap", "difference", sign=True) + stated_cells(rows)
    title = f"{rows.dataset.iloc[0]}: nll of test images minus nll of training images"
    return [table(title, comparison_lines(models, stated_consequence(rows)), rows, cells, _notes(rows, models))]


def _notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
    measured = [model for model in models if "likelihood" in model.manifest]
    if not measured:
        return []
    notes = [
        likelihood_line(measured),
        f"The training images are {listed(rows.train_images.dropna())} of those that the models were trained on.",
        "se_images: standard error over images; the two sets are independent, so the squares of their errors add up."
        f"{seeds_note(rows, 'gap')}",
        "All models are measured on the same images, so the error over images is one, and moves all rows together.",
    ]
    if rows.paper_low.notna().any():
        notes.append("paper's: what the text, or the authors' README, says of the differences of all models.")
    return notes
