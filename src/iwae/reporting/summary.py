"""The README of a study: generated from what its folder has."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from iwae.files import relative, write_text
from iwae.reporting import contents
from iwae.reporting.claims.content import found, found_section
from iwae.reporting.claims.verdicts import verdicts_of
from iwae.reporting.figures import figures_of
from iwae.reporting.statements import NO_VALUES, comparison_lines, counted, interim_lines, likelihood_line, protocols
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import build, tables_of
from iwae.reporting.tables.formats import Table, rendered
from iwae.reporting.tables.models import duration
from iwae.reporting.templates import render
from iwae.reporting.verify import seal


def write_summary(study: StudyResults, figures: Path) -> None:
    """Write `summary_text` to ``README.md`` in a study's folder, and its seal if all of it is finished.

    Tables and figures that the study has no more, as a measurement was turned off, are removed, and so is an audit of
    other results than those that the README has now.
    """
    readme, text = study.folder / "README.md", summary_text(study, figures)
    is_other = not readme.is_file() or readme.read_text(encoding="utf-8") != text
    for path in (
        *_former(study, figures),
        *(study.folder / f"audit.{kind}" for kind in contents.AUDIT_KINDS if is_other),
    ):
        path.unlink(missing_ok=True)
    write_text(readme, text)
    if study.unfinished:
        (study.folder / seal.NAME).unlink(missing_ok=True)
    else:
        seal.seal(study.folder, figures)


def _former(study: StudyResults, figures: Path) -> Iterator[Path]:
    """Where the tables and figures would be that the study does not have.

    Figures alone of the study's own folder: of another one's, given by mistake, nothing shall be lost.
    """
    tables, drawn = (find(study.specs, study.sections_of) for find in (contents.tables, contents.figures))
    for name in contents.TABLES.keys() - tables:
        yield from (study.folder / f"{name}.{kind}" for kind in contents.TABLE_KINDS)
    for name in contents.FIGURES.keys() - drawn if figures.name == study.folder.name else ():
        yield from (figures / f"{name}.{kind}" for kind in contents.FIGURES[name].kinds)


def summary_text(study: StudyResults, figures: Path) -> str:
    """A study's README: what was done, the tables, and those of the figures that are in the folder `figures`.

    Raises:
        InputError: A file of the study is missing or not as its manifest describes it.
    """
    models = study.grid or study.usual
    measured = [model for model in study.models if "likelihood" in model.manifest]
    jobs = {tuple(one.trained["stack"]): one.trained["wall_seconds"] for one in study.models}
    said = comparison_lines(models, NO_VALUES)
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
        tables={name: _markdown(build(name, study)[1], said) for name in tables_of(study)},
        figures={name: item for name, item in figures_of(study).items() if (figures / f"{name}.png").is_file()},
        folder=relative(figures, study.folder),
        seconds=list(jobs.values()),
        trained=[model.trained for model in study.models],
        measured=[
            step["provenance"] for one in study.models for name, step in one.manifest.items() if name != "training"
        ],
        seal=seal.NAME,
    )
    return text.strip() + "\n"


def _markdown(tables: Iterable[Table], said: Collection[str]) -> str:
    """Tables without the lines above them that are `said` at the head of the page."""
    left = [replace(table, lead=[line for line in table.lead if line not in said]) for table in tables]
    return rendered("md", left).strip()


def _counts(entries: Iterable[dict[str, Any]], key: str, what: str = "model") -> str:
    """The distinct values of an entry, with how often each occurs where there are several."""
    counts = sorted(Counter(str(one.get(key) or "unknown") for one in entries).items())
    return ", ".join(f"{value} ({counted(count, what)})" if len(counts) > 1 else value for value, count in counts)
