"""The README of a study, and what the repository's README says of studies: generated from what their folders have."""

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from iwae.errors import InputError
from iwae.files import write_text
from iwae.reporting import contents
from iwae.reporting.claims.content import VERDICTS, found, found_section, summary
from iwae.reporting.claims.verdicts import UNDECIDED, verdicts_of
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

    Tables and figures that the study has no more, as a measurement was turned off, are removed.
    """
    for path in _former(study, figures):
        path.unlink(missing_ok=True)
    write_text(study.folder / "README.md", summary_text(study, figures))
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
    jobs = {tuple(one.trained.get("stack", [one.spec.name])): one.trained.get("wall_seconds") for one in study.models}
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
        folder=_relative(figures, study.folder),
        seconds=[seconds for seconds in jobs.values() if seconds is not None],
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


def write_readme(readme: Path, results: Path, figures: Path) -> None:
    """Put the generated parts between their `marks` in `readme`; what is outside of them stays as it is.

    Raises:
        InputError: A mark or the audit is missing, or the study is not as its manifests describe it.
    """
    text = readme.read_text(encoding="utf-8")
    for part, body in readme_parts(results, figures, readme.parent).items():
        begin, end = marks(part)
        around = re.split(f"{re.escape(begin)}.*?{re.escape(end)}", text, flags=re.DOTALL)
        if len(around) != 2:
            raise InputError(f"{readme} needs the lines {begin} and {end}, once each.")
        text = f"{begin}\n{body}\n{end}".join(around)
    write_text(readme, text)


def marks(part: str) -> tuple[str, str]:
    """The lines in the repository's README between which a generated part stands."""
    return f"<!-- {part}: generated by `make readme STUDY=...` -->", f"<!-- end of {part} -->"


def readme_parts(results: Path, figures: Path, root: Path) -> dict[str, str]:
    """What a README in `root` says, by the name of the part: of a study, and what it and the studies beside it decide.

    Links are relative to `root`.
    """
    return {"verdicts": _decided(results.parent, root), "results": _section(results, figures, root)}


def _decided(studies: Path, root: Path) -> str:
    """A line for each study and family of claims of which its audit decides some, in Markdown."""
    lines = []
    for path in sorted(studies.glob("*/audit.json")):
        audit, page = json.loads(path.read_text(encoding="utf-8")), _relative(path.with_suffix(".md"), root)
        for family, part in audit["found"].items():
            counts, not_run = part["counts"], f" ({part['not_run']} not run)" * bool(part["not_run"])
            if counts[UNDECIDED] < sum(counts.values()):
                cells = [family, f"[{path.parent.name}]({page})", "; ".join(audit["protocols"])]
                cells += [str(counts[verdict]) for verdict in VERDICTS]
                lines.append(f"| {' | '.join(cells)}{not_run} |")
    head = f"| claims on | study | protocol | {' | '.join(VERDICTS)} |\n| --- | --- | --- | --: | --: | --: |"
    return "\n".join([head, *sorted(lines)])


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def _section(results: Path, figures: Path, root: Path) -> str:
    """What a study found, for a reader who sees nothing else: statements, Table 1, the verdicts of its audit."""
    study, path = StudyResults.open(results), results / "audit.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: audit the study first.")
    audit, grid = json.loads(path.read_text(encoding="utf-8")), study.grid
    folder, pictures = (_relative(path, root) for path in (results, figures))
    statements = [f"Protocol: {'; '.join(protocols(grid))}.", likelihood_line(grid)]
    parts = [
        f"From the study [`{results.name}`]({folder}/README.md), which has every table, figure and number:",
        "\n".join(f"- {line}" for line in statements),
        rendered("md", build("table1", study)[1]).strip(),
        f"![nll against k]({pictures}/nll.png)",
        contents.FIGURES["nll"].caption,
        "### The paper's claims",
        found_section(audit["found"], f"{folder}/audit.md"),
        f"The [audit]({folder}/audit.md) of all claims: {summary(audit)}.",
    ]
    return "\n\n".join(parts)
