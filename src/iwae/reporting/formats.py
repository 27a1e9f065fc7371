"""Tables for people: one description, written as Markdown, HTML or LaTeX."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

EMPTY = "\N{EN DASH}"

_CSS = """\
body { font: 13px/1.45 system-ui, sans-serif; color: #111; margin: 1.5em; }
h2 { font-size: 1.1em; margin: 1.6em 0 .4em; }
p { margin: .3em 0; max-width: 62em; }
p.lead { font-weight: 600; }
p.note { color: #444; font-size: .92em; }
div { overflow-x: auto; }
table { border-collapse: collapse; margin: .7em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .45em; text-align: right; white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; }
th.group { text-align: center; border-bottom: 1px solid #888; }
thead { border-top: 2px solid #111; border-bottom: 1px solid #111; }
tbody { border-bottom: 2px solid #111; }
td.text, th.text { text-align: left; }
.first { padding-left: 1.5em; }
.paper { color: #666; font-style: italic; }
"""


@dataclass(frozen=True)
class Column:
    """A column's heading.

    Attributes:
        label: Its own heading.
        group: Heading over neighbouring columns of one group; empty for none.
        paper: Whether it holds the paper's numbers, which are set apart from ours.
        text: Whether it holds words, which stand to the left.
    """

    label: str
    group: str = ""
    paper: bool = False
    text: bool = False


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes:
        title: Its heading.
        lead: What must be known before any number is read, a sentence each; stands above the table.
        columns: The columns.
        rows: Cells as text, a sequence for each row.
        notes: What the columns hold, a sentence each; stands below.
    """

    title: str
    lead: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def markdown(tables: Sequence[Table]) -> str:
    """The tables as GitHub-flavoured Markdown."""
    return "\n".join(_markdown_table(table) for table in tables)


def _markdown_table(table: Table) -> str:
    heads = [f"{column.group} {column.label}".strip() for column in table.columns]
    rules = [":--" if column.text else "--:" for column in table.columns]
    lines = [f"### {table.title}", ""]
    lines += [f"**{sentence}**\n" for sentence in table.lead]
    lines += [f"| {' | '.join(cells)} |" for cells in (heads, rules, *table.rows)]
    lines += ["", *(f"- {note}" for note in table.notes), ""]
    return "\n".join(lines)


def html_page(title: str, tables: Sequence[Table]) -> str:
    """The tables as one HTML page that needs no other file."""
    body = "\n".join(_html_table(table) for table in tables)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f"<style>\n{_CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html_table(table: Table) -> str:
    lines = [f"<h2>{html.escape(table.title)}</h2>"]
    lines += [f'<p class="lead">{html.escape(sentence)}</p>' for sentence in table.lead]
    lines += ["<div><table>", "<thead>"]
    if any(column.group for column in table.columns):
        cells = [
            f'<th class="group" colspan="{width}">{html.escape(group)}</th>'
            if group
            else f'<th colspan="{width}"></th>'
            for group, width in _groups(table.columns)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    lines.append(_html_row("th", table.columns, [column.label for column in table.columns]))
    lines += ["</thead>", "<tbody>", *(_html_row("td", table.columns, row) for row in table.rows), "</tbody>"]
    lines += ["</table></div>", *(f'<p class="note">{html.escape(note)}</p>' for note in table.notes)]
    return "\n".join(lines)


def _html_row(tag: str, columns: Sequence[Column], cells: Sequence[str]) -> str:
    classes = [
        " ".join(
            [name for name in ("paper", "text") if getattr(column, name)]
            + ["first"] * (place > 0 and column.group != columns[place - 1].group)
        )
        for place, column in enumerate(columns)
    ]
    marks = [f' class="{name}"' if name else "" for name in classes]
    return (
        "<tr>"
        + "".join(f"<{tag}{mark}>{html.escape(cell)}</{tag}>" for mark, cell in zip(marks, cells, strict=True))
        + "</tr>"
    )


def latex(tables: Sequence[Table]) -> str:
    """The tables as LaTeX floats; the document needs the packages booktabs and graphicx."""
    return "% Needs \\usepackage{booktabs,graphicx}.\n" + "\n".join(_latex_table(table) for table in tables)


def _latex_table(table: Table) -> str:
    heading = [_latex_text(column.label) for column in table.columns]
    caption = " ".join(_latex_text(sentence) for sentence in (f"{table.title}.", *table.lead, *table.notes))
    lines = ["\\begin{table}", "\\centering", f"\\caption{{{caption}}}", "\\resizebox{\\ifdim\\width>\\linewidth"]
    lines[-1] += "\\linewidth\\else\\width\\fi}{!}{%"
    lines += [f"\\begin{{tabular}}{{{''.join('l' if column.text else 'r' for column in table.columns)}}}", "\\toprule"]
    if any(column.group for column in table.columns):
        lines += _latex_groups(table.columns)
    lines += [f"{' & '.join(heading)} \\\\", "\\midrule"]
    lines += [f"{' & '.join(_latex_cell(cell) for cell in row)} \\\\" for row in table.rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table}", ""])


def _latex_groups(columns: Sequence[Column]) -> list[str]:
    cells, rules, start = [], [], 1
    for group, width in _groups(columns):
        cells.append(f"\\multicolumn{{{width}}}{{c}}{{{_latex_text(group)}}}")
        if group:
            rules.append(f"\\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    return [f"{' & '.join(cells)} \\\\", " ".join(rules)]


def _latex_cell(cell: str) -> str:
    if cell == EMPTY:
        return "--"
    return re.sub(r"(?<![\w.])([+-]\d[\d.]*)", r"$\1$", _latex_text(cell))


def _latex_text(text: str) -> str:
    return re.sub(r"([<>])", r"$\1$", re.sub(r"([_&%#$])", r"\\\1", text))


def _groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    return [(group, len(list(members))) for group, members in groupby(columns, key=lambda column: column.group)]
