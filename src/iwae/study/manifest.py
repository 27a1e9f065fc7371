"""A model's manifest: what made each file in its folder, and the file's SHA-256.

``manifest.json`` has the entry ``model`` (the specification) and a section for ``training`` and for each measurement
that was made (`iwae.study.measurements`). A section holds

* ``settings``: all that determines the result, those of the sections it reads included,
* ``weights``: the SHA-256 of the ``model.safetensors`` that was measured (not in ``training``),
* ``files``: the SHA-256 of each file that was written,
* ``stripped``: true where the weights were deleted on purpose, to make a study small (in ``training`` alone),
* ``provenance``: when, where and by which code; it never decides whether a result is current.

Standard library only: the workflow reads manifests while it builds its graph.
"""

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any

from iwae.errors import InputError
from iwae.files import locked, sha256, write_json
from iwae.study.measurements import MEASUREMENTS
from iwae.study.specification import ModelSpec

NAME = "manifest.json"
WEIGHTS = "model.safetensors"
SECTIONS = ("training", *MEASUREMENTS)
_PACKAGES = ("torch", "numpy", "safetensors", "tqdm")


def read(folder: Path) -> dict[str, Any]:
    """The manifest of the model in `folder`.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    path = Path(folder) / NAME
    if not path.is_file():
        raise InputError(f"{folder} holds no model: its {NAME} is missing; train the model or restore the file.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for name in ("model", "training"):
            if name not in content:
                raise ValueError(f"it has no entry {name!r}")
        ModelSpec(**content["model"])
        for section in SECTIONS:
            keys = {"settings", "files"} if section == "training" else {"settings", "files", "weights"}
            if section in content and not keys <= {*content[section]}:
                raise ValueError(f"its entry {section!r} is incomplete")
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}): restore it or delete the folder and train again.") from error
    return content


def record(
    folder: Path,
    model: ModelSpec,
    section: str,
    settings: dict[str, Any],
    files: Sequence[str],
    provenance: dict[str, Any],
    weights: str | None = None,
) -> None:
    """Enter a finished section into the manifest of `folder`; several processes may do so at the same time.

    Args:
        folder: The model's folder; `files` are names in it, already written.
        model: Whose folder it is.
        section: One of `SECTIONS`.
        settings: What determines the result.
        files: Names of the files that were written.
        provenance: When, where and by which code.
        weights: SHA-256 of the weights that were measured; of those in the folder if nothing is said.
    """
    folder = Path(folder)
    with locked(folder / f".{NAME}.lock"):
        content = read(folder) if (folder / NAME).is_file() else {}
        if content and ModelSpec(**content["model"]) != model:
            raise InputError(f"{folder / NAME} belongs to another model than {model.name}: restore the folder.")
        entry: dict[str, Any] = {"settings": settings}
        if section != "training":
            entry["weights"] = weights or sha256(folder / WEIGHTS)
        entry["files"] = {name: sha256(folder / name) for name in files}
        entry["provenance"] = provenance
        sections = {name: content[name] for name in SECTIONS if name in content} | {section: entry}
        ordered = {name: sections[name] for name in SECTIONS if name in sections}
        write_json(folder / NAME, {"model": model.as_dict(), **ordered})


def strip(folder: Path) -> None:
    """Delete the weights of the model in `folder`, and say so in its manifest, which keeps their SHA-256.

    Raises:
        InputError: There is no trained model, nothing was measured of it, or its weights are not those of its manifest.
    """
    folder = Path(folder)
    if not (content := read(folder)).keys() & MEASUREMENTS.keys():
        raise InputError(f"{folder} has not been measured, which needs its weights: measure the model first.")
    if not is_stripped(content):
        checked_file(folder, "training", WEIGHTS)
        with locked(folder / f".{NAME}.lock"):
            content = read(folder)
            content["training"] |= {"stripped": True}
            write_json(folder / NAME, content)
    (folder / WEIGHTS).unlink(missing_ok=True)  # also where an earlier call was killed between the two


def is_stripped(content: dict[str, Any]) -> bool:
    """Whether a manifest tells of weights that were deleted on purpose."""
    return content.get("training", {}).get("stripped", False)


def files_of(content: dict[str, Any], section: str) -> dict[str, str]:
    """The SHA-256 of each file of a section that must be there, by its name; `content` is the manifest."""
    gone = {WEIGHTS} if is_stripped(content) else set()
    return {name: digest for name, digest in content[section]["files"].items() if name not in gone}


def is_current(folder: Path, section: str, settings: dict[str, Any]) -> bool:
    """Whether `folder` holds the result of `section` under these settings, with all its files."""
    folder = Path(folder)
    if not (folder / NAME).is_file():
        return False
    content = read(folder)
    entry = content.get(section)
    if entry is None or entry["settings"] != settings:
        return False
    weights = content.get("training", {}).get("files", {}).get(WEIGHTS)
    measured_these = section == "training" or entry["weights"] == weights
    return measured_these and all((folder / name).is_file() for name in files_of(content, section))


def _making(folder: Path, section: str) -> str:
    """How to make a section of the model in a folder, in words."""
    return (
        "train the model"
        if section == "training"
        else f"run `python -m iwae measure --model {folder} --sections {section}`"
    )


def checked_file(folder: Path, section: str, name: str) -> Path:
    """The path of a file of `section`, its SHA-256 compared with the manifest's.

    Raises:
        InputError: The file is missing, unknown to the manifest, or not the one the manifest describes.
    """
    path, content = Path(folder) / name, read(folder)
    expected = content.get(section, {}).get("files", {}).get(name)
    if expected is None:
        unknown = f"{path} is unknown to {path.parent / NAME}, which has no section {section!r}"
        raise InputError(f"{unknown}: {_making(path.parent, section)}.")
    if name == WEIGHTS and is_stripped(content):
        raise InputError(f"{path} was deleted to make the study small: train the model again, in another folder.")
    if not path.is_file():
        raise InputError(f"{path} is missing: restore it, or {_making(path.parent, section)} again.")
    found = sha256(path)
    if found != expected:
        raise InputError(f"{path} is not the file its manifest describes: SHA-256 {found} instead of {expected}.")
    return path


@cache
def source_sha256(package: Path = Path(__file__).parents[1]) -> str:
    """One SHA-256 over the files of this library, or of another copy, their names and order included.

    Those that are no Python decide verdicts too: claims, the paper's numbers, templates.
    """
    digest = new_sha256()
    for path in sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"{path.relative_to(package).as_posix()}\0{sha256(path)}\0".encode())
    return digest.hexdigest()


@cache
def code_provenance() -> dict[str, Any]:
    """Which code runs here: source hash, git commit (None outside a checkout), versions of Python and packages."""
    return {
        "source_sha256": source_sha256(),
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _git_commit() -> str | None:
    """The commit of the checkout that this library is in, with ``-dirty`` where its files are not those of the commit.

    Other files do not count, such as results that are being made. None if the library lies in another repository, or in
    none.
    """
    package = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() / "src/iwae" != package:
            return None
        return git("rev-parse", "HEAD") + "-dirty" * bool(git("status", "--porcelain", "--", str(package)))
    except (OSError, subprocess.CalledProcessError):
        return None
