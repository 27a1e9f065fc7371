"""The paper's numbers (Burda, Grosse & Salakhutdinov, arXiv 1509.00519 v4).

Its tables are read from ``reference.csv``, the ranges that its text gives from ``ranges.csv``.
"""

from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

_TYPES = {"active_1": "Int64", "active_2": "Int64"}


@cache
def _read(name: str) -> pd.DataFrame:
    with (files(__package__) / name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


@cache
def _table() -> pd.DataFrame:
    return _read("reference.csv").astype(_TYPES).fillna({"variation": ""})


def paper() -> pd.DataFrame:
    """The paper's results: a row for each dataset, layers, k, objective and variation.

    Returns:
        Columns dataset, layers, k, objective, variation (empty but for the continued models of Table 2), nll (nats per
        test image), active_1 and active_2 (active units of each stochastic layer; active_2 is empty for one layer) and
        source (the paper's table).
    """
    return _table().copy()


@cache
def paper_row(dataset: str, layers: int, k: int, objective: str, variation: str = "") -> pd.Series:
    """The paper's row for one model; where the paper has none, nll, active_1 and active_2 are NaN."""
    table = _table()
    keys = {"dataset": dataset, "layers": layers, "k": k, "objective": objective, "variation": variation}
    rows = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]
    return pd.Series({"nll": np.nan, "active_1": np.nan, "active_2": np.nan}) if rows.empty else rows.iloc[0]


def paper_range(quantity: str, dataset: str) -> pd.Series:
    """What the text says of ``generalization_gap`` or ``chopped_change`` of all models, in nats: low and high.

    low is NaN for a bound, both are where the text says nothing; where they are equal it says "about".
    """
    table = _read("ranges.csv")
    rows = table[(table["quantity"] == quantity) & (table["dataset"] == dataset)]
    return pd.Series({"low": np.nan, "high": np.nan}) if rows.empty else rows.iloc[0]
