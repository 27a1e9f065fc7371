"""Numbers of latent units: nll and active units of one-layer models."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part
from iwae.reporting.tables.formats import Column, Table
from iwae.reporting.tables.variations import variation_rows, variation_table
from iwae.study.specification import PAPER_LATENTS


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each objective, k and number of latent units, the grid's number among them."""
    return cells.by_objective(variation_rows(study, kinds, _latents), ["dataset", "k", "objective", "latents"])


def _latents(study: StudyResults, kind: Kind) -> dict[str, Any]:
    return {"latents": kind.spec.latents or PAPER_LATENTS}


def lay_out(part: Part) -> list[Table]:
    """A table with a line for each number of latent units."""
    named = [*cells.keys(part.rows, ("objective", "k")), Column("latent units", lambda row: str(row.latents))]
    title = "active units and nll against the number of latent units, one layer"
    base = "of the model with the grid's number of latent units"
    return [variation_table(part, title, named, base, "negative where it is better")]
