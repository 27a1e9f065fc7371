"""The audit of a study: which of the paper's claims it reproduces, and whether every number of it can be traced.

The first is the matter of `iwae.reporting.claims`, the second of `iwae.reporting.verify`. What is written is
``audit.json``, ``audit.md`` and ``audit.html``.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from iwae.errors import InputError
from iwae.files import write_json, write_text
from iwae.reporting.claims.content import content, pages
from iwae.reporting.claims.verdicts import unreadable, verdicts_of
from iwae.reporting.results import UNREADABLE, reason
from iwae.reporting.statements import protocols
from iwae.reporting.study import StudyResults
from iwae.reporting.verify import Inspection, Recomputation, integrity, rebuild, seal
from iwae.study.specification import ModelSpec

_log = logging.getLogger(__name__)


def audit(results: Path, figures: Path, recomputation: Recomputation | None = None) -> list[str]:
    """Audit a study, its models measured afresh if asked for, and write the audit to its folder.

    Returns:
        The problems with the study's files, a sentence for each; none if it is whole. Verdicts are no problems.

    Raises:
        InputError: There is no such study, or the models cannot be measured here.
    """
    if not results.is_dir():
        raise InputError(f"{results} is no folder: name that of a study, such as results/paper.")
    study, fault = _opened(results)
    inspections = inspect(results, figures, study)
    if recomputation:
        from iwae.reporting.verify.recompute import recompute

        inspections.append(recompute(results, recomputation, _still_to_run(results, study)))
    named, judged = (protocols(study.grid or study.models), verdicts_of(study)) if study else ([], unreadable(fault))
    found = content(results.name, named, *judged, [vars(inspection) for inspection in inspections])
    write_json(results / "audit.json", found)
    for kind, text in pages(found).items():
        write_text(results / f"audit.{kind}", text)
    _log.info("%s: %s", results / "audit.html", found["summary"])
    return [problem for inspection in inspections for problem in inspection.problems]


def _opened(results: Path) -> tuple[StudyResults | None, str]:
    """The study in a folder, or why it cannot be read."""
    try:
        return StudyResults.open(results), ""
    except UNREADABLE as error:
        return None, reason(error)


def _still_to_run(results: Path, study: StudyResults | None) -> list[ModelSpec]:
    """The models of an unfinished study that are not finished; what a sealed one lacks is lost."""
    return study.unfinished if study and not (results / seal.NAME).is_file() else []


def inspect(results: Path, figures: Path, study: StudyResults | None = None) -> list[Inspection]:
    """What is wrong with a study's files, part by part; the `study` is opened where it was not before."""
    study = study or _opened(results)[0]
    missing = _still_to_run(results, study)
    title = f"Seal, {seal.NAME}"
    if missing:
        sealed = Inspection(title, f"nothing: {len(missing)} models are not run yet, and are left out here.")
    else:
        sealed = _inspected(title, "every file with its SHA-256 there.", lambda: seal.check(results))
    try:
        asked = integrity.configured(results)
    except InputError as error:
        lost = "nothing, since the configuration cannot be read."
        return [sealed, Inspection("Models, tables and figures", lost, (str(error),))]
    finished = replace(asked, models=tuple(spec for spec in asked.models if spec not in missing))
    return [
        sealed,
        _inspected(
            "Models",
            f"the files of {len(finished.models)} models with their manifests, the manifests with the configuration, "
            "the protocol, the published data and each other, and means with the values of each image.",
            lambda: integrity.model_problems(results, finished),
        ),
        _inspected(
            "Unknown files",
            "every file with what the configuration asks for.",
            lambda: integrity.unknown_files(results, figures, asked),
        ),
        _inspected(
            "Numbers",
            "results.csv, tables, the numbers of figures and the README with what the models' files give when all is "
            "made again.",
            lambda: rebuild.problems(results, figures, asked, study, interim=bool(missing)),
        ),
    ]


def _inspected(title: str, compared: str, find: Callable[[], Iterable[str]]) -> Inspection:
    problems: list[str] = []
    try:
        problems.extend(find())
    except UNREADABLE as error:
        problems.append(f"{title} could not be compared to the end: {reason(error)}")
    return Inspection(title, compared, tuple(problems))
