"""Protocols: what each choice of the protocol is worth in nll."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.statements import protocol_changes
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import OWN, Part
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.reporting.tables.priors import networks
from iwae.reporting.tables.variations import base_of, variation_rows, variation_table
from iwae.study.registry import prior_label

MANY = 2  # changed fields: more are listed below the table


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and protocol.

    ``variant``: what was varied, the name of a preset or of one field; empty for the study's own protocol.
    ``changed``: each field of the protocol that differs from the study's own, with both values. ``networks`` and
    ``prior``: what the models with and without have in common.
    """
    return variation_rows(study, kinds, _changed)


def _changed(study: StudyResults, kind: Kind) -> dict[str, Any]:
    models, bases = (study.of_kinds([one]) for one in (kind, base_of(kind)))
    changes = protocol_changes(bases[0], models[0]) if models and bases else []
    words = {"networks": networks(kind.spec), "prior": prior_label(kind.spec.prior)}
    return {**words, "variant": kind.spec.variant or "", "changed": "; ".join(changes)}


def lay_out(part: Part) -> list[Table]:
    """A table with a line for each protocol."""
    rows = part.rows
    long = rows[rows.changed.str.count("; ") >= MANY].drop_duplicates(["variant", "changed"])
    notes = [*cells.own_note(part), *(f"{row.variant}: {row.changed}." for _, row in long.iterrows())]
    named = [
        *cells.keys(rows),
        *cells.several(rows, "networks", "prior"),
        Column("protocol", lambda row: row.variant or OWN, text=True),
        Column("changed", _changed_cell, text=True),
    ]
    base, remark = "under the study's own protocol", "positive where the change costs nats"
    return [variation_table(part, "nll under other protocols", named, base, remark, notes)]


def _changed_cell(row: pd.Series) -> str:
    fields = row.changed.split("; ") if row.changed else []
    return f"{len(fields)} fields, listed below" if len(fields) > MANY else row.changed or EMPTY
