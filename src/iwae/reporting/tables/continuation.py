"""Table 2: models that were trained on with another objective."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.reference import paper_row
from iwae.reporting.statements import (
    NO_VALUES,
    ORIENTATION,
    comparison_lines,
    counted,
    departures,
    is_cosine,
    likelihood_line,
)
from iwae.reporting.study import Kind, Model, StudyResults, stage_passes
from iwae.reporting.tables.cells import (
    Cells,
    active_cells,
    active_note,
    active_units,
    difference,
    grouped,
    head,
    nll,
    number,
    paired_note,
    seeds_note,
    table,
    units,
    value_cells,
)
from iwae.reporting.tables.formats import Column, Table
from iwae.study.registry import OBJECTIVES

_COUNTS = ("paper_first_active", "paper_active", "paper_active_change")


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of continued model: ``first_`` of the model before, ``change`` after minus before.

    ``comparable``: whether the paper has a value and both models are trained and measured as there.
    """
    return pd.DataFrame(_row(study, kind) for kind in kinds).astype(dict.fromkeys(_COUNTS, "Int64"))


def _row(study: StudyResults, kind: Kind) -> dict[str, Any]:
    first, ours = Kind.of(kind.spec.origin), nll(study, kind)
    models = study.of_kinds([kind, first], "likelihood")
    after, before = (paper_row(**one._asdict()) for one in (kind, first))
    change = difference(study, kind, first, "change")
    comparable = after is not None and not np.isnan(change["change"]) and not any(map(departures, models))
    return {
        **head(study, kind),
        "first_objective": first.objective,
        "first_k": first.k,
        "comparable": comparable,
        **weighted_sum(study, "nll", {first: 1.0}).columns("first_nll"),
        **ours,
        **change,
        **active_units(study, first, "first_"),
        **active_units(study, kind),
        "active_change": weighted_sum(study, "active", {kind: 1.0, first: -1.0}).value,
        "paper_first_nll": np.nan if before is None else before.nll,
        "paper_first_active": pd.NA if before is None else before.active_1,
        "paper_nll": np.nan if after is None else after.nll,
        "paper_active": pd.NA if after is None else after.active_1,
        "paper_change": np.nan if after is None or before is None else after.nll - before.nll,
        "paper_active_change": pd.NA if after is None or before is None else after.active_1 - before.active_1,
        "difference": ours["nll"] - after.nll if comparable else np.nan,
    }


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table with both stages and the change."""
    lead = comparison_lines(models, ORIENTATION if rows.paper_nll.notna().any() else NO_VALUES)
    title = f"Table 2: {rows.dataset.iloc[0]}, models continued with another objective"
    return [table(title, lead, rows, _cells(rows), _notes(rows, study, models))]


def _cells(rows: pd.DataFrame) -> Cells:
    cells: Cells = [(Column("trained as", text=True), lambda row: _words(row.first_objective, row.first_k))]
    cells += grouped(_stage(rows, "first_"), "first stage")
    cells.append((Column("continued as", text=True), lambda row: _words(row.objective, row.k)))
    second = _stage(rows, "")
    if rows.comparable.any():
        second.append((Column("difference"), lambda row: number(row.difference, sign=True)))
    change = value_cells(rows, "change", "nll", 3, sign=True)
    change.append((Column("active"), lambda row: number(row.active_change, 1, sign=True)))
    if rows.paper_change.notna().any():
        change.insert(1, (Column("paper's nll", paper=True), lambda row: number(row.paper_change, sign=True)))
        change.append((Column("paper's active", paper=True), lambda row: number(row.paper_active_change, 0, sign=True)))
    return cells + grouped(second, "second stage") + grouped(change, "change")


def _words(objective: str, k: int) -> str:
    return f"{OBJECTIVES[objective].label} k={k}"


def _stage(rows: pd.DataFrame, prefix: str) -> Cells:
    """The nll and active units after one stage, beside the paper's."""
    cells = value_cells(rows, f"{prefix}nll", "nll") + active_cells(rows, prefix, layers=1)
    if rows[f"paper_{prefix}nll"].notna().any():
        cells.insert(1, (Column("paper's nll", paper=True), lambda row: number(row[f"paper_{prefix}nll"])))
        cells.append((Column("paper's active", paper=True), lambda row: units(row[f"paper_{prefix}active"])))
    return cells


def _notes(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[str]:
    measured = [model for model in models if "likelihood" in model.manifest]
    if not measured:
        return []
    notes = [
        f"The first stage is a model of the grid. The second goes on from it as named there, {_length(models[0])}.",
        likelihood_line(measured),
        f"se_images of nll: standard error over test images.{seeds_note(rows)}",
        "change: second stage minus first, in nats and in active units; negative nll where continuing helped.",
        f"Of the change, {paired_note(rows, 'change')}",
        *active_note(study, models),
    ]
    if rows.comparable.any():
        notes.insert(3, "difference: nll after the second stage minus the paper's, in nats.")
    return notes


def _length(model: Model) -> str:
    settings = model.settings("training")
    if is_cosine(settings):
        return f"for {counted(settings['passes'], 'pass', 'passes')} of a schedule of its own"
    repeated = stage_passes(settings["stages"]) - stage_passes(settings["stages"] - 1)
    return f"for as many passes as the last stage of the schedule, {repeated}"
