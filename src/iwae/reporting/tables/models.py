"""Where every model comes from: how long its training took, on what, and by which code."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.quantities import measured
from iwae.reporting.study import Kind, Model, StudyResults, kind_of
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.study.configuration import StudyConfig
from iwae.study.settings import passes
from iwae.study.specification import ModelSpec

_FROM_MANIFEST = ("started", "wall_seconds", "device", "threads", "compiled", "git_commit", "source_sha256", "torch")


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each model, with what its manifest says of its training.

    ``together``: models that were trained in one job, which share its wall time; ``updates_per_second``: of each.
    """
    models = {model.spec: model for model in study.models}
    return pd.DataFrame(_row(study, spec, models.get(spec)) for spec in study.specs)


def _row(study: StudyResults, spec: ModelSpec, model: Model | None) -> dict[str, Any]:
    head = {"dataset": spec.dataset, "model": spec.name, "passes": passes(study.training(kind_of(spec)), spec)}
    if model is None:
        return head | {"trained": False}
    found, trained = measured(study, "updates", model), model.trained
    updates = found.value if found else np.nan
    return {
        **head,
        "trained": True,
        "updates": updates,
        "together": len(trained["stack"]),
        "updates_per_second": updates / trained["wall_seconds"],
        **{key: trained.get(key) for key in _FROM_MANIFEST},
    }


def lay_out(part: Part) -> list[Table]:
    """A table with a line for each model."""
    shown = [
        *cells.words("model"),
        Column("passes", lambda row: str(row.passes)),
        cells.value("updates", "updates", 0),
        Column("wall time", lambda row: duration(row.wall_seconds)),
        cells.value("updates/s", "updates_per_second", 0),
        cells.value("in the job", "together", 0),
        *cells.words("device"),
        Column("commit", lambda row: EMPTY if pd.isna(row.git_commit) else row.git_commit[:8], text=True),
    ]
    asked, left = part.study.configured, (~part.rows.trained).sum()
    if left == len(part.rows):
        return []
    notes = [
        *([f"Not run yet, and left out: {left} of {len(part.rows)} models."] if left else []),
        "in the job: models that were trained together, which share its wall time, set-up and compilation included.",
        *([f"Each was trained as by `{_command(asked)}`."] if asked else []),
    ]
    part = replace(part, rows=part.rows[part.rows.trained], models=())
    return [part.table("{}: training of each model", shown, notes, "")]


def _command(asked: StudyConfig) -> str:
    folders = " ".join(f"--{name} {name}/{asked.name}" for name in ("results", "checkpoints"))
    words = [f"python -m iwae train --models MODEL --data {asked.data} {folders} --protocol {asked.protocol}"]
    if asked.overrides:
        words.append(f"--set {' '.join(f'{name}={value}' for name, value in asked.overrides.items())}")
    settings = {name: value for name, value in asked.training.as_dict().items() if name != "protocol"}
    words += [f"--{name.replace('_', '-')} {value}" for name, value in settings.items() if value is not None]
    return " ".join(words)


def duration(seconds: float) -> str:
    """A time for people: ``42 s``, ``3 min 5 s``, ``2 h 10 min``; a dash where it is not known."""
    if pd.isna(seconds):
        return EMPTY
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
