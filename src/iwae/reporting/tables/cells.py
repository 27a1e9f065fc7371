"""What the tables share: columns of frames, columns with their cells, and notes on errors and units."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import WeightedSum, columns, weighted_sum
from iwae.reporting.quantities import activities
from iwae.reporting.statements import activity_variant, counted, listed, protocols, schedule
from iwae.reporting.study import Kind, Model, StudyResults, passes
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.study.registry import OBJECTIVES
from iwae.study.settings import ACTIVE

Cells = list[tuple[Column, Callable[[pd.Series], str]]]  # a column, and a row's cell in it

NOT_RUN = "not run yet"
OWN = "own"  # the study's own protocol, in a column of protocols
KIND = ("layers", "objective", "k")  # what names a kind of model within a data set
_NEAR = 3  # a factor either way of the threshold of activity
_VARIANTS = {
    "one-sample": "the authors' variant (the first {images} training images, or all of fewer; "
    "the second layer's mean at one sampled h1)",
    "definition": "the text's definition, over the whole training set",
}


def head(study: StudyResults, kind: Kind) -> dict[str, Any]:
    """The columns with which a row on one kind of model begins; `measured` adds how many seeds it has."""
    settings = study.training(kind)
    words = {"passes": passes(settings, kind.spec), "schedule": schedule(settings), "model": kind.name}
    return {**kind._asdict(), **words}


def nll(study: StudyResults, kind: Kind) -> dict[str, Any]:
    """Columns seeds, images, samples, nll, se_images and sd_seeds of one kind of model."""
    return measured(weighted_sum(study, "nll", {kind: 1.0}), "nll")


def measured(found: WeightedSum, name: str, section: str = "likelihood") -> dict[str, Any]:
    """A weighted sum's columns, with the number of seeds and over how many images and importance samples it is."""
    models = [model for group in found.models.values() for model in group]
    images = max((variance.dof + 1 for variance in found.over_images.values()), default=pd.NA)
    samples = models[0].settings(section)["samples"] if models else pd.NA
    return {"seeds": len(found.seeds), "images": images, "samples": samples, **found.columns(name)}


def difference(study: StudyResults, kind: Kind, base: Kind | None, name: str = "difference") -> dict[str, float]:
    """The columns of the nll of one kind minus that of another, unknown where there is none to subtract."""
    found = weighted_sum(study, "nll", {kind: 1.0, base: -1.0}) if base else WeightedSum()
    return found.columns(name)


def active_units(study: StudyResults, kind: Kind, prefix: str = "") -> dict[str, float]:
    """Active units of each layer, both variants, means over seeds; NaN for a layer that there is not."""
    return {
        f"{prefix}{name}_{layer}": weighted_sum(study, f"{name}_{layer}", {kind: 1.0}).value
        for name in ("active_units", "active_units_authors")
        for layer in (1, 2)
    } | ({} if prefix else {"activity_variant": activity_variant(study)})


def by_objective(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The rows in the order of these columns, objectives in that of their registry."""
    order = list(OBJECTIVES).index
    return rows.sort_values(
        list(keys),
        key=lambda column: column.map(order) if column.name == "objective" else column,
        kind="stable",
        ignore_index=True,
    )


def table(
    title: str, lead: Sequence[str], rows: pd.DataFrame, cells: Cells, notes: Sequence[str], value: str = "nll"
) -> Table:
    """A table with a line for each row of a frame, which says of a row without `value` that it was not run yet."""
    return Table(title, lead, [column for column, _ in cells], [line(row, cells) for _, row in rows.iterrows()], notes)


def line(row: pd.Series, cells: Cells) -> list[str]:
    """A row's cells."""
    return [cell(row) for _, cell in cells]


def key_cells(rows: pd.DataFrame, names: Sequence[str] = KIND) -> Cells:
    """Columns that name a row, and of how many seeds it is."""
    cells: Cells = [(Column(name, text=name == "objective"), lambda row, name=name: _key(row[name])) for name in names]
    return cells + seeds_cells(rows)


def seeds_cells(rows: pd.DataFrame) -> Cells:
    """The number of seeds, only where it is not the same for all rows that have one."""
    several = rows.seeds[rows.seeds > 0].nunique() > 1
    return [(Column("seeds"), lambda row: str(row.seeds))] if several else []


def several_cells(rows: pd.DataFrame, *names: str) -> Cells:
    """Columns of words, each only where the rows differ in it."""
    shown = [name for name in names if rows[name].nunique() > 1]
    return [(Column(name, text=True), lambda row, name=name: row[name]) for name in shown]


def _key(value: Any) -> str:
    return OBJECTIVES[value].label if value in OBJECTIVES else str(value)


def value_cells(
    rows: pd.DataFrame, name: str, label: str, digits: int = 2, sign: bool = False, error: str = "se_images"
) -> Cells:
    """A column of a value with its errors in parentheses, the deviation over seeds only where it is known.

    Args:
        rows: The rows of the table.
        name: The value's column in them; its errors are named after it (`contrasts.columns`).
        label: The heading of its column.
        digits: Decimals.
        sign: Whether the value is shown with its sign.
        error: What the first error is.
    """
    _, first, sd_seeds = columns(name)
    first = first.replace("se_images", error)
    errors = {first: error} | ({sd_seeds: "sd_seeds"} if rows[sd_seeds].notna().any() else {})

    def cell(row: pd.Series) -> str:
        if pd.isna(row[name]):
            return NOT_RUN if row.seeds == 0 else EMPTY
        known = [number(row[column], digits) for column in errors]
        return f"{number(row[name], digits, sign)} ({', '.join(known)})"

    return [(Column(f"{label} ({', '.join(errors.values())})"), cell)]


def grouped(cells: Cells, group: str) -> Cells:
    """These columns under one heading."""
    return [(Column(column.label, group, column.paper, column.text), cell) for column, cell in cells]


def active_cells(rows: pd.DataFrame, prefix: str = "", layers: int = 2) -> Cells:
    """The column of active units, by the variant of A_u that stands beside the paper's."""
    name = f"{prefix}active_units{'_authors' * (rows.activity_variant.iloc[0] == 'one-sample')}"
    return [(Column("active"), lambda row: units(*(row[f"{name}_{layer}"] for layer in range(1, layers + 1))))]


def seeds_note(rows: pd.DataFrame, name: str = "nll") -> str:
    """What the spread over seeds is of; it begins with a space, as it follows another sentence."""
    if rows[columns(name)[2]].isna().all():
        return " One seed: the spread over seeds is not known."
    counts = listed(rows.seeds[rows.seeds > 1])
    return f" sd_seeds: standard deviation over {counts} seeds; the values are means over seeds."


def paired_note(rows: pd.DataFrame, name: str) -> str:
    """What the errors of paired differences are."""
    return (
        "se_images: standard error of the differences paired over test images, which the models share; it is far "
        f"smaller than the error of either nll.{seeds_note(rows, name)}"
    )


def active_note(study: StudyResults, models: Sequence[Model]) -> list[str]:
    """How the active units were counted, and how many a slightly different threshold would count otherwise."""
    models = [model for model in models if "activity" in model.manifest]
    if not models:
        return []
    images = listed(model.settings("activity")["authors_images"] for model in models)
    near = [int(activities(study, model).activity.between(ACTIVE / _NEAR, ACTIVE * _NEAR).sum()) for model in models]
    return [
        f"active: units with A_u > {ACTIVE} (layer 1 + layer 2), by "
        f"{_VARIANTS[activity_variant(study)].format(images=images)}; the CSV has both variants. Between "
        f"{ACTIVE / _NEAR:.3f} and {ACTIVE * _NEAR:.2f} lie {min(near)} to {max(near)} units of each model: another "
        "threshold would count them otherwise."
    ]


def own_note(rows: pd.DataFrame, study: StudyResults) -> list[str]:
    """Which protocol the study's own is, where some rows are of another."""
    return [f"{OWN}: the study's own protocol, {'; '.join(protocols(study.grid))}."] if rows.variant.any() else []


def extreme_note(rows: pd.DataFrame, name: str, what: str, digits: int) -> list[str]:
    """The row in which a column is largest in size, in words."""
    if rows[name].isna().all():
        return []
    row = rows.loc[rows[name].abs().idxmax()]
    kind = f"{_key(row.objective)} k = {row.k}, {counted(row.layers, 'layer')}"
    return [f"{what}: {row[name]:+.{digits}f} nats ({kind})."]


def number(value: float, digits: int = 2, sign: bool = False) -> str:
    """A number with `digits` decimals, with its sign if asked for; a dash for none."""
    return EMPTY if pd.isna(value) else f"{value:{'+' * sign}.{digits}f}"


def units(*layers: float) -> str:
    """Active units by layer: ``19`` or ``16+5``; a mean over seeds has one decimal where it needs it."""
    return "+".join(f"{round(float(value), 1):g}" for value in layers if pd.notna(value)) or EMPTY
