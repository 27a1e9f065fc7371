"""The paper's numbers (Burda, Grosse & Salakhutdinov, arXiv 1509.00519 v4), read from ``reference.csv``."""

from functools import cache
from importlib.resources import files

import pandas as pd

_TYPES = {"active_1": "Int64", "active_2": "Int64"}


@cache
def _table() -> pd.DataFrame:
    with (files(__package__) / "reference.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=_TYPES)


def paper() -> pd.DataFrame:
    """The paper's results: a row for each dataset, layers, k and objective.

    Returns:
        Columns dataset, layers, k, objective, nll (nats per test image), active_1 and active_2 (active units of each
        stochastic layer; active_2 is empty for one layer) and source (the paper's table).
    """
    return _table().copy()


def paper_row(dataset: str, layers: int, k: int, objective: str) -> pd.Series | None:
    """The paper's row for one model, or None where the paper has none."""
    table = _table()
    rows = table[
        (table.dataset == dataset) & (table.layers == layers) & (table.k == k) & (table.objective == objective)
    ]
    return None if rows.empty else rows.iloc[0]
