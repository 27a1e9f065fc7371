"""Table 2: models that were trained on with another objective."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.reference import paper_row
from iwae.reporting.statements import NO_VALUES, ORIENTATION, departures, likelihood_line, listed, model_name
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables import cells, notes
from iwae.reporting.tables.cells import NLL, Part, Sum, number, papers
from iwae.reporting.tables.formats import Column, Table
from iwae.study.settings import passes

_COUNTS = ("paper_first_active", "paper_active", "paper_active_change")

FIRST = Sum("first_nll", "nll", "nll")
CHANGE = Sum("change", "nll", "nll", lambda kind: kind.origin, digits=3, sign=True)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of continued model: ``first_`` of the model before, ``change`` after minus before.

    ``comparable``: whether the paper has a value and both models are trained and measured as there.
    """
    return cells.frame(study, kinds, _columns).astype(dict.fromkeys(_COUNTS, "Int64"))


def _columns(study: StudyResults, kind: Kind) -> dict[str, Any]:
    first, ours, change = kind.origin, NLL.sampled(study, kind), CHANGE(study, kind)
    assert first is not None  # of a continued model
    after, before = (paper_row(one.without(f"p{one.passes}")) for one in (kind, first))
    models = study.of_kinds([kind, first], "likelihood")
    comparable = pd.notna(after.nll) and not np.isnan(change["change"]) and not any(map(departures, models))
    return {
        "first_objective": first.objective,
        "first_k": first.k,
        "first_passes": passes(study.training(kind), first),
        "comparable": comparable,
        **FIRST(study, first),
        **ours,
        **change,
        **cells.active_units(study, first, "first_"),
        **cells.active_units(study, kind),
        "active_change": weighted_sum(study, "active", {kind: 1.0, first: -1.0}).value,
        "paper_first_nll": before.nll,
        "paper_first_active": before.active_1,
        "paper_nll": after.nll,
        "paper_active": after.active_1,
        "paper_change": after.nll - before.nll,
        "paper_active_change": after.active_1 - before.active_1,
        "difference": ours["nll"] - after.nll if comparable else np.nan,
    }


def lay_out(part: Part) -> list[Table]:
    """A table with both stages and the change."""
    second, change = _stage(part, NLL), [CHANGE.shown(part.rows)]
    if part.rows.comparable.any():
        second.append(cells.value("difference", "difference", sign=True))
    change.append(cells.value("active", "active_change", 1, sign=True))
    if part.known("paper_change"):
        change.insert(1, papers("nll", lambda row: number(row.paper_change, sign=True)))
        change.append(papers("active", lambda row: number(row.paper_active_change, 0, sign=True)))
    shown = [
        Column("trained as", lambda row: model_name(row.first_objective, row.first_k), text=True),
        *cells.grouped(_stage(part, FIRST, "first_"), "first stage"),
        Column("continued as", lambda row: model_name(row.objective, row.k), text=True),
        *cells.grouped(second, "second stage"),
        *cells.grouped(change, "change"),
    ]
    if part.rows.passes.nunique() > 1:
        shown.insert(0, Column("passes", lambda row: f"{row.first_passes} + {row.passes}"))
    consequence = ORIENTATION if part.known("paper_nll") else NO_VALUES
    return [part.table("Table 2: {}, models continued with another objective", shown, _notes(part), consequence)]


def _stage(part: Part, nll: Sum, prefix: str = "") -> list[Column]:
    """The nll and active units after one stage, beside the paper's."""
    shown = [nll.shown(part.rows), cells.active(part.rows, prefix)]
    if part.known(f"paper_{prefix}nll"):
        shown.insert(1, papers("nll", lambda row: number(row[f"paper_{prefix}nll"])))
        shown.append(papers("active", lambda row: cells.units(row[f"paper_{prefix}active"])))
    return shown


def _notes(part: Part) -> list[str]:
    if not part.models:
        return []
    said = [
        "The first stage is a model of the grid, or one of fewer passes. The second goes on from it, "
        f"{_length(part.models)}.",
        likelihood_line(part.measured),
        f"se_images of nll: standard error over test images.{notes.seeds_note(part.rows)}",
        "change: second stage minus first, in nats and in active units; negative nll where continuing helped.",
        f"Of the change, {notes.paired_note(part.rows, 'change')}",
        *notes.active_note(part),
    ]
    if part.rows.comparable.any():
        said.insert(3, "difference: nll after the second stage minus the paper's, in nats.")
    return said


def _length(models: Sequence[Model]) -> str:
    passes_of = listed(passes(model.training, model.spec) for model in models)
    if models[0].training.is_cosine:
        return f"for {passes_of} pass{'es' * (passes_of != '1')} of a schedule of its own"
    return f"for as many passes as the last stage of the schedule, {passes_of}"
