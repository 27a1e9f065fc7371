"""Where every model comes from: how long its training took, on what, and by which code."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.quantities import measured
from iwae.reporting.study import Kind, Model, StudyResults, passes
from iwae.reporting.tables.cells import NOT_RUN, Cells, table
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.study.specification import ModelSpec

_FROM_MANIFEST = ("started", "wall_seconds", "device", "threads", "compiled", "git_commit", "source_sha256", "torch")


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each model, with what its manifest says of its training.

    ``together``: models that were trained in one job, which share its wall time; ``updates_per_second``: of each.
    """
    models = {model.spec: model for model in study.models}
    return pd.DataFrame(_row(study, spec, models.get(spec)) for spec in study.specs)


def _row(study: StudyResults, spec: ModelSpec, model: Model | None) -> dict[str, Any]:
    head = {"dataset": spec.dataset, "model": spec.name, "passes": passes(study.training(Kind.of(spec)), spec)}
    if model is None:
        return head | {"trained": False}
    updates, trained = measured(study, "updates", model).value, model.trained
    return {
        **head,
        "trained": True,
        "updates": updates,
        "together": len(trained.get("stack", [spec.name])),
        "updates_per_second": updates / trained.get("wall_seconds", np.nan),
        **{key: trained.get(key) for key in _FROM_MANIFEST},
    }


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table with a line for each model."""
    cells: Cells = [
        (Column("model", text=True), lambda row: row.model),
        (Column("passes"), lambda row: str(row.passes)),
        (Column("updates"), _shown("updates", "{:.0f}")),
        (Column("wall time"), lambda row: duration(row.wall_seconds) if row.trained else NOT_RUN),
        (Column("updates/s"), _shown("updates_per_second", "{:.0f}")),
        (Column("in the job"), _shown("together", "{:.0f}")),
        (Column("device", text=True), _shown("device", "{}")),
        (Column("commit", text=True), lambda row: EMPTY if pd.isna(row.git_commit) else f"{row.git_commit:.8}"),
    ]
    if "wall_seconds" not in rows:
        cells = cells[:2]
    notes = [
        "in the job: models that were trained together, which share its wall time, set-up and compilation included."
    ]
    if study.configured:
        notes.append(f"Each was trained as by `{_command(study)}`.")
    return [table(f"{rows.dataset.iloc[0]}: training of each model", [], rows, cells, notes)]


def _shown(name: str, form: str) -> Any:
    return lambda row: EMPTY if pd.isna(row[name]) else form.format(row[name])


def _command(study: StudyResults) -> str:
    asked = study.configured
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
