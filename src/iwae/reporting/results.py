"""``results.csv``: one row for each model and quantity, read from the model folders of a study.

Columns: study, dataset, layers, objective, k, seed, variation, quantity, value, se, n, stages. ``variation`` is empty
for the models of the grid. ``se`` is the standard error over n images (nll, nll_train, ess, chopped_change) or over the
n Monte-Carlo draws made (terms of the surgery) and is empty for counts; for active units n is the number of units.
``stages`` is the number of stages of the schedule that the model ran. chopped_change and the terms of the surgery are
there where these steps were run.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from iwae.errors import InputError
from iwae.files import atomic_path, write_json
from iwae.study import manifest
from iwae.study.configuration import study_of
from iwae.study.settings import ACTIVE
from iwae.study.specification import ModelSpec

IDENTITY = ["dataset", "layers", "objective", "k", "seed", "variation"]
CONFIGURATION = "configuration.json"
COLUMNS = ["study", *IDENTITY, "quantity", "value", "se", "n", "stages"]
SURGERY_TERMS = ("reconstruction", "mutual_information", "index_gap", "marginal_kl", "elbo")
_NEEDED = ("training", "likelihood", "activity")
_EMPTY = {column: [""] for column in ("value", "se", "n")}  # elsewhere, empty is a text of no letters
_Row = tuple[str, float, float | None, int | None]  # quantity, value, se, n


def collect(results: Path, names: Sequence[str], sections: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the quantities of the models `names` from the study folder `results`.

    Every file of every step in a model's manifest is compared with it, pictures included, although none of the
    quantities is read from them: the figures show the pictures of some models only.

    Args:
        results: The study folder.
        names: Names of models, such as ``mnist/l1-iwae-k5/seed0``, at least one.
        sections: The steps that the study asks for, which every model must have; what others left is not looked at.
            None if they are not known: then whatever a model has is read.

    Returns:
        The rows of ``results.csv``, in the order of `names`.

    Raises:
        InputError: A file is missing or not the one its manifest describes, or a folder holds another model.
    """
    if not names:
        raise InputError("no models are named: give at least one, such as mnist/l1-iwae-k5/seed0.")
    rows: list[dict[str, Any]] = []
    specs = [ModelSpec.parse(name) for name in names]
    needed = {*_NEEDED, *(sections or ())}
    for spec in specs:
        folder = Path(results) / spec.name
        content = checked_manifest(folder, spec)
        if sections is not None:
            content = {name: entry for name, entry in content.items() if name in needed}
        _check_sections(folder, content, needed)
        head = {"study": Path(results).name, **vars(spec)}
        stages = content["training"]["settings"]["stages"]
        for quantity, value, se, n in _quantities(folder, spec, content):
            rows.append({**head, "quantity": quantity, "value": value, "se": se, "n": n, "stages": stages})
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": float, "se": float, "n": "Int64"})


def checked_manifest(folder: Path, spec: ModelSpec) -> dict[str, Any]:
    """The manifest of `folder`, which must be that of the model `spec`.

    Raises:
        InputError: The manifest is missing or damaged, or names another model.
    """
    content = manifest.read(folder)
    found = ModelSpec(**content["model"])
    if found != spec:
        path = folder / manifest.NAME
        raise InputError(f"{path} describes the model {found.name}, not {spec.name}: restore that model's own folder.")
    return content


def write_results(results: Path, names: Sequence[str], configuration: dict[str, Any] | None = None) -> None:
    """Write `collect`'s rows to ``results.csv`` in the study folder `results`.

    Args:
        results: The study folder.
        names: Names of the study's models.
        configuration: The configuration that asks for them, to be kept in ``configuration.json``; None if unknown.
    """
    sections = None if configuration is None else study_of(configuration).sections
    frame = collect(results, names, sections)
    if configuration is not None:
        write_json(Path(results) / CONFIGURATION, configuration)
    write_frame(Path(results) / "results.csv", frame)


def read_configuration(path: Path) -> dict[str, Any]:
    """Read a ``configuration.json``.

    Raises:
        InputError: It is missing or damaged.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} is missing: run the step 'collect' with the study's configuration.")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): run the step 'collect' again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged (it holds no settings): run the step 'collect' again.")
    return content


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV, atomically; floats are written so that they read back exactly."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_results(path: Path) -> pd.DataFrame:
    """Read ``results.csv``.

    Raises:
        InputError: It is missing, empty, or has other columns.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is missing: run the step 'collect' first.")
    try:
        frame = pd.read_csv(path, dtype={"n": "Int64", "variation": str}, keep_default_na=False, na_values=_EMPTY)
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path} cannot be read as results ({error}): run the step 'collect' again.") from error
    if list(frame.columns) != COLUMNS or frame.empty:
        raise InputError(f"{path} is not a file of results: it needs rows with the columns {', '.join(COLUMNS)}.")
    return frame


def _check_sections(folder: Path, content: dict[str, Any], needed: set[str]) -> None:
    weights = content.get("training", {}).get("files", {}).get(manifest.WEIGHTS)
    for section in manifest.SECTIONS:
        if section in needed and section not in content:
            raise InputError(f"{folder / manifest.NAME} has no entry {section!r}: run that step for this model first.")
    for section in (name for name in manifest.SECTIONS if name in content):
        for file in content[section]["files"]:
            manifest.checked_file(folder, section, file)
        if section != "training" and content[section]["weights"] != weights:
            raise InputError(f"{folder}: the step {section!r} measured other weights than those there: run it again.")


def _quantities(folder: Path, spec: ModelSpec, content: dict[str, Any]) -> Iterator[_Row]:
    yield from _likelihood(folder, content["likelihood"]["settings"]["samples"])
    yield from _active_units(pd.read_csv(folder / "activity.csv"), spec.layers)
    if "chopped" in content:
        yield _chopped(folder)
    if "surgery" in content:
        yield from _surgery(pd.read_csv(folder / "surgery.csv"), content["surgery"]["settings"]["samples"])
    yield "updates", float(pd.read_csv(folder / "training.csv").updates.iloc[-1]), None, None
    seconds = content["training"]["provenance"].get("wall_seconds")
    if seconds is not None:
        yield "wall_seconds", float(seconds), None, None


def _likelihood(folder: Path, samples: int) -> Iterator[_Row]:
    bounds = pd.read_csv(folder / "likelihood.csv")
    last = bounds[bounds.k == samples].set_index("split")
    for quantity, split in (("nll", "test"), ("nll_train", "train")):
        row = last.loc[split]
        yield quantity, -float(row.bound), float(row.se_images), int(row.images)
    with np.load(folder / "likelihood.npz") as arrays:
        ess = arrays["test_ess"].astype(np.float64)
    yield "ess", float(ess.mean()), float(ess.std(ddof=1) / np.sqrt(len(ess))), len(ess)


def _active_units(units: pd.DataFrame, layers: int) -> Iterator[_Row]:
    for quantity, column in (("active_units", "activity"), ("active_units_authors", "activity_authors")):
        for layer in range(1, layers + 1):
            activity = units.loc[units.layer == layer, column]
            yield f"{quantity}_{layer}", float((activity > ACTIVE).sum()), None, len(activity)


def _chopped(folder: Path) -> _Row:
    with np.load(folder / "chopped.npz") as arrays:
        change = arrays["whole"].astype(np.float64) - arrays["chopped"]  # of nll, which is minus L_S
    return "chopped_change", float(change.mean()), float(change.std(ddof=1) / np.sqrt(len(change))), len(change)


def _surgery(table: pd.DataFrame, samples: int) -> Iterator[_Row]:
    images = int(table.images.max())
    draws = min(samples, images)  # each draw is from another image
    whole = table[table.images == images].set_index("term")
    for term in SURGERY_TERMS:
        yield term, float(whole.loc[term, "value"]), float(whole.loc[term, "se"]), draws
