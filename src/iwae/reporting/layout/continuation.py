"""Table 2 for people."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.formats import Column, Table
from iwae.reporting.layout.cells import (
    NO_VALUES,
    ORIENTATION,
    Cells,
    active_note,
    grouped,
    number,
    paired_note,
    seeds_note,
    signed,
    table,
    units,
    value_cells,
)
from iwae.reporting.spread import chosen_units
from iwae.reporting.statements import PAPER, comparison_lines, likelihood_line, passes
from iwae.reporting.study import Model, StudyResults


def table2_tables(frame: pd.DataFrame, study: StudyResults) -> list[Table]:
    """`continuation.table2` laid out: a table for each data set."""
    tables = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        models = [model for model in study.models if model.spec.origin is not None and model.spec.dataset == dataset]
        lead = comparison_lines(models, ORIENTATION if rows.paper_nll.notna().any() else NO_VALUES)
        title = f"Table 2: {dataset}, models continued with another objective"
        tables.append(table(title, lead, rows, _cells(rows), _notes(rows, models)))
    return tables


def _cells(rows: pd.DataFrame) -> Cells:
    cells: Cells = []
    if rows.stages.nunique() > 1:
        cells.append((Column("stages"), lambda row: f"{row.stages} of {PAPER.stages}"))
    cells.append((Column("trained as", text=True), lambda row: f"{row.first_objective.upper()} k={row.first_k}"))
    cells += grouped(_stage(rows, "first_"), "first stage")
    cells.append((Column("continued as", text=True), lambda row: f"{row.objective.upper()} k={row.k}"))
    cells += grouped(_stage(rows, ""), "second stage")
    if rows.comparable.any():
        cells.append((Column("difference", "second stage"), lambda row: signed(row.difference)))
    change = value_cells(rows, "change", "nll", 3, sign=True)
    if rows.paper_change.notna().any():
        change.append((Column("paper's nll", paper=True), lambda row: signed(row.paper_change)))
    change.append((Column("active"), lambda row: signed(row.active_change, 1)))
    if rows.paper_change.notna().any():
        change.append((Column("paper's active", paper=True), lambda row: signed(row.paper_active_change, 0)))
    return cells + grouped(change, "change")


def _stage(rows: pd.DataFrame, prefix: str) -> Cells:
    """The nll and active units after one stage, beside the paper's."""
    variant, known = rows.activity_variant.iloc[0], rows[f"paper_{prefix}nll"].notna().any()
    cells = value_cells(rows, f"{prefix}nll", "nll")
    if known:
        cells.append((Column("paper's nll", paper=True), lambda row: number(row[f"paper_{prefix}nll"])))
    cells.append((Column("active"), lambda row: units(chosen_units(row, variant, prefix)[0])))
    if known:
        cells.append((Column("paper's active", paper=True), lambda row: units(row[f"paper_{prefix}active"])))
    return cells


def _notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
    repeated = sorted({passes(stages) - passes(stages - 1) for stages in rows.stages})
    notes = [
        "The first stage is a model of the grid. The second goes on from it as named there, for as many passes as "
        f"the last stage of the schedule, {' or '.join(map(str, repeated))}.",
        likelihood_line(models),
        f"se_images of nll: standard error over test images.{seeds_note(rows)}",
        "change: second stage minus first, in nats and in active units; negative nll where continuing helped.",
        f"Of the change, {paired_note(rows, 'change_sd_seeds')}",
        active_note(rows, models),
    ]
    if rows.comparable.any():
        notes.insert(3, "difference: nll after the second stage minus the paper's, in nats.")
    return notes
