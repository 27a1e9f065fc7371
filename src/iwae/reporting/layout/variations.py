"""Numbers of latent units and protocols, for people."""

from collections.abc import Callable, Sequence

import pandas as pd

from iwae.reporting.contents import TABLES
from iwae.reporting.formats import EMPTY, Column, Table
from iwae.reporting.layout.cells import (
    NO_VALUES,
    Cells,
    active_cell,
    active_note,
    key_cells,
    paired_note,
    seeds_note,
    table,
    value_cells,
)
from iwae.reporting.statements import comparison_lines, likelihood_line, protocols
from iwae.reporting.study import Model, StudyResults
from iwae.reporting.variations import varied

MANY = 2  # changed fields: more are listed below the table


def capacity_tables(frame: pd.DataFrame, study: StudyResults) -> list[Table]:
    """`variations.capacity` laid out: a table for each data set."""

    def notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
        return [
            *_nll_notes(rows, models),
            "difference: nll minus that of the model with the grid's number of latent units, in nats; negative where "
            "it is better.",
            paired_note(rows, "difference_sd_seeds"),
            active_note(rows, models),
        ]

    title = "active units and nll against the number of latent units, one layer"
    return _tables(frame, varied(study, TABLES["capacity"].about), title, _capacity_cells, notes)


def _capacity_cells(rows: pd.DataFrame) -> Cells:
    cells = key_cells(rows, ("objective", "k"))
    cells.append((Column("latent units"), lambda row: str(row.latents)))
    cells.append((Column("active"), active_cell(rows)))
    return cells + value_cells(rows, "nll", "nll") + value_cells(rows, "difference", "difference", 3, sign=True)


def protocols_tables(frame: pd.DataFrame, study: StudyResults) -> list[Table]:
    """`variations.protocols` laid out: a table for each data set."""

    def notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
        own = protocols([model for model in models if not model.spec.variation])
        long = rows[rows.changed.str.count("; ") >= MANY].drop_duplicates(["variant", "changed"])
        return [
            f"own: the study's own protocol, {'; '.join(own)}.",
            *(f"{row.variant}: {row.changed}." for _, row in long.iterrows()),
            *_nll_notes(rows, models),
            "difference: nll minus that under the study's own protocol, in nats; positive where the change costs nats.",
            paired_note(rows, "difference_sd_seeds"),
            active_note(rows, models),
        ]

    title = "nll under other protocols"
    return _tables(frame, varied(study, TABLES["protocols"].about), title, _protocol_cells, notes)


def _protocol_cells(rows: pd.DataFrame) -> Cells:
    cells = key_cells(rows)
    cells += [
        (Column("protocol", text=True), lambda row: row.variant or "own"),
        (Column("changed", text=True), _changed),
    ]
    cells += value_cells(rows, "nll", "nll") + value_cells(rows, "difference", "difference", 3, sign=True)
    return [*cells, (Column("active"), active_cell(rows))]


def _changed(row: pd.Series) -> str:
    fields = row.changed.split("; ") if row.changed else []
    if len(fields) > MANY:
        return f"{len(fields)} fields, listed below"
    return row.changed or EMPTY


def _nll_notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
    return [likelihood_line(models), f"se_images of nll: standard error over test images.{seeds_note(rows)}"]


def _tables(
    frame: pd.DataFrame,
    models: Sequence[Model],
    title: str,
    cells: Callable[[pd.DataFrame], Cells],
    notes: Callable[[pd.DataFrame, Sequence[Model]], list[str]],
) -> list[Table]:
    tables = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        own = [model for model in models if model.spec.dataset == dataset]
        # That a variant's protocol is another is what the table is about.
        lead = comparison_lines([model for model in own if model.spec.variant is None], NO_VALUES)
        tables.append(table(f"{dataset}: {title}", lead, rows, cells(rows), notes(rows, own)))
    return tables
