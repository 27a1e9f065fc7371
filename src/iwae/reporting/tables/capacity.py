"""Numbers of latent units: nll and active units of one-layer models."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import by_objective, key_cells
from iwae.reporting.tables.formats import Column, Table
from iwae.reporting.tables.variations import variation_rows, variation_table
from iwae.study.specification import PAPER_LATENTS


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each objective, k and number of latent units, the grid's number among them."""
    frame = variation_rows(study, kinds, _latents)
    return by_objective(frame, ["dataset", "k", "objective", "latents"])


def _latents(study: StudyResults, kind: Kind) -> dict[str, Any]:
    return {"latents": kind.spec.latents or PAPER_LATENTS}


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table with a line for each number of latent units."""
    cells = [*key_cells(rows, ("objective", "k")), (Column("latent units"), lambda row: str(row.latents))]
    title = "active units and nll against the number of latent units, one layer"
    base = "of the model with the grid's number of latent units"
    return [variation_table(rows, study, title, cells, base, "negative where it is better")]
