"""How a study stands: which of its results are finished, and which are still to be made.

Decided by the manifests (`iwae.study.manifest`) and ``configuration.json``, never by time stamps. Finished results are
left out of the workflow's rules, so nothing can make them again. Their bytes are verified here, before the workflow
touches anything: a job that finds damage fails, and Snakemake deletes what a failed job was to write. Standard library
only; reads, never writes.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwae.errors import InputError
from iwae.study import manifest
from iwae.study.configuration import StudyConfig, study_of
from iwae.study.measurements import MEASUREMENTS
from iwae.study.settings import differences
from iwae.study.specification import ModelSpec

FILES = {
    "training": ("model.safetensors", "training.csv"),
    **{name: entry.files for name, entry in MEASUREMENTS.items()},
}


@dataclass(frozen=True)
class StudyStatus:
    """What of a study is still to do.

    Attributes:
        unfinished: For each section of a manifest, the models whose folder does not hold its current result.
        outdated: For (model's name, section) with a result of other weights or with less than all its files, a hash of
            that result and of the settings asked for now. A file that is there cannot trigger the work. The entry
            ("", "results") stands for a ``results.csv`` that was collected under another configuration.
        stripped: The models whose weights were deleted on purpose.
        stuck: The unfinished models that cannot be trained: the training state of the finished one that they are
            continued from is gone.
    """

    unfinished: dict[str, list[ModelSpec]] = field(default_factory=dict)
    outdated: dict[tuple[str, str], str] = field(default_factory=dict)
    stripped: list[ModelSpec] = field(default_factory=list)
    stuck: list[ModelSpec] = field(default_factory=list)

    def missing(self) -> str:
        """A phrase on what is unfinished; empty if all is finished."""
        sections = defaultdict(list)
        for section, models in self.unfinished.items():
            sections[tuple(model.name for model in models)].append(section)
        return ", ".join(_count(", ".join(found), names) for names, found in sections.items() if names)

    def as_dict(self) -> dict[str, Any]:
        """This status as JSON can hold it."""
        return {
            "unfinished": {section: [model.name for model in models] for section, models in self.unfinished.items()},
            "outdated": [[*key, mark] for key, mark in self.outdated.items()],
            "stripped": [model.name for model in self.stripped],
            "stuck": [model.name for model in self.stuck],
        }

    @classmethod
    def of_dict(cls, content: dict[str, Any]) -> "StudyStatus":
        """The status that `as_dict` wrote."""
        return cls(
            {section: [ModelSpec.parse(name) for name in names] for section, names in content["unfinished"].items()},
            {(model, section): mark for model, section, mark in content["outdated"]},
            *([ModelSpec.parse(name) for name in content[key]] for key in ("stripped", "stuck")),
        )


def study_status(study: StudyConfig, results: Path, checkpoints: Path) -> StudyStatus:
    """How `study` stands in the folder `results`, with its training states in `checkpoints`.

    Raises:
        InputError: A trained model in `results` is not the one that `study` asks for, or its folder is damaged; the
            message names the first such folders.
    """
    result = StudyStatus({section: [] for section in study.sections})
    problems = []
    for model in study.models:
        folder, checkpoint = Path(results) / model.name, Path(checkpoints) / study.training.state_file(model)
        try:
            origin = Path(checkpoints) / study.training.state_file(model.origin or model)
            _check_manifest(folder, checkpoint, origin)
            _look(study, model, folder, origin, result)
        except InputError as error:
            problems.append(str(error))
    if problems:
        more = f"\n{len(problems) - 3} more folders have such problems." if len(problems) > 3 else ""
        raise InputError("\n".join(problems[:3]) + more)
    result.stuck.extend(_stuck(study, result.unfinished["training"], Path(checkpoints)))
    collected = Path(results) / "results.csv"
    if collected.is_file() and _digest(collected.with_name("configuration.json")) != study.digest:
        # With its time, as the study may go back and forth between two configurations.
        result.outdated["", "results"] = _hash(study.digest, collected.stat().st_mtime_ns)
    return result


def _stuck(study: StudyConfig, untrained: list[ModelSpec], checkpoints: Path) -> Iterator[ModelSpec]:
    """Those of the untrained models that are continued from a trained one whose training state is gone."""
    for model in untrained:
        if model.origin and model.origin not in untrained:
            states = (checkpoints / study.training.state_file(needed) for needed in (model, model.origin))
            if not any(state.is_file() for state in states):
                yield model


def _digest(path: Path) -> str:
    """The digest of the study that a ``configuration.json`` describes; empty if it describes none."""
    try:
        return study_of(json.loads(path.read_text(encoding="utf-8"))).digest
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _look(study: StudyConfig, model: ModelSpec, folder: Path, checkpoint: Path, result: StudyStatus) -> None:
    """Enter into `result` how one model stands, whose training would go on from `checkpoint`."""
    content, trained = _content(model, folder), True
    if manifest.is_stripped(content):
        result.stripped.append(model)
    for section in study.sections_of(model):
        asked = study.settings(section, model)
        if trained and manifest.is_current(folder, section, asked):
            _check_files(folder, section, manifest.files_of(content, section))
            continue
        if section == "training" and section in content:
            require_extensible(folder, content[section]["settings"], asked, checkpoint)
        elif trained and manifest.is_stripped(content):
            raise InputError(_cannot_measure(folder, section, content, asked))
        elif trained:
            require_same_settings(folder, content, section, asked)
        result.unfinished[section].append(model)
        if trained and section in content:
            result.outdated[model.name, section] = _hash(content[section], asked)
        # What was measured on weights that are to be replaced is not finished either.
        trained &= section != "training"


def _cannot_measure(folder: Path, section: str, content: dict[str, Any], asked: dict[str, Any]) -> str:
    """Why a section of a model without weights is not current, in a sentence with what to do."""
    found = content.get(section)
    lost = [name for name in manifest.files_of(content, section) if not (folder / name).is_file()] if found else []
    if lost:
        return (
            f"{folder} has lost {' and '.join(lost)}, and its weights on purpose, so {section} cannot be measured "
            "again: restore what is lost, or delete the folder to train the model again."
        )
    changed = "; ".join(differences(found["settings"], asked)) if found else "it was not measured"
    return (
        f"{folder} has lost its weights on purpose, so {section} cannot be measured as asked ({changed}): ask for what "
        "there is, choose another `study`, or delete the folder to train the model again."
    )


def _content(model: ModelSpec, folder: Path) -> dict[str, Any]:
    """The manifest in `folder`, empty if there is none; refused if it is another model's or malformed."""
    path = folder / manifest.NAME
    if not path.is_file():
        return {}
    content = manifest.read(folder)
    if ModelSpec(**content["model"]) != model:
        raise InputError(f"{path} belongs to another model, {ModelSpec(**content['model']).name}: restore the folder.")
    return content


def _check_manifest(folder: Path, state: Path, origin: Path) -> None:
    """Refuse files without a manifest: nobody knows what they are, and training would write over them.

    Where its training state is there, or that of the model it begins with, the manifest is not lost: training was
    interrupted, or writes it in a moment. But the state of a trained model comes after the manifest.
    """
    if (folder / manifest.NAME).is_file():
        return
    if (state.is_file() or origin.is_file()) and not _is_of_trained(state):
        return
    found = [name for names in FILES.values() for name in names if (folder / name).is_file()]
    if found:
        raise InputError(
            f"{folder} holds {', '.join(found)} but has lost its {manifest.NAME}: restore it, or delete the folder to "
            "train the model again."
        )


def _is_of_trained(state: Path) -> bool:
    """Whether a training state is that of a trained model, which names its weights (`iwae.training.state`)."""
    try:
        content = state.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return bool(json.loads(header["__metadata__"]["scalars"])["weights"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _check_files(folder: Path, section: str, names: Iterable[str]) -> None:
    """Refuse files of a finished step that are not what the manifest describes."""
    remedy = "the folder to train the model again" if section == "training" else "the file to measure the model again"
    for name in names:
        try:
            manifest.checked_file(folder, section, name)
        except InputError as error:
            raise InputError(f"{str(error).removesuffix('.')}; restore it, or delete {remedy}.") from error


def require_same_settings(folder: Path, content: dict[str, Any], section: str, asked: dict[str, Any]) -> None:
    """Refuse to measure a model again under other settings: what is there may have taken hours.

    Args:
        folder: The model's.
        content: Its manifest, empty if there is none.
        section: What is to be measured.
        asked: Its settings.

    Raises:
        InputError: It is there, measured of the same weights under other settings, with all its files.
    """
    found = content.get(section)
    if found is None or found["settings"] == asked or not manifest.is_current(folder, section, found["settings"]):
        return
    raise InputError(
        f"{folder} holds {section} measured otherwise ({'; '.join(differences(found['settings'], asked))}): choose "
        f"another `study`, which is another folder, or delete {next(iter(found['files']))} there to measure it again."
    )


def require_extensible(folder: Path, found: dict[str, Any], asked: dict[str, Any], checkpoint: Path) -> None:
    """Refuse to touch a trained model, unless its training is to be extended by further stages and can be.

    Args:
        folder: The model's.
        found: The settings of its training.
        asked: Those that it shall have.
        checkpoint: The training state that it goes on from: its own, or that of the model that it starts from.

    Raises:
        InputError: It was trained otherwise, or would be begun anew.
    """
    others = [line for line in differences(found, asked) if not line.startswith("stages ")]
    if found == asked:
        lost = [name for name in FILES["training"] if not (folder / name).is_file()]
        raise InputError(
            f"{folder} has lost {' and '.join(lost)} of a finished training: restore it, or delete the folder to train "
            "the model again."
        )
    if others or found.get("stages", 0) > asked.get("stages", 0):
        reason = f"holds a model that was trained differently ({'; '.join(others or differences(found, asked))})"
    elif not checkpoint.is_file():
        reason = f"was trained for fewer stages and cannot be extended, since its training state {checkpoint} is gone"
    else:
        return
    raise InputError(f"{folder} {reason}: choose another `study`, which is another folder, or delete this one.")


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _count(sections: str, names: Sequence[str]) -> str:
    """``likelihood, activity of 3 models (a, b, c)``, at most three of them named."""
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{sections} of {len(names)} model{'s' if len(names) > 1 else ''} ({shown})"
