"""``results.csv`` from the model folders of a study: one row for each model and quantity."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from iwae.errors import InputError
from iwae.files import locked
from iwae.reporting.quantities import QUANTITIES, measured
from iwae.reporting.results import COLUMNS, write_configuration, write_frame
from iwae.reporting.study import StudyResults
from iwae.study import manifest
from iwae.study.configuration import study_of
from iwae.study.settings import passes
from iwae.study.specification import ModelSpec

INTERIM_LOCK = ".interim.lock"  # held while interim results are made
_NEEDED = ("training", "likelihood", "activity")


def write_results(
    results: Path, names: Sequence[str], configuration: dict[str, Any] | None = None, interim: bool = False
) -> None:
    """Write `collect`'s rows on the models of these names to ``results.csv`` in the study folder `results`.

    The configuration that asks for them is kept in ``configuration.json``, if it is known. If `interim`, models may be
    missing, and steps of those that are there.
    """
    configured = None if configuration is None else study_of(configuration)
    if interim:
        names = [name for name in names if (results / name / manifest.NAME).is_file()]
    # Interim results that are being made would overwrite what follows by older ones.
    with nullcontext() if interim or not results.is_dir() else locked(results / INTERIM_LOCK):
        frame = collect(StudyResults.of(results, names, configured), names, interim)
        if configuration is not None:
            write_configuration(results, configuration)
        write_frame(results / "results.csv", frame)


def collect(study: StudyResults, names: Sequence[str], interim: bool = False) -> pd.DataFrame:
    """The rows of ``results.csv``, in the order of `names`; arguments and meaning as for `write_results`.

    Every file of every step in a model's manifest is compared with it, pictures included, although none of the
    quantities is read from them: the figures show the pictures of some models only.

    Raises:
        InputError: A file is missing or not the one its manifest describes, or a model lacks a step of the study.
    """
    models, rows = {model.spec.name: model for model in study.models}, []
    for name in names:
        if name not in models and interim:
            continue
        model, spec = models.get(name), ModelSpec.parse(name)
        needed = () if interim else {*_NEEDED, *study.sections_of(spec)}
        folder, found = study.folder / name, model.manifest if model else {}
        for section in (section for section in manifest.SECTIONS if section in needed and section not in found):
            raise InputError(
                f"{folder / manifest.NAME} has no section {section!r} of these weights under the settings of the "
                "study: measure it of this model first."
            )
        for section in found:
            for file in manifest.files_of(found, section):
                manifest.checked_file(folder, section, file)
        assert model is not None  # it has the sections needed
        head = {"study": study.folder.name, **vars(spec), "passes": passes(model.training, spec)}
        for quantity, entry in QUANTITIES.items():
            if entry.collected and (value := measured(study, quantity, model)):
                rows.append({**head, "quantity": quantity, "value": value.value, "se": value.se, "n": value.n})
    if not rows:
        raise InputError(f"{study.folder} has no trained model of those asked for: train one first.")
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": float, "se": float, "n": "Int64"})
