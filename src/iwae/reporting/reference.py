"""The paper's numbers (Burda, Grosse & Salakhutdinov, arXiv 1509.00519 v4).

Its tables are read from ``reference.csv``, the ranges that its text gives from ``ranges.csv``.
"""

from functools import cache
from importlib.resources import files

import pandas as pd

from iwae.reporting.study import Kind

_MODEL = ["dataset", "layers", "k", "objective", "variation"]


@cache
def _read(name: str) -> pd.DataFrame:
    with (files(__package__) / name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


def paper() -> pd.DataFrame:
    """The paper's results: a row for each dataset, layers, k, objective and variation.

    Returns:
        Columns dataset, layers, k, objective, variation (empty but for the continued models of Table 2), nll (nats per
        test image), active_1 and active_2 (active units of each stochastic layer; NaN for a second one that there is
        not) and source (the paper's table).
    """
    return _read("reference.csv").fillna({"variation": ""})


@cache
def paper_row(kind: Kind) -> pd.Series:
    """The paper's row for one kind of model; where the paper has none, nll, active_1 and active_2 are NaN."""
    return paper().set_index(_MODEL).reindex([tuple(getattr(kind, name) for name in _MODEL)]).iloc[0]


def paper_range(quantity: str, dataset: str) -> pd.Series:
    """What the text says of ``generalization_gap`` or ``chopped_change`` of all models, in nats: low and high.

    low is NaN for a bound, both are where the text says nothing; where they are equal it says "about".
    """
    return _read("ranges.csv").set_index(["quantity", "dataset"]).reindex([(quantity, dataset)]).iloc[0]


def paper_kinds(dataset: str) -> dict[Kind, str]:
    """The kinds of models that the paper has numbers for, each with the table they stand in.

    At k = 1 the two objectives are one kind. For a data set of our own they are those of MNIST's grid.
    """
    table = paper()
    rows = table[table.dataset == dataset]
    if rows.empty:
        rows = table[(table.dataset == "mnist") & (table.variation == "")]
    return {
        Kind(dataset, row.layers, "vae" if row.k == 1 else row.objective, row.k, 0, row.variation): row.source
        for row in rows.itertuples()
    }
