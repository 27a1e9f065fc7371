"""Priors: what p(z) of the top layer is worth in nll, active units and terms of the ELBO, all else alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import WeightedSum
from iwae.reporting.statements import NO_VALUES
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells, notes
from iwae.reporting.tables.cells import NLL, Part, Sum
from iwae.reporting.tables.formats import EMPTY, Table
from iwae.study.registry import ARCHITECTURES, PRIORS, prior_label
from iwae.study.specification import ModelSpec

TERMS = ("reconstruction", "index_gap", "marginal_kl")
_NETWORKS = {"": "the paper's"} | {name: entry.label for name, entry in ARCHITECTURES.items()}


def without_prior(kind: Kind) -> Kind:
    """The same kind of model with N(0, I)."""
    return kind.without(kind.prior)


DIFFERENCE = Sum("difference", "difference", "nll", without_prior, digits=3, sign=True)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and prior, N(0, I) among them.

    ``variant``: a departure from the study's protocol; N(0, I), from which the difference is, has the same.
    ``difference``: nll minus that of the same model with N(0, I), paired over images; ``shorter_difference``: the same
    of models trained for ``shorter_passes``, where the study has such. ``reconstruction``, ``index_gap`` and
    ``marginal_kl``: of the ELBO surgery, in nats per training image.
    """
    wanted = {*kinds, *map(without_prior, kinds)}
    every = [kind for kind in study.kinds() if kind in wanted]
    frame = cells.frame(study, every, named, NLL.sampled, DIFFERENCE, _shorter, cells.active_units, *map(Sum, TERMS))
    frame["place"] = pd.Series(pd.factorize(frame.prior)[0]).where(frame.prior != PRIORS["standard"].label, -1)
    keys = ["dataset", "layers", "networks", "k", "objective", "variant", "place"]
    return cells.by_objective(frame, keys).drop(columns="place")


def networks(spec: ModelSpec) -> str:
    """A model's networks, in words."""
    return _NETWORKS[spec.architecture or ""] + (f", {spec.latents} latent units" if spec.latents else "")


def named(study: StudyResults, kind: Kind) -> dict[str, str]:
    """Columns that tell of a model's networks, its prior and its departure from the study's protocol."""
    return {"networks": networks(kind), "prior": prior_label(kind.prior), "variant": kind.variant or ""}


def _shorter(study: StudyResults, kind: Kind) -> dict[str, Any]:
    """The difference between models that were trained for the fewest passes, and how many; unknown without such."""
    base, shorter = without_prior(kind), Sum("shorter_difference", quantity="nll", minus=without_prior)
    cut = study.shorter(kind) if base != kind else {}
    if both := cut.keys() & study.shorter(base).keys():
        return {"shorter_passes": min(both), **shorter(study, cut[min(both)])}
    return {"shorter_passes": pd.NA, **WeightedSum().columns("shorter_difference")}


def lay_out(part: Part) -> list[Table]:
    """Two tables: nll and its difference from N(0, I), and what the ELBO is made of."""
    rows = part.rows
    part = replace(part, measured=part.study.of_kinds(part.kinds, "likelihood"))
    names = [*cells.keys(rows), *cells.several(rows, "networks"), *cells.words("prior")]
    if rows.variant.any():
        names.append(cells.PROTOCOL)
    values = [NLL.shown(rows), DIFFERENCE.shown(rows)]
    if part.known("shorter_difference"):
        label = f"after {int(rows.shorter_passes.min())} passes"
        values.append(Sum("shorter_difference", label, digits=3, sign=True).shown(rows))
    terms = [cells.value(name, name) for name in TERMS]
    note = (
        "In nats per training image (ELBO surgery): marginal_kl = KL(q(z) || p(z)), what p(z) could gain at most; "
        f"index_gap = log N - I(n; z). Means over seeds; {EMPTY}: not measured."
    )
    return [
        part.table("{}: priors", [*names, *values, cells.active(rows)], _notes(part), NO_VALUES),
        part.table("{}: priors, terms of the ELBO", [*names, *terms], [note], NO_VALUES),
    ]


def _notes(part: Part) -> list[str]:
    shorter = (
        "after ... passes: the difference between models that were trained for so many passes alone. Where it has "
        "another sign, training was too short to tell."
    )
    base = f"that of the same model with N(0, I){', of the same protocol' if part.rows.variant.any() else ''}"
    return [
        *notes.difference_notes(part, base, "negative where the prior is better"),
        *([shorter] if part.known("shorter_difference") else []),
        *notes.own_note(part),
        *notes.active_note(part),
    ]
