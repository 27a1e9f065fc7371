"""What nll loses with the inactive units."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.statements import listed
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells, stated
from iwae.reporting.tables.cells import Part, Sum
from iwae.reporting.tables.formats import Column, Table
from iwae.study.settings import ACTIVE

CHANGE = Sum("change", "change in nll", "chopped_change", digits=4, sign=True)
_MEANS = {"nll": "whole_nll"} | {name: name for name in ("removed_1", "removed_2", "units_1", "units_2")}


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model: nll of the whole model, and ``change``, nll without the inactive units minus it.

    The change is paired over images and with the same samples of the units that are kept. ``removed``, ``units``: how
    many units of each layer were removed, and there were. ``paper_high``: the paper's bound on the size of the change.
    """

    def means(study: StudyResults, kind: Kind) -> dict[str, float]:
        return {name: weighted_sum(study, quantity, {kind: 1.0}).value for name, quantity in _MEANS.items()}

    return cells.frame(study, kinds, CHANGE.sampled, means, stated.columns("chopped_change"))


def lay_out(part: Part) -> list[Table]:
    """A table with the units and the change."""
    part = part.ordered()
    shown = [
        *cells.keys(part.rows),
        Column("units", lambda row: cells.units(row.units_1, row.units_2)),
        Column("removed", lambda row: cells.units(row.removed_1, row.removed_2)),
        CHANGE.shown(part.rows),
        *stated.shown(part),
    ]
    title = "{}: nll without the inactive units minus nll of the whole model"
    return [part.table(title, shown, _notes, stated.consequence(part), sections=["chopped"])]


def _notes(part: Part) -> list[str]:
    rows = part.rows
    return [
        f"nll: mean of -L_{listed(rows.samples.dropna())} over {listed(rows.images.dropna())} test images, in nats per "
        "image. The change is positive where the whole model is better.",
        f"removed: units with A_u of {ACTIVE} or less (layer 1 + layer 2), which the others are measured without.",
        cells.paired_note(rows, "change"),
        "A change below zero is no contradiction: a unit that tells nothing of the image still adds to the variance of "
        "log w, so without it the bound L_k is tighter. The effect fades as k grows.",
        *cells.extreme_note(rows, "change", "Largest change", 4),
    ]
