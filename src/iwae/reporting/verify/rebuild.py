"""Everything that is made from the models' files, made again from them and compared: no number is typed or left over.

It is made in a temporary folder beside links to the models, so that nothing of the study is written. Of figures the
plotted numbers are made again; their pictures depend on fonts and on matplotlib's version, and are known by the seal.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from iwae.files import write_text
from iwae.reporting.collect import collect
from iwae.reporting.figures import figures_of, plotted
from iwae.reporting.results import CONFIGURATION, IDENTITY, write_frame
from iwae.reporting.study import StudyResults
from iwae.reporting.summary import summary_text
from iwae.reporting.tables import tables_of, write_table
from iwae.reporting.unreadable import UNREADABLE, reason
from iwae.reporting.verify.integrity import PICTURES, TABLE_KINDS
from iwae.study import configuration

TOLERANCE = 1e-9  # relative, and absolute for small numbers: machines may sum in another order
_CONTEXT = 30  # characters shown on either side of a difference


def problems(results: Path, figures: Path, asked: configuration.StudyConfig, interim: bool = False) -> Iterator[str]:
    """What differs from what the models' files give: a sentence for each file, with its first difference.

    Args:
        results: The study folder.
        figures: The folder of its figures.
        asked: The study as its configuration describes it.
        interim: Whether models that it asks for may be missing.
    """
    with _mirror(results, figures) as (copy, figures_copy):
        try:
            names = [spec.name for spec in asked.models if not interim or (copy / spec.name).is_dir()]
            write_frame(copy / "results.csv", collect(StudyResults.of(copy, names, asked), names, interim))
            study = StudyResults.open(copy)
        except UNREADABLE as error:
            yield f"{results / 'results.csv'}, tables and figures cannot be made again: {reason(error)}"
            return
        yield from _guarded(results / "results.csv", copy / "results.csv", (*IDENTITY, "quantity"))
        for name in tables_of(study):
            yield from _table(name, study, results)
        for name in figures_of(study):
            yield from _figure(name, study, figures, copy)
        yield from _readme(study, results, figures_copy)


@contextmanager
def _mirror(results: Path, figures: Path) -> Iterator[tuple[Path, Path]]:
    """Temporary folders that lie to each other as `results` and `figures` do: one to write to, one a link."""
    way = os.path.relpath(figures, results)
    with tempfile.TemporaryDirectory(prefix="iwae-audit-") as temporary:
        depth = Path(way).parts.count("..")
        copy = Path(temporary, *(["d"] * depth), results.name)
        copy.mkdir(parents=True)
        for entry in results.resolve().iterdir():
            if entry.is_dir() or entry.name == CONFIGURATION:
                (copy / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
        figures_copy = Path(os.path.normpath(copy / way))
        figures_copy.parent.mkdir(parents=True, exist_ok=True)
        figures_copy.symlink_to(figures.resolve(), target_is_directory=True)
        yield copy, figures_copy


def _table(name: str, study: StudyResults, results: Path) -> Iterator[str]:
    pairs = {results / f"{name}.{kind}": study.folder / f"{name}.{kind}" for kind in TABLE_KINDS}
    yield from _made_again(lambda: write_table(name, study), pairs)


def _figure(name: str, study: StudyResults, figures: Path, copy: Path) -> Iterator[str]:
    for kind in PICTURES:
        if not (figures / f"{name}.{kind}").is_file():
            yield f"{figures / name}.{kind} is missing."
    fresh = copy / f"{name}.figure.csv"
    yield from _made_again(lambda: write_frame(fresh, plotted(name, study)), {figures / f"{name}.csv": fresh})


def _readme(study: StudyResults, results: Path, figures: Path) -> Iterator[str]:
    fresh = study.folder / "README.md"
    yield from _made_again(lambda: write_text(fresh, summary_text(study, figures)), {results / "README.md": fresh})


def _made_again(make: Callable[[], None], pairs: Mapping[Path, Path]) -> Iterator[str]:
    """The first difference of each file of the study from the fresh one that `make` writes, or why it cannot."""
    try:
        make()
    except UNREADABLE as error:
        yield f"{next(iter(pairs))} cannot be made again: {reason(error)}"
        return
    for path, fresh in pairs.items():
        yield from _guarded(path, fresh)


def _guarded(path: Path, fresh: Path, keys: Sequence[str] = ()) -> Iterator[str]:
    """The first difference of a file from what was made again, or why they cannot be compared.

    Where rows are in no order of their own, `keys` are columns that tell them apart.
    """
    if not path.is_file():
        yield f"{path} is missing."
        return
    try:
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
        unlike = np.flatnonzero(found[column].to_numpy() != right[column].to_numpy())
        for row in unlike:
            if not _close(found[column].iloc[row], right[column].iloc[row]):
                return (
                    f"row {found.index[row] + 1}, column {column} is {found[column].iloc[row]!r}, "
                    f"made again from the models' files it is {right[column].iloc[row]!r}"
                )
    return ""


def _close(one: str, other: str) -> bool:
    """Whether two cells are the same number but for rounding."""
    try:
        first, second = float(one), float(other)
    except ValueError:
        return False
    return abs(first - second) <= TOLERANCE * max(1.0, abs(second))


def _text_difference(path: Path, fresh: Path) -> str:
    """Where two texts first differ, in words; empty if they do not."""
    found, right = (file.read_text(encoding="utf-8") for file in (path, fresh))
    if found == right:
        return ""
    start = len(os.path.commonprefix([found, right]))
    line = found.count("\n", 0, start) + 1
    shown = [text[max(0, start - _CONTEXT) : start + _CONTEXT] for text in (found, right)]
    return f"line {line} reads {shown[0]!r}, made again from the models' files {shown[1]!r}"
