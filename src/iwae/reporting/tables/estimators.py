"""Estimators of the gradient: what each is worth in nll and active units."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part
from iwae.reporting.tables.formats import Table
from iwae.reporting.tables.variations import variation_rows, variation_table
from iwae.study.registry import ESTIMATORS


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and ``estimator``, the standard one among them."""
    return variation_rows(study, kinds, _estimator)


def _estimator(study: StudyResults, kind: Kind) -> dict[str, Any]:
    return {"estimator": ESTIMATORS[kind.spec.estimator].label}


def lay_out(part: Part) -> list[Table]:
    """A table with a line for each estimator."""
    named = [*cells.keys(part.rows), *cells.words("estimator")]
    base, remark = "by the standard estimator", "negative where the other estimator is better"
    return [variation_table(part, "nll by estimator of the gradient", named, base, remark)]
