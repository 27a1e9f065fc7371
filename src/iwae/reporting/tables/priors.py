"""Priors: what p(z) of the top layer is worth in nll, active units and terms of the ELBO, all else alike."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.statements import NO_VALUES, comparison_lines, likelihood_line
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import (
    OWN,
    active_cells,
    active_note,
    active_units,
    by_objective,
    difference,
    head,
    key_cells,
    nll,
    number,
    own_note,
    paired_note,
    seeds_note,
    several_cells,
    table,
    value_cells,
)
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.study.registry import ARCHITECTURES, PRIORS, prior_label
from iwae.study.specification import ModelSpec

TERMS = ("reconstruction", "index_gap", "marginal_kl")
_NETWORKS = {"": "the paper's"} | {name: entry.label for name, entry in ARCHITECTURES.items()}


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and prior, N(0, I) among them.

    ``variant``: a departure from the study's protocol; N(0, I), from which the difference is, has the same.
    ``difference``: nll minus that of the same model with N(0, I), paired over images; ``shorter_difference``: the same
    of models trained for ``shorter_passes``, where the study has such. ``reconstruction``, ``index_gap`` and
    ``marginal_kl``: of the ELBO surgery, in nats per training image.
    """
    bases = [without_prior(kind) for kind in kinds]
    every = [kind for kind in study.kinds(lambda spec: True) if kind in kinds or kind in bases]
    frame = pd.DataFrame(_row(study, kind) for kind in every)
    order = {name: place for place, name in enumerate(dict.fromkeys(frame.prior))}
    frame["place"] = frame.prior.map(order).where(frame.prior != PRIORS["standard"].label, -1)
    keys = ["dataset", "layers", "networks", "k", "objective", "variant", "place"]
    return by_objective(frame, keys).drop(columns="place")


def without_prior(kind: Kind) -> Kind:
    """The same kind of model with N(0, I)."""
    return kind._replace(variation="-".join(part for part in kind.variation.split("-") if part != kind.spec.prior))


def networks(spec: ModelSpec) -> str:
    """A model's networks, in words."""
    return _NETWORKS[spec.architecture or ""] + (f", {spec.latents} latent units" if spec.latents else "")


def _row(study: StudyResults, kind: Kind) -> dict[str, Any]:
    spec, base = kind.spec, without_prior(kind)
    terms = (weighted_sum(study, term, {kind: 1.0}).columns(term) for term in TERMS)
    return {
        **head(study, kind),
        "networks": networks(spec),
        "prior": prior_label(spec.prior),
        "variant": spec.variant or "",
        **nll(study, kind),
        **difference(study, kind, base if base != kind else None),
        **_shorter(study, kind, base),
        **active_units(study, kind),
        **{name: value for columns in terms for name, value in columns.items()},
    }


def _shorter(study: StudyResults, kind: Kind, base: Kind) -> dict[str, Any]:
    """The difference between models that were trained for the fewest passes, and how many; unknown without such."""
    parts = {other.spec.passes: other for other in study.by_kind if other.spec.passes}
    pairs = {passes: [_cut(one, passes) for one in (kind, base)] for passes in sorted(parts) if base != kind}
    found = {passes: pair for passes, pair in pairs.items() if set(pair) <= set(study.by_kind)}
    passes = min(found, default=pd.NA)
    pair = found.get(passes, [kind, None]) if found else [kind, None]
    return {"shorter_passes": passes, **difference(study, *pair, "shorter_difference")}


def _cut(kind: Kind, passes: int) -> Kind:
    return kind._replace(variation="-".join(filter(None, (kind.variation, f"p{passes}"))))


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """Two tables: nll and its difference from N(0, I), and what the ELBO is made of."""
    dataset, lead = rows.dataset.iloc[0], comparison_lines(models, NO_VALUES)
    key = key_cells(rows)
    key += [*several_cells(rows, "networks"), (Column("prior", text=True), lambda row: row.prior)]
    if rows.variant.any():
        key.append((Column("protocol", text=True), lambda row: row.variant or OWN))
    values = value_cells(rows, "nll", "nll") + value_cells(rows, "difference", "difference", 3, sign=True)
    if rows.shorter_difference.notna().any():
        passes = int(rows.shorter_passes.min())
        values += value_cells(rows, "shorter_difference", f"after {passes} passes", 3, sign=True)
    measured = [model for model in study.of_kinds([Kind(*name) for name in _kinds(rows)], "likelihood")]
    first = table(f"{dataset}: priors", lead, rows, [*key, *values, *active_cells(rows)], _notes(rows, study, measured))
    terms = [(Column(term), lambda row, term=term: number(row[term])) for term in TERMS]
    return [first, table(f"{dataset}: priors, terms of the ELBO", lead, rows, [*key, *terms], _TERM_NOTES)]


def _kinds(rows: pd.DataFrame) -> list[tuple]:
    return list(rows[list(Kind._fields)].itertuples(index=False, name=None))


_TERM_NOTES = [
    "In nats per training image (ELBO surgery): marginal_kl = KL(q(z) || p(z)), what p(z) could gain at most; "
    f"index_gap = log N - I(n; z). Means over seeds; {EMPTY}: not measured."
]


def _notes(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[str]:
    if not models:
        return []
    shorter = [
        "after ... passes: the difference between models that were trained for so many passes alone. Where it has "
        "another sign, training was too short to tell."
    ] * bool(rows.shorter_difference.notna().any())
    return [
        likelihood_line(models),
        f"se_images of nll: standard error over test images.{seeds_note(rows)}",
        "difference: nll minus that of the same model with N(0, I)"
        f"{', of the same protocol' if rows.variant.any() else ''}, in nats; negative where the prior is better.",
        paired_note(rows, "difference"),
        *shorter,
        *own_note(rows, study),
        *active_note(study, models),
    ]
