"""What is wrong with a study's files, part by part."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from iwae.errors import InputError
from iwae.reporting.unreadable import UNREADABLE, reason
from iwae.reporting.verify import integrity, rebuild, seal


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
