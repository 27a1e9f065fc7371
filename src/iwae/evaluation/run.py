"""Measuring a trained model: the sections asked for, one after another, each entered in its manifest as it finishes."""

import logging
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iwae.errors import InputError
from iwae.evaluation.subject import Subject
from iwae.study import manifest
from iwae.study.declaration import Settings
from iwae.study.measurements import MEASUREMENTS
from iwae.study.registry import implementation
from iwae.study.status import require_same_settings

_log = logging.getLogger(__name__)


def measure(folder: Path, data: Path, wanted: Mapping[str, Settings], device: str = "auto", threads: int = 1) -> None:
    """Measure what the folder of a model lacks of the sections asked for; what is current is left as it is.

    An interruption loses the section at work, and no other.

    Args:
        folder: The model's folder.
        data: The data folder.
        wanted: The settings of each section to measure.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads.

    Raises:
        InputError: A section is unknown or there under other settings, a file is missing or damaged, the folder cannot
            be written, or a result is not finite.
    """
    unknown = [name for name in wanted if name not in MEASUREMENTS]
    if unknown:
        raise InputError(f"section {unknown[0]!r} is unknown: use one of {', '.join(MEASUREMENTS)}.")
    folder, subject = Path(folder), None
    manifest.checked_file(folder, "training", manifest.WEIGHTS)
    # Should the model be trained further meanwhile, what is measured is not of the weights that are there then.
    weights = manifest.read(folder)["training"]["files"][manifest.WEIGHTS]
    recorded = {name: _recorded(folder, name, wanted) for name in MEASUREMENTS if name in wanted}
    for section, asked in recorded.items():
        require_same_settings(folder, manifest.read(folder), section, asked)
    for section, asked in recorded.items():
        if manifest.is_current(folder, section, asked):
            _log.info("%s of %s is there", section, folder)
            continue
        if subject is None:
            _require_writable(folder)
            subject = Subject.open(folder, data, device, threads)
            _log.info("Measuring on %s", subject.provenance["device"])
        _measure(subject, section, wanted[section], asked, weights)


def _require_writable(folder: Path) -> None:
    """Refuse before the work what would fail at its end."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): measure a copy of it elsewhere.") from error


def _recorded(folder: Path, section: str, wanted: Mapping[str, Settings]) -> dict[str, Any]:
    """The settings of a section as the manifest keeps them, those of the sections that it reads included."""
    there = manifest.read(folder)
    read = {
        name: wanted[name].as_dict() if name in wanted else there.get(name, {}).get("settings")
        for name in MEASUREMENTS[section].reads
    }
    return wanted[section].as_dict() | read


def _measure(subject: Subject, section: str, settings: Settings, recorded: dict[str, Any], weights: str) -> None:
    clock, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    files = MEASUREMENTS[section].files
    implementation(f"iwae.evaluation.{section}:write")(subject, settings)
    if lost := [name for name in files if not (subject.folder / name).is_file()]:
        raise InputError(f"{section} has not written {', '.join(lost)}, which its entry in MEASUREMENTS names.")
    seconds = round(time.monotonic() - clock, 1)
    provenance = {"started": started, **subject.provenance, "wall_seconds": seconds, **manifest.code_provenance()}
    manifest.record(subject.folder, subject.model.spec, section, recorded, files, provenance, weights)
    _log.info("%s of %s is measured, in %.1f s", section, subject.folder, seconds)
