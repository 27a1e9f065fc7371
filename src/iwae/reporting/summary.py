"""The README of a study: generated, from the study's tables, figures and manifests."""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from iwae.errors import InputError
from iwae.files import write_text
from iwae.reporting.claims.content import found, found_section
from iwae.reporting.claims.verdicts import verdicts_of
from iwae.reporting.figures import figures_of
from iwae.reporting.statements import NO_VALUES, comparison_lines, counted, interim_lines, likelihood_line, protocols
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import tables_of
from iwae.reporting.tables.models import duration
from iwae.reporting.templates import render
from iwae.reporting.verify.seal import NAME as SEAL
from iwae.reporting.verify.seal import seal


def write_summary(study: StudyResults, figures: Path) -> None:
    """Write `summary_text` to ``README.md`` in a study's folder, and its seal if all of it is finished."""
    write_text(study.folder / "README.md", summary_text(study, figures))
    if study.unfinished:
        (study.folder / SEAL).unlink(missing_ok=True)
    else:
        seal(study.folder, figures)


def summary_text(study: StudyResults, figures: Path, tables: Path | None = None) -> str:
    """A study's README: what was done, the tables, and those of the figures that are in the folder `figures`.

    The tables are those in the folder `tables`, or in the study's own.

    Raises:
        InputError: A table is missing, or a file of the study is missing or not as its manifest describes it.
    """
    results, figures, models = study.folder, Path(figures), study.grid or study.usual
    measured = [model for model in study.models if "likelihood" in model.manifest]
    jobs = {tuple(one.trained.get("stack", [one.spec.name])): one.trained.get("wall_seconds") for one in study.models}
    said = {f"**{line}**" for line in comparison_lines(models, NO_VALUES)}
    text = render(
        "summary.md.jinja",
        {"counted": counted, "counts": _counts, "duration": duration},
        study=study,
        interim=interim_lines(study),
        compared=comparison_lines(models),
        protocols=protocols(models),
        seeds=sorted({spec.seed for spec in study.specs}),
        likelihood=likelihood_line(measured) if measured else "",
        found=found_section(found(verdicts_of(study)[0]), "audit.md"),
        tables={name: _table(tables or results, name, said) for name in tables_of(study)},
        figures={name: item for name, item in figures_of(study).items() if (figures / f"{name}.png").is_file()},
        folder=Path(os.path.relpath(figures, results)).as_posix(),
        seconds=[seconds for seconds in jobs.values() if seconds is not None],
        trained=[model.trained for model in study.models],
        measured=[
            step["provenance"] for one in study.models for name, step in one.manifest.items() if name != "training"
        ],
        seal=SEAL,
    )
    return text.strip() + "\n"


def _table(results: Path, name: str, said: Collection[str]) -> str:
    """A table without the lines above it that are said at the head of the page."""
    path = results / f"{name}.md"
    if not path.is_file():
        raise InputError(f"{path} is missing: run `python -m iwae table {name}` first.")
    text = path.read_text(encoding="utf-8").strip()
    return "\n\n".join(block for block in text.split("\n\n") if block not in said)


def _counts(entries: Iterable[dict[str, Any]], key: str, what: str = "model") -> str:
    """The distinct values of an entry, with how often each occurs where there are several."""
    counts = sorted(Counter(str(one.get(key) or "unknown") for one in entries).items())
    return ", ".join(f"{value} ({counted(count, what)})" if len(counts) > 1 else value for value, count in counts)
