"""What the tables share: columns with their cells, numbers as text, and the notes on errors and active units."""

from collections.abc import Callable, Sequence

import pandas as pd

from iwae.reporting.formats import EMPTY, Column, Table
from iwae.reporting.spread import chosen_units
from iwae.reporting.statements import PAPER
from iwae.reporting.study import Model
from iwae.study.settings import ACTIVE

Cells = list[tuple[Column, Callable[[pd.Series], str]]]  # a column, and a row's cell in it

ORIENTATION = "not comparable with the paper; the paper's values are shown for orientation"
NO_VALUES = "not as in the paper"  # the consequence of a departure where the paper has no value anyway
ROW = ("layers", "objective", "k")  # what names a kind of model within a data set
_NEAR = 3  # a factor either way of the threshold of activity
_VARIANTS = {
    "one-sample": "the authors' variant (the first {images} training images, or all of fewer; "
    "the second layer's mean at one sampled h1)",
    "definition": "the text's definition, over the whole training set",
}


def table(title: str, lead: Sequence[str], rows: pd.DataFrame, cells: Cells, notes: Sequence[str]) -> Table:
    """A table with a line for each row of a frame."""
    return Table(title, lead, [column for column, _ in cells], body(rows, cells), notes)


def body(rows: pd.DataFrame, cells: Cells) -> list[list[str]]:
    """The lines of a table, one for each row."""
    return [[cell(row) for _, cell in cells] for _, row in rows.iterrows()]


def key_cells(rows: pd.DataFrame, names: Sequence[str] = ROW) -> Cells:
    """Columns that name a row; stages only where they differ."""
    cells: Cells = []
    for name in names:
        text = name == "objective"
        cells.append(
            (Column(name, text=text), lambda row, name=name, text=text: row[name].upper() if text else str(row[name]))
        )
    if rows.stages.nunique() > 1:
        cells.append((Column("stages"), lambda row: f"{row.stages} of {PAPER.stages}"))
    return cells


def value_cells(rows: pd.DataFrame, name: str, label: str, digits: int = 2, sign: bool = False) -> Cells:
    """Columns of a value and both its errors, as `spread.mean_and_errors` names them; sd_seeds only where it is known.

    Args:
        rows: The rows of the table.
        name: The value's column in them.
        label: The heading of its column.
        digits: Decimals.
        sign: Whether the value is shown with its sign.
    """
    prefix = "" if name == "nll" else f"{name}_"
    shown = signed if sign else number
    cells: Cells = [
        (Column(label), lambda row: shown(row[name], digits)),
        (Column("se_images"), cell(f"{prefix}se_images", digits)),
    ]
    if rows[f"{prefix}sd_seeds"].notna().any():
        cells.append((Column("sd_seeds"), cell(f"{prefix}sd_seeds", digits)))
    return cells


def grouped(cells: Cells, group: str) -> Cells:
    """These columns under one heading."""
    return [(Column(column.label, group, column.paper, column.text), cell) for column, cell in cells]


def active_cell(rows: pd.DataFrame) -> Callable[[pd.Series], str]:
    """A row's active units, by the variant of A_u that stands beside the paper's."""
    variant = rows.activity_variant.iloc[0]
    return lambda row: units(*chosen_units(row, variant))


def seeds_note(rows: pd.DataFrame, name: str = "sd_seeds") -> str:
    """What the spread over seeds is of; it begins with a space, as it follows another sentence."""
    if rows[name].isna().all():
        return " One seed: the spread over seeds is not known."
    counts = sorted(set(rows.seeds))
    return f" sd_seeds: standard deviation over {' or '.join(map(str, counts))} seeds; the values are means over seeds."


def paired_note(rows: pd.DataFrame, name: str) -> str:
    """What the errors of paired differences are."""
    return (
        "se_images: standard error of the differences paired over test images, which the models share; it is far "
        f"smaller than the error of either nll.{seeds_note(rows, name)}"
    )


def active_note(rows: pd.DataFrame, models: Sequence[Model]) -> str:
    """How the active units were counted."""
    images = {model.settings("activity")["authors_images"] for model in models}
    variant = _VARIANTS[rows.activity_variant.iloc[0]].format(images=" or ".join(map(str, sorted(images))))
    return (
        f"active: units with A_u > {ACTIVE} (layer 1 + layer 2), by {variant}; the CSV has both variants. "
        f"{_near_note(rows.activity_variant.iloc[0], models)}"
    )


def _near_note(variant: str, models: Sequence[Model]) -> str:
    """How many units a slightly different threshold would count otherwise."""
    column = "activity_authors" if variant == "one-sample" else "activity"
    activities = [model.table("activity", "activity.csv")[column] for model in models]
    near = [int(values.between(ACTIVE / _NEAR, ACTIVE * _NEAR).sum()) for values in activities]
    return (
        f"Between {ACTIVE / _NEAR:.3f} and {ACTIVE * _NEAR:.2f} lie {min(near)} to {max(near)} units of each model: "
        "another threshold would count them otherwise."
    )


def cell(name: str, digits: int) -> Callable[[pd.Series], str]:
    """A row's number in column `name`."""
    return lambda row: number(row[name], digits)


def number(value: float, digits: int = 2) -> str:
    """A number with `digits` decimals; a dash for none."""
    return EMPTY if pd.isna(value) else f"{value:.{digits}f}"


def signed(value: float, digits: int = 2) -> str:
    """`number` with its sign."""
    return EMPTY if pd.isna(value) else f"{value:+.{digits}f}"


def units(first: float, second: float = float("nan")) -> str:
    """Active units by layer: ``19`` or ``16+5``; a mean over seeds has one decimal where it needs it."""
    if pd.isna(first):
        return EMPTY
    return "+".join(f"{round(float(value), 1):g}" for value in (first, second) if pd.notna(value))
