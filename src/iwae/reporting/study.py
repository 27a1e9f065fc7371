"""A study as the reports see it: its models, and their files, each compared with its manifest before it is read."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from iwae.errors import InputError
from iwae.reporting.results import CONFIGURATION, IDENTITY, checked_manifest, read_configuration, read_results
from iwae.study import manifest
from iwae.study.configuration import study_of
from iwae.study.registry import OBJECTIVES
from iwae.study.specification import ModelSpec

ROUNDING = 1e-3  # nats: per-image values are float32, their mean in results.csv may have been taken before rounding


@dataclass(frozen=True)
class Model:
    """One trained model of a study: its specification and its folder."""

    spec: ModelSpec
    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest, checked to be this model's."""
        return checked_manifest(self.folder, self.spec)

    @property
    def stages(self) -> int:
        """Stages of the schedule that the model ran."""
        return self.manifest["training"]["settings"]["stages"]

    @property
    def label(self) -> str:
        """Such as ``IWAE k=5``."""
        return f"{self.spec.objective.upper()} k={self.spec.k}"

    def settings(self, section: str) -> dict[str, Any]:
        """The settings of one step.

        Raises:
            InputError: The step has not been run.
        """
        if section not in self.manifest:
            path = self.folder / manifest.NAME
            raise InputError(f"{path} has no entry {section!r}: run that step for this model first.")
        return self.manifest[section]["settings"]

    def table(self, section: str, file: str) -> pd.DataFrame:
        """A CSV file of one step."""
        return pd.read_csv(manifest.checked_file(self.folder, section, file))

    def arrays(self, section: str, file: str, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Arrays of an npz file of one step."""
        with np.load(manifest.checked_file(self.folder, section, file)) as content:
            return {name: content[name] for name in names}


@dataclass(frozen=True)
class StudyResults:
    """A study folder that holds ``results.csv`` and the folders of the models named there."""

    folder: Path
    results: pd.DataFrame
    models: tuple[Model, ...]

    @classmethod
    def open(cls, folder: Path) -> "StudyResults":
        """Read the study in `folder`.

        Raises:
            InputError: ``results.csv`` is missing or damaged, or is not about the models in the folder.
        """
        folder = Path(folder)
        results = read_results(folder / "results.csv")
        models = []
        for keys, rows in results.groupby([*IDENTITY, "stages"], sort=False):
            *identity, stages = keys
            spec = ModelSpec(*(value if isinstance(value, str) else int(value) for value in identity))
            model = Model(spec, folder / spec.name)
            if model.stages != stages or not _same_nll(model, rows):
                raise InputError(f"{folder / 'results.csv'} is not about {model.folder}: run the step 'collect' again.")
            models.append(model)
        return cls(folder, results, tuple(sorted(models, key=_order)))

    @property
    def grid(self) -> "StudyResults":
        """The study with the models of its grid alone, which the paper's tables are about: no variations."""
        models = tuple(model for model in self.models if not model.spec.variation)
        return StudyResults(self.folder, self.results[self.results.variation == ""], models)

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """The specifications of the models."""
        return tuple(model.spec for model in self.models)

    @cached_property
    def sections(self) -> tuple[str, ...]:
        """The steps that are run on every model: what the configuration asks for, if it is known, else what was run."""
        path = self.folder / CONFIGURATION
        if path.is_file():
            try:
                return study_of(read_configuration(path)).sections
            except (KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{path} is not a study's configuration ({error!r}): run 'collect' again.") from error
        return tuple(name for name in manifest.SECTIONS if all(name in model.manifest for model in self.models))

    def row(self, model: Model, quantity: str) -> pd.Series | None:
        """The row of one quantity of one model in ``results.csv``; None where there is none."""
        rows = self.results
        chosen = rows[(rows[IDENTITY] == pd.Series(vars(model.spec))).all(axis=1) & (rows.quantity == quantity)]
        return chosen.iloc[0] if len(chosen) else None

    def value(self, model: Model, quantity: str) -> float:
        """A quantity of one model in ``results.csv``; NaN where it has none."""
        row = self.row(model, quantity)
        return float("nan") if row is None else float(row["value"])

    def concat(self, section: str, file: str) -> pd.DataFrame:
        """A CSV file of every model, one below the other, with the columns that name the model and its stages."""
        parts = []
        for model in self.models:
            table = model.table(section, file)
            for position, (column, value) in enumerate((*vars(model.spec).items(), ("stages", model.stages))):
                table.insert(position, column, value)
            parts.append(table)
        return pd.concat(parts, ignore_index=True)


def nll_per_image(models: Iterable[Model], split: str = "test") -> tuple[np.ndarray, np.ndarray]:
    """The nll of each image under several models, in nats.

    Args:
        models: The models, at least one.
        split: ``test`` or ``train``.

    Returns:
        nll (models, images), float64, and the images' indices (images,).

    Raises:
        InputError: The models were not measured on the same images.
    """
    values, images = [], []
    for model in models:
        arrays = model.arrays("likelihood", "likelihood.npz", (split, f"{split}_images"))
        values.append(-arrays[split].astype(np.float64))
        images.append(arrays[f"{split}_images"])
        if not np.array_equal(images[0], images[-1]):
            raise InputError(f"{model.folder} was measured on other {split} images: use one setting for a whole study.")
    return np.stack(values), images[0]


def _order(model: Model) -> tuple:
    spec = model.spec
    return spec.dataset, spec.layers, list(OBJECTIVES).index(spec.objective), spec.k, spec.variation, spec.seed


def _same_nll(model: Model, rows: pd.DataFrame) -> bool:
    recorded = rows.loc[rows.quantity == "nll", "value"]
    values, _ = nll_per_image([model])
    return len(recorded) == 1 and abs(values.mean() - recorded.iloc[0]) < ROUNDING
