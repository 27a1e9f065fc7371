"""What is wrong with a study's files, part by part."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from iwae.errors import InputError
from iwae.reporting.results import reason
from iwae.reporting.study import StudyResults
from iwae.reporting.verify import integrity, rebuild, seal


@dataclass(frozen=True)
class Inspection:
    """One part of the integrity checks: how much was compared with what, and a sentence for each problem."""

    title: str
    compared: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recomputation:
    """How models are measured afresh."""

    images: int  # test images of each model, evenly spaced over those measured, and draws of its surgery: two or more
    data: Path
    device: str = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.images < 2:
            raise InputError(f"images = {self.images} is impossible: it must be 2 or more.")


def opened(results: Path) -> StudyResults | str:
    """The study in a folder, or why it cannot be read."""
    try:
        return StudyResults.open(results)
    except Exception as error:
        return reason(error)


def inspect(results: Path, figures: Path, study: StudyResults | str | None = None) -> list[Inspection]:
    """What is wrong with a study's files, part by part; `study` is what `opened` has given, if it was asked before."""
    study = study or opened(results)
    known = study if isinstance(study, StudyResults) else None
    # What a sealed study lacks is lost, and not still to be run.
    missing = known.unfinished if known and not (results / seal.NAME).is_file() else []
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
            lambda: rebuild.problems(results, figures, asked, known, interim=bool(missing)),
        ),
    ]


def _inspected(title: str, compared: str, find: Callable[[], Iterable[str]]) -> Inspection:
    problems: list[str] = []
    try:
        problems.extend(find())
    except Exception as error:
        problems.append(f"{title} could not be compared to the end: {reason(error)}")
    return Inspection(title, compared, tuple(problems))
