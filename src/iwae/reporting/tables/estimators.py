"""Estimators of the gradient: what each is worth in nll and active units."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import key_cells
from iwae.reporting.tables.formats import Column, Table
from iwae.reporting.tables.variations import variation_rows, variation_table
from iwae.study.registry import ESTIMATORS


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and ``estimator``, the standard one among them."""
    return variation_rows(study, kinds, _estimator)


def _estimator(study: StudyResults, kind: Kind) -> dict[str, Any]:
    return {"estimator": ESTIMATORS[kind.spec.estimator].label}


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table with a line for each estimator."""
    cells = [*key_cells(rows), (Column("estimator", text=True), lambda row: row.estimator)]
    base, remark = "by the standard estimator", "negative where the other estimator is better"
    return [variation_table(rows, study, "nll by estimator of the gradient", cells, base, remark)]
