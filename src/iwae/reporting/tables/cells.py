"""What the tables share: sums as columns, columns that name rows, and notes on errors and units."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import WeightedSum, columns, weighted_sum
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.statements import comparison_lines, schedule
from iwae.reporting.study import Kind, Model, StudyResults, kind_name
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.study.registry import OBJECTIVES
from iwae.study.settings import passes
from iwae.study.specification import ModelSpec

Columns = Callable[[StudyResults, Kind], dict[str, Any]]  # of a kind's row

NOT_RUN = "not run yet"
OWN = "own"  # the study's own protocol, in a column of protocols
KIND = ("layers", "objective", "k")  # what names a kind of model within a data set
ORDER = ["layers", "k", "objective"]  # of rows of a data set


@dataclass(frozen=True)
class Part:
    """One data set's rows of a table, the models that they are of, and those of them that were measured."""

    study: StudyResults
    rows: pd.DataFrame
    models: Sequence[Model]
    measured: Sequence[Model]

    def known(self, name: str) -> bool:
        """Whether some row has a value in this column."""
        return bool(self.rows[name].notna().any())

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of models that the rows are on."""
        return [ModelSpec.parse(f"{name}/seed0") for name in self.rows.model]

    def ordered(self) -> "Part":
        """The same in the order of layers, k and objectives."""
        return replace(self, rows=by_objective(self.rows))

    def table(
        self,
        title: str,
        shown: Sequence[Column],
        notes: Sequence[str],
        consequence: str,
        sections: Iterable[str] = ("likelihood",),
    ) -> Table:
        """A table with a line for each row; in its title ``{}`` is the data set.

        Rows on models that are not run yet are counted below it, unless all are such. It has `notes` once something was
        measured. `consequence` is what a departure of the models from the paper means for the reader, be it in training
        or in what `sections` measured.
        """
        lead = comparison_lines(self.models, consequence, sections)
        title = title.format(self.rows.dataset.iloc[0])
        said, rows = notes if self.measured else [], self.rows
        if shown and "seeds" in rows and 0 < (run := rows.seeds > 0).sum() < len(rows):
            said, rows = [f"Not run yet, and left out: {(~run).sum()} of {len(rows)} lines.", *said], rows[run]
        return Table(title, lead, shown, [[column.cell(row) for column in shown] for _, row in rows.iterrows()], said)


@dataclass(frozen=True)
class Sum:
    """A weighted sum of a quantity over kinds of models: three columns of a frame, and one of a table.

    The columns of its errors are named after that of its value (`contrasts.columns`).
    """

    name: str
    label: str = ""  # the heading of its column
    quantity: str = ""  # what is summed; empty for what has the name of the column
    minus: Callable[[Kind], Kind | None] | None = None  # the kind subtracted; nothing is known where that is no other
    digits: int = 2
    sign: bool = False  # whether the value is shown with its sign
    error: str = "se_images"  # what its first error is

    def of(self, study: StudyResults, kind: Kind) -> WeightedSum:
        """The sum, for a row on this kind of model."""
        base = self.minus(kind) if self.minus else None
        if base == kind:
            return WeightedSum()
        return weighted_sum(study, self.quantity or self.name, {kind: 1.0} | ({base: -1.0} if base else {}))

    def __call__(self, study: StudyResults, kind: Kind) -> dict[str, float]:
        """Its columns in the row on a kind of model."""
        return self.of(study, kind).columns(self.name)

    def counts(self, study: StudyResults, kind: Kind) -> dict[str, Any]:
        """The number of seeds, and over how many images it is."""
        found = self.of(study, kind)
        return {"seeds": len(found.seeds), "images": found.images}

    def sampled(self, study: StudyResults, kind: Kind) -> dict[str, Any]:
        """Its counts, from how many importance samples it is, and its columns."""
        section = QUANTITIES[self.quantity or self.name].section
        models = study.of_kinds([kind], section)
        samples = models[0].settings(section)["samples"] if models else pd.NA
        return {**self.counts(study, kind), "samples": samples, **self(study, kind)}

    def shown(self, rows: pd.DataFrame) -> Column:
        """Its column, with the errors in parentheses, the deviation over seeds only where it is known."""
        _, first, sd_seeds = columns(self.name)
        errors = {first.replace("se_images", self.error): self.error}
        errors |= {sd_seeds: "sd_seeds"} if rows[sd_seeds].notna().any() else {}

        def cell(row: pd.Series) -> str:
            if pd.isna(row[self.name]):
                return NOT_RUN if row.seeds == 0 else EMPTY
            known = [number(row[column], self.digits) for column in errors]
            return f"{number(row[self.name], self.digits, self.sign)} ({', '.join(known)})"

        return Column(self.label, cell, errors=tuple(errors.values()))


NLL = Sum("nll", "nll")
minus_vae = partial(Sum, minus=lambda kind: replace(kind, objective="vae"), digits=3, sign=True)
PROTOCOL = Column("protocol", lambda row: row.variant or OWN, text=True)


def frame(study: StudyResults, kinds: Sequence[Kind], *parts: Columns) -> pd.DataFrame:
    """A row for each kind of model, with the columns of `head` and of each part."""
    return pd.DataFrame(_row(study, kind, parts) for kind in kinds)


def _row(study: StudyResults, kind: Kind, parts: Sequence[Columns]) -> dict[str, Any]:
    return {name: value for part in (head, *parts) for name, value in part(study, kind).items()}


def head(study: StudyResults, kind: Kind) -> dict[str, Any]:
    """The columns with which a row on one kind of model begins."""
    settings = study.training(kind)
    words = {"passes": passes(settings, kind), "schedule": schedule(settings), "model": kind_name(kind)}
    return {name: value for name, value in vars(kind).items() if name != "seed"} | words


def several_rows(
    study: StudyResults,
    kinds: Sequence[Kind],
    section: str,
    rows_of: Callable[[list[Model]], pd.DataFrame],
    names: Sequence[str],
    *parts: Columns,
) -> pd.DataFrame:
    """Several rows for each kind, which `rows_of` makes of the models on which a step was run; one where it has none.

    They have the columns of `frame`, and those that are named, ``seeds`` among them.
    """
    frames = []
    for kind in kinds:
        models, words = study.of_kinds([kind], section), _row(study, kind, parts)
        rows = rows_of(models) if models else pd.DataFrame(index=[0])
        frames.append(rows.assign(**words, seeds=len(models)))
    return pd.concat(frames, ignore_index=True).reindex(columns=[*words, *names])


def means(quantities: Mapping[str, str], study: StudyResults, kind: Kind) -> dict[str, float]:
    """The means over seeds of several quantities, by the columns that they are given for; NaN for what is not known."""
    return {name: weighted_sum(study, quantity, {kind: 1.0}).value for name, quantity in quantities.items()}


def active_units(study: StudyResults, kind: Kind, prefix: str = "") -> dict[str, Any]:
    """Active units of each layer, by both estimates of A_u, means over seeds; NaN for a layer that there is not."""
    names = [f"active_units{authors}_{layer}" for authors in ("", "_authors") for layer in (1, 2)]
    counts = means({f"{prefix}{name}": name for name in names}, study, kind)
    return counts | ({} if prefix else {"activity_estimate": study.activity})


def by_objective(rows: pd.DataFrame, keys: Sequence[str] = ORDER) -> pd.DataFrame:
    """The rows in the order of these columns, objectives in that of their registry."""
    order = list(OBJECTIVES).index
    return rows.sort_values(
        list(keys),
        key=lambda column: column.map(order) if column.name == "objective" else column,
        kind="stable",
        ignore_index=True,
    )


def keys(rows: pd.DataFrame, names: Sequence[str] = KIND) -> list[Column]:
    """Columns that name a row, and of how many seeds it is."""
    return [Column(name, _key(name), text=name == "objective") for name in names] + seeds(rows)


def words(*names: str) -> list[Column]:
    """Columns of words."""
    return [Column(name, _key(name), text=True) for name in names]


def several(rows: pd.DataFrame, *names: str) -> list[Column]:
    """Columns of words, each only where the rows differ in it."""
    return words(*(name for name in names if rows[name].nunique() > 1))


def seeds(rows: pd.DataFrame) -> list[Column]:
    """The number of seeds, only where it is not the same for all rows that have one."""
    return [Column("seeds", _key("seeds"))] if rows.seeds[rows.seeds > 0].nunique() > 1 else []


def _key(name: str) -> Callable[[pd.Series], str]:
    return lambda row: OBJECTIVES[row[name]].label if row[name] in OBJECTIVES else str(row[name])


def grouped(shown: Sequence[Column], group: str) -> list[Column]:
    """These columns under one heading."""
    return [replace(column, group=group) for column in shown]


def value(label: str, name: str, digits: int = 2, sign: bool = False) -> Column:
    """A column of numbers."""
    return Column(label, lambda row: number(row[name], digits, sign))


def papers(label: str, cell: Callable[[pd.Series], str]) -> Column:
    """A column of the paper's numbers."""
    return Column(f"paper's {label}".strip(), cell, paper=True)


def active(rows: pd.DataFrame, prefix: str = "") -> Column:
    """The column of active units, by the estimate of A_u that stands beside the paper's."""
    name = f"{prefix}active_units{'_authors' * (rows.activity_estimate.iloc[0] == 'one-sample')}"
    return Column("active", lambda row: units(row[f"{name}_1"], row[f"{name}_2"]))


def number(value: float, digits: int = 2, sign: bool = False) -> str:
    """A number with `digits` decimals, with its sign if asked for; a dash for none."""
    return EMPTY if pd.isna(value) else f"{value:{'+' * sign}.{digits}f}"


def units(*layers: float) -> str:
    """Active units by layer: ``19`` or ``16+5``; a mean over seeds has one decimal where it needs it."""
    return "+".join(f"{round(float(value), 1):g}" for value in layers if pd.notna(value)) or EMPTY
