"""The audit of a study: which of the paper's claims it reproduces, and whether every number of it can be traced.

* `claims` reads ``claims.yaml``; `rules` turn a claim into effects, which `quantities` and `evidence` read from the
  models' files and `statistics` tests; `checks` look whether identities hold; `verdicts` decides;
* `integrity` compares files with manifests, configuration and data, `rebuild` makes tables and the like again,
  `recompute` measures models afresh: it alone loads torch, and only if it is asked for;
* `content` and `pages` are what is written: ``audit.json``, ``audit.md``, ``audit.html``.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from iwae.errors import InputError
from iwae.files import write_json, write_text
from iwae.reporting import seal
from iwae.reporting.audit import integrity, rebuild
from iwae.reporting.audit.claims import read_claims
from iwae.reporting.audit.content import Inspection, content, summary
from iwae.reporting.audit.evidence import Evidence
from iwae.reporting.audit.options import Recomputation
from iwae.reporting.audit.pages import pages
from iwae.reporting.audit.unreadable import UNREADABLE, reason
from iwae.reporting.audit.verdicts import Verdict, examine, judge, unreadable
from iwae.reporting.statements import protocols
from iwae.reporting.study import StudyResults

__all__ = ["Recomputation", "audit"]
_log = logging.getLogger(__name__)


def audit(results: Path, figures: Path, recomputation: Recomputation | None = None) -> list[str]:
    """Audit a study: write ``audit.json``, ``audit.md`` and ``audit.html`` to its folder.

    Args:
        results: The study folder.
        figures: The folder of its figures.
        recomputation: How to measure the models afresh; None not to.

    Returns:
        The problems with the study's files, a sentence for each; none if it is whole. Verdicts are no problems.

    Raises:
        InputError: There is no such study, or the models cannot be measured here.
    """
    results, figures = Path(results), Path(figures)
    if not results.is_dir():
        raise InputError(f"{results} is no folder: name that of a study, such as results/paper.")
    inspections = inspect(results, figures)
    if recomputation:
        from iwae.reporting.audit.recompute import recompute

        inspections.append(recompute(results, recomputation))
    found = content(results.name, *_judged(results), inspections)
    write_json(results / "audit.json", found)
    for kind, text in pages(found).items():
        write_text(results / f"audit.{kind}", text)
    _log.info("%s: %s", results / "audit.html", summary(found))
    return [problem for inspection in inspections for problem in inspection.problems]


def inspect(results: Path, figures: Path) -> list[Inspection]:
    """What is wrong with a study's files, part by part."""
    inspections = [_inspected(f"Seal, {seal.NAME}", "every file with its SHA-256 there.", lambda: seal.check(results))]
    try:
        study = integrity.configured(results)
    except InputError as error:
        lost = "nothing, since the configuration cannot be read."
        return [*inspections, Inspection("Models, tables and figures", lost, (str(error),))]
    return [
        *inspections,
        _inspected(
            "Models",
            f"the files of {len(study.models)} models with their manifests, the manifests with the configuration, the "
            "protocol, the published data and each other, and means with the values of each image.",
            lambda: integrity.model_problems(results, study),
        ),
        _inspected(
            "Unknown files",
            "every file with what the configuration asks for.",
            lambda: integrity.unknown_files(results, figures, study),
        ),
        _inspected(
            "Numbers",
            "results.csv, tables, the numbers of figures and the README with what the models' files give when all is "
            "made again.",
            lambda: rebuild.problems(results, figures, study),
        ),
    ]


def _inspected(title: str, compared: str, find: Callable[[], Iterable[str]]) -> Inspection:
    problems: list[str] = []
    try:
        problems.extend(find())
    except UNREADABLE as error:
        problems.append(f"{title} could not be compared to the end: {reason(error)}")
    return Inspection(title, compared, tuple(problems))


def _judged(results: Path) -> tuple[list[str], list[Verdict], list[Verdict]]:
    """The protocols of the study's own models, none if it cannot be read; the verdicts on claims, and on identities."""
    read = read_claims()
    try:
        study = StudyResults.open(results)
        named = protocols(study.grid.models or study.models)
    except UNREADABLE as error:
        sentence = f"The study cannot be read: {reason(error)}"
        return [], unreadable(read.claims, sentence), unreadable(read.identities, sentence)
    evidence = Evidence(study, read.images, read.binarization, read.taken_over)
    return named, judge(read.claims, evidence), examine(read.identities, evidence)
