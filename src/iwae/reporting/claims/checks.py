"""Rules of identities: theorems, equalities or inequalities, that a model's files satisfy or do not.

Every model satisfies them, one with random weights too: they tell of its evaluation, nothing of its training. A
function gives the check of one model, None where the identity is not about it.
"""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from iwae.reporting.study import Model

_CLEAR = 3.0  # standard errors over images
ROUNDING = 1e-6  # nats: of means that were summed in another order


class Check(NamedTuple):
    """Whether a model satisfies an identity, None where its files do not tell; what was found, and in which file."""

    model: Model
    holds: bool | None
    shown: str
    file: str = "likelihood.csv"


def bound_rises(model: Model) -> Check:
    """L_k along the curve of the test images."""
    curve = _curve(model)
    steps = curve.bound.diff().iloc[1:]
    if steps.empty:
        return Check(model, None, "measured at one k only")
    worst = steps.idxmin()
    shown = f"smallest step {steps[worst]:+.4f} nats, to k = {curve.k[worst]}; L_{curve.k.iloc[-1]} - L_"
    shown += f"{curve.k.iloc[0]} = {curve.bound.iloc[-1] - curve.bound.iloc[0]:.2f} nats"
    return Check(model, bool(steps[worst] >= -ROUNDING), shown)


def deviation_bounded(model: Model) -> Check:
    """The mean absolute deviation against 2 + 2 (L_S - L_k), S the largest k measured."""
    curve = _curve(model)
    known = curve.deviation.notna() if "deviation" in curve else pd.Series(False, curve.index)
    if not known.any():
        return Check(model, None, "the deviation was not measured")
    limit = 2 + 2 * (curve.bound.iloc[-1] - curve.bound)
    worst = (curve.deviation / limit)[known].idxmax()
    shown = f"largest at k = {curve.k[worst]}: {curve.deviation[worst]:.3f} nats of at most {limit[worst]:.3f}"
    return Check(model, bool((curve.deviation <= limit)[known].all()), shown)


def picked_above(model: Model) -> Check | None:
    """The lower bound of the ELBO of q_EW against L_k, paired over images, at each k > 1."""
    if "implicit" not in model.manifest:
        return None
    table = model.table("implicit")
    above = (table.lower - table.importance)[table.k > 1].groupby(table.k).agg(["mean", "sem"])
    if above.empty:
        return Check(model, None, "measured at k = 1 only", "implicit.csv")
    clear = above["mean"] - _CLEAR * above["sem"]
    k = clear.idxmin()
    shown = f"least clear at k = {k}: {above['mean'][k]:+.3f} ± {above['sem'][k]:.3f} nats above L_{k}"
    refuted = bool((above["mean"] + _CLEAR * above["sem"] < 0).any())
    return Check(model, False if refuted else True if clear[k] > 0 else None, shown, "implicit.csv")


CHECKS: dict[str, Callable[[Model], Check | None]] = {
    check.__name__: check for check in (bound_rises, deviation_bounded, picked_above)
}


def _curve(model: Model) -> pd.DataFrame:
    table = model.table("likelihood")
    return table[table.split == "test"].sort_values("k").reset_index(drop=True)
