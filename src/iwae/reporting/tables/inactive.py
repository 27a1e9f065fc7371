"""What nll loses with the inactive units."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.statements import comparison_lines, listed
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import (
    extreme_note,
    head,
    key_cells,
    measured,
    paired_note,
    table,
    units,
    value_cells,
)
from iwae.reporting.tables.formats import Column, Table
from iwae.reporting.tables.stated import stated_cells, stated_consequence, stated_range
from iwae.study.settings import ACTIVE


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model: nll of the whole model, and ``change``, nll without the inactive units minus it.

    The change is paired over images and with the same samples of the units that are kept. ``removed``, ``units``: how
    many units of each layer were removed, and there were. ``paper_high``: the paper's bound on the size of the change.
    """
    return pd.DataFrame(_row(study, kind) for kind in kinds)


def _row(study: StudyResults, kind: Kind) -> dict[str, Any]:
    counts = [f"{name}_{layer}" for name in ("removed", "units") for layer in (1, 2)]
    return {
        **head(study, kind),
        **measured(weighted_sum(study, "chopped_change", {kind: 1.0}), "change", "chopped"),
        "nll": weighted_sum(study, "whole_nll", {kind: 1.0}).value,
        **{name: weighted_sum(study, name, {kind: 1.0}).value for name in counts},
        **stated_range(study, "chopped_change", kind, "chopped"),
    }


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table with the units and the change."""
    cells = key_cells(rows)
    cells += [
        (Column("units"), lambda row: units(row.units_1, row.units_2)),
        (Column("removed"), lambda row: units(row.removed_1, row.removed_2)),
    ]
    cells += value_cells(rows, "change", "change in nll", 4, sign=True) + stated_cells(rows)
    title = f"{rows.dataset.iloc[0]}: nll without the inactive units minus nll of the whole model"
    return [table(title, comparison_lines(models, stated_consequence(rows), ["chopped"]), rows, cells, _notes(rows))]


def _notes(rows: pd.DataFrame) -> list[str]:
    if rows.change.isna().all():
        return []
    return [
        f"nll: mean of -L_{listed(rows.samples.dropna())} over {listed(rows.images.dropna())} test images, in nats per "
        "image. The change is positive where the whole model is better.",
        f"removed: units with A_u of {ACTIVE} or less (layer 1 + layer 2), which the others are measured without.",
        paired_note(rows, "change"),
        "A change below zero is no contradiction: a unit that tells nothing of the image still adds to the variance of "
        "log w, so without it the bound L_k is tighter. The effect fades as k grows.",
        *extreme_note(rows, "change", "Largest change", 4),
    ]
