"""What is wrong with a study's files, part by part."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from iwae.errors import InputError
from iwae.reporting.study import StudyResults
from iwae.reporting.unreadable import UNREADABLE, reason
from iwae.reporting.verify import integrity, rebuild, seal
from iwae.study.specification import ModelSpec


@dataclass(frozen=True)
class Inspection:
    """One part of the integrity checks.

    Attributes:
        title: What was compared with what, in a few words.
        compared: How much was compared, a sentence.
        problems: A sentence for each problem, with the file in it.
    """

    title: str
    compared: str
    problems: tuple[str, ...]


def inspect(results: Path, figures: Path) -> list[Inspection]:
    """What is wrong with a study's files, part by part."""
    missing = _unfinished(results)
    inspections = [_sealed(results, len(missing))]
    try:
        study = integrity.configured(results)
    except InputError as error:
        lost = "nothing, since the configuration cannot be read."
        return [*inspections, Inspection("Models, tables and figures", lost, (str(error),))]
    finished = replace(study, models=tuple(spec for spec in study.models if spec not in missing))
    return [
        *inspections,
        _inspected(
            "Models",
            f"the files of {len(finished.models)} models with their manifests, the manifests with the configuration, "
            "the protocol, the published data and each other, and means with the values of each image.",
            lambda: integrity.model_problems(results, finished),
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
            lambda: rebuild.problems(results, figures, study, interim=bool(missing)),
        ),
    ]


def _unfinished(results: Path) -> list[ModelSpec]:
    """The models that are still to be run of a study that is not sealed; what a sealed one lacks is lost."""
    try:
        return [] if (results / seal.NAME).is_file() else StudyResults.open(results).unfinished
    except UNREADABLE:
        return []


def _sealed(results: Path, missing: int) -> Inspection:
    if missing:
        return Inspection(
            f"Seal, {seal.NAME}", f"nothing: {missing} models are not run yet, and are left out here.", ()
        )
    return _inspected(f"Seal, {seal.NAME}", "every file with its SHA-256 there.", lambda: seal.check(results))


def _inspected(title: str, compared: str, find: Callable[[], Iterable[str]]) -> Inspection:
    problems: list[str] = []
    try:
        problems.extend(find())
    except UNREADABLE as error:
        problems.append(f"{title} could not be compared to the end: {reason(error)}")
    return Inspection(title, compared, tuple(problems))
