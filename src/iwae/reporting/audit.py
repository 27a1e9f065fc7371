"""The audit of a study: which of the paper's claims it reproduces, and whether every number of it can be traced.

The first is the matter of `iwae.reporting.claims`, the second of `iwae.reporting.verify`. What is written is
``audit.json``, ``audit.md`` and ``audit.html``.
"""

import logging
from pathlib import Path

from iwae.errors import InputError
from iwae.files import write_json, write_text
from iwae.reporting.claims.content import content, pages, summary
from iwae.reporting.claims.found import verdicts_of
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.claims.verdicts import Verdict, unreadable
from iwae.reporting.statements import protocols
from iwae.reporting.study import StudyResults
from iwae.reporting.verify.inspection import Recomputation, inspect, opened

__all__ = ["Recomputation", "audit"]
_log = logging.getLogger(__name__)


def audit(results: Path, figures: Path, recomputation: Recomputation | None = None) -> list[str]:
    """Audit a study, its models measured afresh if asked for, and write the audit to its folder.

    Returns:
        The problems with the study's files, a sentence for each; none if it is whole. Verdicts are no problems.

    Raises:
        InputError: There is no such study, or the models cannot be measured here.
    """
    results, figures = Path(results), Path(figures)
    if not results.is_dir():
        raise InputError(f"{results} is no folder: name that of a study, such as results/paper.")
    study = opened(results)
    inspections = inspect(results, figures, study)
    if recomputation:
        from iwae.reporting.verify.recompute import recompute

        inspections.append(recompute(results, recomputation))
    found = content(results.name, *_judged(study), inspections)
    write_json(results / "audit.json", found)
    for kind, text in pages(found).items():
        write_text(results / f"audit.{kind}", text)
    _log.info("%s: %s", results / "audit.html", summary(found))
    return [problem for inspection in inspections for problem in inspection.problems]


def _judged(study: StudyResults | str) -> tuple[list[str], list[Verdict], list[Verdict]]:
    """The protocols of the study's own models, none if it cannot be read; the verdicts on claims, and on identities."""
    if isinstance(study, StudyResults):
        return protocols(study.grid or study.models), *verdicts_of(study)
    read, sentence = read_claims(), f"The study cannot be read: {study}"
    return [], unreadable(read.claims, sentence), unreadable(read.identities, sentence)
