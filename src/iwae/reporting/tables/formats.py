"""Tables for people: one description, written as Markdown, HTML or LaTeX by the templates of these names."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from iwae.reporting.templates import render

EMPTY = "\N{EN DASH}"
_TIE = "\N{NO-BREAK SPACE}"
_ONE_LINE = 44  # letters: a column of words that has more in a cell is so wide, at two letters to the em


@dataclass(frozen=True)
class Column:
    """A column of a table, its heading, and what it shows of a row of a frame."""

    label: str
    cell: Callable[[pd.Series], str] = str  # of no use where a table's rows are given as text
    group: str = ""  # the heading over neighbouring columns of one group
    paper: bool = False  # whether it holds the paper's numbers, which are set apart from ours
    text: bool = False  # whether it holds words, which stand to the left
    errors: tuple[str, ...] = ()  # what its numbers have in parentheses


@dataclass(frozen=True)
class Table:
    """A table for people, its cells as text: above it what must be known first, below it what the columns hold."""

    title: str
    lead: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def shared(self) -> tuple[str, ...]:
        """What several columns have in parentheses, where it is the same for all: it is said once, not in headings."""
        found = [column.errors for column in self.columns if column.errors]
        return found[0] if len(found) > 1 and len(set(found)) == 1 else ()

    @property
    def labels(self) -> list[str]:
        """The headings of the columns themselves."""
        return [
            f"{column.label} ({', '.join(column.errors)})" if column.errors and not self.shared else column.label
            for column in self.columns
        ]

    @property
    def alignments(self) -> list[str]:
        """The columns as LaTeX declares them; words that are many are broken into lines."""
        longest = [max((len(row[place]) for row in self.rows), default=0) for place in range(len(self.columns))]
        return [
            "r" if not column.text else "l" if length <= _ONE_LINE else f"p{{{_ONE_LINE // 2}em}}"
            for column, length in zip(self.columns, longest, strict=True)
        ]

    @property
    def remarks(self) -> list[str]:
        """What stands below it."""
        return [*([f"In parentheses: {', '.join(self.shared)}."] if self.shared else []), *self.notes]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The headings of groups, each with its number of columns; none where no column has one."""
        groups = [(group, len(list(members))) for group, members in groupby(self.columns, lambda column: column.group)]
        return groups if any(group for group, _ in groups) else []

    @property
    def rules(self) -> Iterator[tuple[int, int]]:
        """The first and the last column of each group that has a heading, counted from 1."""
        last = 0
        for group, width in self.groups:
            first, last = last + 1, last + width
            if group:
                yield first, last


def written(tables: Sequence[Table], title: str) -> dict[str, str]:
    """The tables by the file's suffix: ``md`` (GitHub-flavoured), ``html`` (one page) and ``tex`` (floats)."""
    return {kind: rendered(kind, tables, title) for kind in ("md", "html", "tex")}


def rendered(kind: str, tables: Sequence[Table], title: str = "") -> str:
    """The tables in one of these formats; `title` is the page's."""
    filters: dict[str, Callable[..., str]] = {"tex": _tex, "tex_cell": _tex_cell, "unbroken": _unbroken}
    return render(f"table.{kind}.jinja", filters, tables=tables, title=title)


def _unbroken(cell: str, column: Column) -> str:
    """A number that a narrow page does not part from its errors."""
    return cell.replace(" ", _TIE) if "(" in cell and column.errors else cell


def _tex_cell(cell: str) -> str:
    return "--" if cell == EMPTY else re.sub(r"(?<![\w.])([+-]\d[\d.]*)", r"$\1$", _tex(cell))


def _tex(text: str) -> str:
    return re.sub(r"([<>])", r"$\1$", re.sub(r"([_&%#$])", r"\\\1", text))
