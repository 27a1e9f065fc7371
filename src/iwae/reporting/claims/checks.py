"""Rules of identities: theorems, equalities or inequalities, that a model's files satisfy or do not.

Every model satisfies them, one with random weights too: they tell of its evaluation, nothing of its training.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from iwae.reporting.claims.claims import Claim
from iwae.reporting.claims.evidence import Evidence
from iwae.reporting.study import Model

_CLEAR = 3.0  # standard errors over images
ROUNDING = 1e-6  # nats: of means that were summed in another order


@dataclass(frozen=True)
class Check:
    """Whether one model satisfies an identity.

    Attributes:
        model: The model.
        holds: Whether it does; None where the files do not tell.
        shown: What was found, in a few words.
        file: The file of the model's folder that tells.
    """

    model: Model
    holds: bool | None
    shown: str
    file: str = "likelihood.csv"


def bound_rises(evidence: Evidence, claim: Claim) -> Iterator[Check]:
    """L_k along the curve of the test images."""
    for model in _models(evidence, claim):
        curve = _curve(model)
        steps = curve.bound.diff().iloc[1:]
        if steps.empty:
            yield Check(model, None, "measured at one k only")
            continue
        worst = steps.idxmin()
        shown = f"smallest step {steps[worst]:+.4f} nats, to k = {curve.k[worst]}; L_{curve.k.iloc[-1]} - L_"
        shown += f"{curve.k.iloc[0]} = {curve.bound.iloc[-1] - curve.bound.iloc[0]:.2f} nats"
        yield Check(model, bool(steps[worst] >= -ROUNDING), shown)


def deviation_bounded(evidence: Evidence, claim: Claim) -> Iterator[Check]:
    """The mean absolute deviation against 2 + 2 (L_S - L_k), S the largest k measured."""
    for model in _models(evidence, claim):
        curve = _curve(model)
        known = curve.deviation.notna() if "deviation" in curve else pd.Series(False, curve.index)
        if not known.any():
            yield Check(model, None, "the deviation was not measured")
            continue
        limit = 2 + 2 * (curve.bound.iloc[-1] - curve.bound)
        worst = (curve.deviation / limit)[known].idxmax()
        shown = f"largest at k = {curve.k[worst]}: {curve.deviation[worst]:.3f} nats of at most {limit[worst]:.3f}"
        yield Check(model, bool((curve.deviation <= limit)[known].all()), shown)


def picked_above(evidence: Evidence, claim: Claim) -> Iterator[Check]:
    """The lower bound of the ELBO of q_EW against L_k, paired over images, at each k > 1 of the models that have it."""
    for model in _models(evidence, claim):
        if "implicit" not in model.manifest:
            continue
        table = model.table("implicit")
        above = (table.lower - table.importance)[table.k > 1].groupby(table.k).agg(["mean", "sem"])
        if above.empty:
            yield Check(model, None, "measured at k = 1 only", "implicit.csv")
            continue
        clear = above["mean"] - _CLEAR * above["sem"]
        k = clear.idxmin()
        shown = f"least clear at k = {k}: {above['mean'][k]:+.3f} ± {above['sem'][k]:.3f} nats above L_{k}"
        refuted = bool((above["mean"] + _CLEAR * above["sem"] < 0).any())
        yield Check(model, False if refuted else True if clear[k] > 0 else None, shown, "implicit.csv")


CHECKS: dict[str, Callable[[Evidence, Claim], Iterator[Check]]] = {
    check.__name__: check for check in (bound_rises, deviation_bounded, picked_above)
}


def _models(evidence: Evidence, claim: Claim) -> list[Model]:
    return [model for model in evidence.study.models if model.spec.dataset == claim.dataset]


def _curve(model: Model) -> pd.DataFrame:
    table = model.table("likelihood")
    return table[table.split == "test"].sort_values("k").reset_index(drop=True)
