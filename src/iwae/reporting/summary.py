"""The README of a study: generated, from the study's tables, figures and manifests."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from iwae.errors import InputError
from iwae.files import write_text
from iwae.reporting.claims.found import found, verdicts_of
from iwae.reporting.claims.pages import found_section
from iwae.reporting.figures import figures_of
from iwae.reporting.statements import comparison_lines, counted, interim_lines, likelihood_line, protocols
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import tables_of
from iwae.reporting.tables.models import duration
from iwae.reporting.templates import render
from iwae.reporting.verify.seal import NAME as SEAL
from iwae.reporting.verify.seal import seal

_CODE = ("git_commit", "source_sha256", "python", "torch", "numpy", "safetensors")


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
    results, figures = study.folder, Path(figures)
    text = render(
        "summary.md.jinja",
        {},
        study=results.name,
        statements=_statements(study),
        found=found_section(found(verdicts_of(study)[0]), "audit.md"),
        tables={name: _table(tables or results, name) for name in tables_of(study)},
        figures={name: item for name, item in figures_of(study).items() if (figures / f"{name}.png").is_file()},
        folder=Path(os.path.relpath(figures, results)).as_posix(),
        provenance=_provenance(study),
    )
    return text.strip() + "\n"


def _statements(study: StudyResults) -> list[str]:
    models = study.grid or study.usual
    seeds = sorted({spec.seed for spec in study.specs})
    varied = sum(bool(spec.variation) for spec in study.specs)
    others = f", {varied} of them variations of models of the grid" if varied else ""
    measured = [model for model in study.models if "likelihood" in model.manifest]
    return [
        *(f"**{line}**" for line in interim_lines(study)),
        f"**{' '.join(comparison_lines(models))}**",
        f"Protocol: {'; '.join(protocols(models))}{', and others' if len(study.usual) < len(study.models) else ''}.",
        f"{counted(len(study.specs), 'model')}{others}; {counted(len(seeds), 'seed')}: {', '.join(map(str, seeds))}.",
        *([likelihood_line(measured)] if measured else []),
    ]


def _table(results: Path, name: str) -> str:
    path = results / f"{name}.md"
    if not path.is_file():
        raise InputError(f"{path} is missing: run the step 'table {name}' first.")
    return path.read_text(encoding="utf-8").strip()


def _provenance(study: StudyResults) -> list[str]:
    models = study.models
    jobs = {tuple(model.trained.get("stack", [model.spec.name])): model.trained.get("wall_seconds") for model in models}
    known = [seconds for seconds in jobs.values() if seconds is not None]
    lines = [f"Trained on {_counts(model.trained.get('device') for model in models)}."]
    if known:
        lines.append(f"Training took {duration(sum(known))} in all, over {counted(len(known), 'job')}.")
    lines += [f"{key}: {_counts(model.trained.get(key) for model in models)}" for key in _CODE]
    lines.append("Each model's `manifest.json` has its settings and the SHA-256 of each of its files.")
    if not study.unfinished:
        lines.append(
            f"`{SEAL}` has the SHA-256 of every file of the study, figures included: `sha256sum --check {SEAL}`."
        )
    return lines


def _counts(values: Iterable[Any]) -> str:
    """The distinct values, with how often each occurs where there are several."""
    counts = sorted(Counter("unknown" if value is None else str(value) for value in values).items())
    return ", ".join(f"{value} ({counted(count, 'model')})" if len(counts) > 1 else value for value, count in counts)
