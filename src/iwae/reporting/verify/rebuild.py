"""Everything that is made from the models' files, made again from them and compared: no number is typed or left over.

It is made in a temporary folder, so that nothing of the study is written. Of figures the plotted numbers are made
again; their pictures depend on fonts and on matplotlib's version, and are known by the seal.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from iwae.files import write_text
from iwae.reporting import contents
from iwae.reporting.collect import collect
from iwae.reporting.figures import figures_of, plotted
from iwae.reporting.results import IDENTITY, UNREADABLE, reason, write_frame
from iwae.reporting.study import StudyResults
from iwae.reporting.summary import summary_text
from iwae.reporting.tables import tables_of, write_table
from iwae.study import configuration

TOLERANCE = 1e-9  # relative, and absolute for small numbers: machines may sum in another order
_CONTEXT = 30  # characters shown on either side of a difference


def problems(
    results: Path,
    figures: Path,
    asked: configuration.StudyConfig,
    opened: StudyResults | None = None,
    interim: bool = False,
) -> Iterator[str]:
    """What differs from what the models' files give: a sentence for each file, with its first difference.

    The study is as its configuration, `asked`, describes it; `opened` is what ``results.csv`` says of it, of which
    perhaps much was read already. If `interim`, models may be missing.
    """
    with tempfile.TemporaryDirectory(prefix="iwae-audit-") as temporary:
        fresh = Path(temporary)
        try:
            names = [spec.name for spec in asked.models if not interim or (results / spec.name).is_dir()]
            study = StudyResults.of(results, names, asked)
            study = opened if opened and opened.models == study.models else study
            write_frame(fresh / "results.csv", collect(study, names, interim))
        except UNREADABLE as error:
            yield f"{results / 'results.csv'}, tables and figures cannot be made again: {reason(error)}"
            return
        yield from _guarded(results / "results.csv", fresh / "results.csv", (*IDENTITY, "quantity"))
        for name in tables_of(study):
            files = [f"{name}.{kind}" for kind in contents.TABLE_KINDS]
            yield from _made_again(results, fresh, files, partial(write_table, name, study, fresh))
        for name, item in figures_of(study).items():
            lost = (path for kind in ("pdf", "png") if not (path := figures / f"{name}.{kind}").is_file())
            yield from (f"{path} is missing." for path in lost)
            if item.numbers:
                numbers = fresh / "figures" / f"{name}.csv"
                yield from _made_again(figures, numbers.parent, [numbers.name], partial(_write_plotted, numbers, study))
        readme = fresh / "README.md"
        yield from _made_again(results, fresh, [readme.name], lambda: write_text(readme, summary_text(study, figures)))


def _write_plotted(path: Path, study: StudyResults) -> None:
    write_frame(path, plotted(path.stem, study))


def _made_again(folder: Path, fresh: Path, names: Sequence[str], make: Callable[[], None]) -> Iterator[str]:
    """The first difference of each file of a folder from the one in `fresh` that `make` writes, or why it cannot."""
    try:
        make()
    except UNREADABLE as error:
        yield f"{folder / names[0]} cannot be made again: {reason(error)}"
        return
    for name in names:
        yield from _guarded(folder / name, fresh / name)


def _guarded(path: Path, fresh: Path, keys: Sequence[str] = ()) -> Iterator[str]:
    """The first difference of a file from what was made again, or why they cannot be compared.

    Where rows are in no order of their own, `keys` are columns that tell them apart.
    """
    if not path.is_file():
        yield f"{path} is missing."
        return
    try:
        if path.read_bytes() == fresh.read_bytes():
            return
        is_frame = path.suffix == ".csv"
        difference = _frame_difference(path, fresh, keys) if is_frame else _text_difference(path, fresh)
    except UNREADABLE as error:
        difference = f"cannot be read ({reason(error)})"
    if difference:
        yield f"{path}: {difference}."


def _frame_difference(path: Path, fresh: Path, keys: Sequence[str] = ()) -> str:
    """The first cell of two CSV files that differs, in words; empty if none does."""
    found, right = (pd.read_csv(file, dtype=str, keep_default_na=False) for file in (path, fresh))
    if list(found.columns) != list(right.columns):
        return f"the columns are {', '.join(found.columns)}, made again {', '.join(right.columns)}"
    if len(found) != len(right):
        return f"there are {len(found)} rows, made again {len(right)}"
    if keys:
        found, right = (frame.sort_values(list(keys), kind="stable") for frame in (found, right))
    for column in found.columns:
        cells, again = (frame[column].to_numpy(object) for frame in (found, right))
        ours, theirs = (pd.to_numeric(pd.Series(each), errors="coerce") for each in (cells, again))
        unlike = np.flatnonzero((cells != again) & ~np.isclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE))
        for row in unlike[:1]:
            return (
                f"row {found.index[row] + 1}, column {column} is {cells[row]!r}, made again from the models' files it "
                f"is {again[row]!r}"
            )
    return ""


def _text_difference(path: Path, fresh: Path) -> str:
    """Where two texts first differ, in words; empty if they do not."""
    found, right = (file.read_text(encoding="utf-8") for file in (path, fresh))
    if found == right:
        return ""
    start = len(os.path.commonprefix([found, right]))
    line = found.count("\n", 0, start) + 1
    shown = [text[max(0, start - _CONTEXT) : start + _CONTEXT] for text in (found, right)]
    return f"line {line} reads {shown[0]!r}, made again from the models' files {shown[1]!r}"
