"""The files of a study that are about all of its models: ``results.csv`` and ``configuration.json``.

Columns of ``results.csv``: study, dataset, layers, objective, k, seed, variation, passes, quantity, value, se, n.
``variation`` is empty for the models of the grid. ``passes`` is the number of passes over the training images.
``se`` is the standard error over n images (nll, nll_train, ess, chopped_change) or over the n Monte-Carlo draws made
(terms of the surgery) and is empty for counts; for active units n is the number of units. chopped_change and the terms
of the surgery are there where these steps were run.

What cannot be read is an `InputError` here. Other damaged files can raise any of `UNREADABLE`; all else is no fault of
a file. An audit, which never ends in a traceback, tells the `reason` in a sentence.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError

from iwae.errors import InputError
from iwae.files import atomic_path, write_text
from iwae.study import manifest
from iwae.study.specification import ModelSpec

IDENTITY = ["dataset", "layers", "objective", "k", "seed", "variation"]
CONFIGURATION = "configuration.json"
COLUMNS = ["study", *IDENTITY, "passes", "quantity", "value", "se", "n"]
_EMPTY = {column: [""] for column in ("value", "se", "n")}  # elsewhere, empty is a text of no letters

# InputError is a ValueError, as are errors of JSON, CSV and UTF-8; a manifest or configuration of the wrong shape
# raises KeyError, TypeError, IndexError or AttributeError.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SafetensorError)


def checked_manifest(folder: Path, spec: ModelSpec) -> dict[str, Any]:
    """The manifest of `folder`, which must be that of the model `spec`."""
    content = manifest.read(folder)
    found = ModelSpec(**content["model"])
    if found != spec:
        path = folder / manifest.NAME
        raise InputError(f"{path} describes the model {found.name}, not {spec.name}: restore that model's own folder.")
    return content


def write_configuration(results: Path, configuration: dict[str, Any]) -> None:
    """Keep a study's configuration in its folder, the keys in order: the same one is the same bytes, whoever asks."""
    write_text(results / CONFIGURATION, json.dumps(configuration, indent=2, sort_keys=True) + "\n")


def read_configuration(path: Path) -> dict[str, Any]:
    """The content of a ``configuration.json``."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run `python -m iwae collect` with the study's configuration.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): run `python -m iwae collect` again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged (it holds no settings): run `python -m iwae collect` again.")
    return content


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV, atomically; floats are written so that they read back exactly."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_results(path: Path) -> pd.DataFrame:
    """The rows of a ``results.csv``, at least one."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run `python -m iwae collect` first.")
    try:
        frame = pd.read_csv(path, dtype={"n": "Int64", "variation": str}, keep_default_na=False, na_values=_EMPTY)
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path} cannot be read as results ({error}): run `python -m iwae collect` again.") from error
    if list(frame.columns) != COLUMNS or frame.empty:
        raise InputError(f"{path} is not a file of results: it needs rows with the columns {', '.join(COLUMNS)}.")
    return frame


def reason(error: Exception) -> str:
    """The error in one line, with its kind where it is not one of ours."""
    text = " ".join(str(error).split()) or "no reason given"
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name; `InputError` where it cannot be read."""
    try:
        with np.load(io.BytesIO(path.read_bytes())) as arrays:  # a path to a damaged one numpy leaves open
            return dict(arrays)
    # One flipped bit makes numpy and zipfile raise a dozen kinds, RuntimeError and TokenError among them.
    except Exception as error:
        raise InputError(f"{path} cannot be read ({reason(error)}): restore it or measure it again.") from error
