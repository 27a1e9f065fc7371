"""Test against training images, and nll without the inactive units, for people."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.formats import Column, Table
from iwae.reporting.layout.cells import (
    NO_VALUES,
    ORIENTATION,
    Cells,
    cell,
    grouped,
    key_cells,
    paired_note,
    seeds_note,
    table,
    units,
    value_cells,
)
from iwae.reporting.statements import comparison_lines, counted, likelihood_line
from iwae.reporting.study import Model, StudyResults
from iwae.study.settings import ACTIVE


def generalization_tables(frame: pd.DataFrame, study: StudyResults) -> list[Table]:
    """`gaps.generalization` laid out: a table for each data set."""
    return [
        table(
            f"{dataset}: nll of test images minus nll of training images",
            comparison_lines(models, _consequence(rows)),
            rows,
            _gap_cells(rows),
            _gap_notes(rows, models),
        )
        for dataset, rows, models in _by_dataset(frame, study.grid.models)
    ]


def _gap_cells(rows: pd.DataFrame) -> Cells:
    train: Cells = [(Column("nll"), cell("nll_train", 2)), (Column("se_images"), cell("nll_train_se_images", 2))]
    test: Cells = [(Column("nll"), cell("nll", 2)), (Column("se_images"), cell("se_images", 2))]
    gap = value_cells(rows, "gap", "difference", sign=True)
    return key_cells(rows) + grouped(test, "test") + grouped(train, "training") + gap + _paper(rows)


def _gap_notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
    counts = " or ".join(map(str, sorted(set(rows.train_images))))
    notes = [
        likelihood_line(models),
        f"The training images are {counts} of those that the models were trained on.",
        "se_images: standard error over images; the two sets are independent, so the squares of their errors add up."
        f"{seeds_note(rows, 'gap_sd_seeds')}",
        "All models are measured on the same images, so the error over images is one, and moves all rows together.",
    ]
    if rows.paper_low.notna().any():
        notes.append("paper's: what the text, or the authors' README, says of the differences of all models.")
    return notes


def inactive_tables(frame: pd.DataFrame, study: StudyResults) -> list[Table]:
    """`gaps.inactive` laid out: a table for each data set."""
    measured = [model for model in study.grid.models if "chopped" in model.manifest]
    return [
        table(
            f"{dataset}: nll without the inactive units minus nll of the whole model",
            comparison_lines(models, _consequence(rows), "chopped"),
            rows,
            _change_cells(rows),
            _change_notes(rows),
        )
        for dataset, rows, models in _by_dataset(frame, measured)
    ]


def _change_cells(rows: pd.DataFrame) -> Cells:
    cells = key_cells(rows)
    cells += [
        (Column("units"), lambda row: units(row.units_1, row.units_2)),
        (Column("removed"), lambda row: units(row.removed_1, row.removed_2)),
    ]
    return cells + value_cells(rows, "change", "change in nll", 4, sign=True) + _paper(rows)


def _change_notes(rows: pd.DataFrame) -> list[str]:
    samples, images = (" or ".join(map(str, sorted(set(rows[name])))) for name in ("samples", "images"))
    row = rows.loc[rows.change.abs().idxmax()]
    return [
        f"nll: mean of -L_{samples} over {images} test images, in nats per image. The change is positive where the "
        "whole model is better.",
        f"removed: units with A_u of {ACTIVE} or less (layer 1 + layer 2), which the others are measured without.",
        paired_note(rows, "change_sd_seeds"),
        "A change below zero is no contradiction: a unit that tells nothing of the image still adds to the variance of "
        "log w, so without it the bound L_k is tighter. The effect fades as k grows.",
        f"Largest change: {row.change:+.4f} nats ({row.objective.upper()} k = {row.k}, "
        f"{counted(row.layers, 'layer')}).",
    ]


def _by_dataset(frame: pd.DataFrame, models: Sequence[Model]) -> list[tuple[str, pd.DataFrame, list[Model]]]:
    return [
        (dataset, rows, [model for model in models if model.spec.dataset == dataset])
        for dataset, rows in frame.groupby("dataset", sort=False)
    ]


def _consequence(rows: pd.DataFrame) -> str:
    return ORIENTATION if rows.paper_high.notna().any() else NO_VALUES


def _paper(rows: pd.DataFrame) -> Cells:
    """The column of the range that the paper gives, if it does."""
    return [(Column("paper's", paper=True), _range)] if rows.paper_high.notna().any() else []


def _range(row: pd.Series) -> str:
    if pd.isna(row.paper_low):
        return f"below {row.paper_high:.2f}"
    if row.paper_low == row.paper_high:
        return f"about {row.paper_high:g}"
    return f"{row.paper_low:.2f} to {row.paper_high:.2f}"
