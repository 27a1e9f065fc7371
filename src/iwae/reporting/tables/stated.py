"""What the paper's text states of all models, in tables that show it beside ours: a range, or a bound."""

from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.reference import paper_range
from iwae.reporting.statements import NO_VALUES, ORIENTATION, departures
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.cells import Columns, Part, papers
from iwae.reporting.tables.formats import Column


def columns(quantity: str) -> Columns:
    """Columns comparable, paper_low and paper_high: what the paper states of a quantity."""
    section = QUANTITIES[quantity].section

    def found(study: StudyResults, kind: Kind) -> dict[str, Any]:
        paper, models = paper_range(quantity, kind.dataset), study.of_kinds([kind], section)
        return {
            "comparable": paper is not None and bool(models) and not any(departures(one, section) for one in models),
            "paper_low": np.nan if paper is None else paper.low,
            "paper_high": np.nan if paper is None else paper.high,
        }

    return found


def consequence(part: Part) -> str:
    """What a departure means for the reader."""
    return ORIENTATION if part.known("paper_high") else NO_VALUES


def shown(part: Part) -> list[Column]:
    """The column of the range that the paper gives, if it does."""
    return [papers("", _range)] if part.known("paper_high") else []


def _range(row: pd.Series) -> str:
    if pd.isna(row.paper_low):
        return f"below {row.paper_high:.2f}"
    if row.paper_low == row.paper_high:
        return f"about {row.paper_high:g}"
    return f"{row.paper_low:.2f} to {row.paper_high:.2f}"
