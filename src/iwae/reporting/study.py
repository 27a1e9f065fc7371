"""A study as the reports see it: its models, and their files, each compared with its manifest before it is read."""

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from iwae.errors import InputError
from iwae.reporting.results import (
    CONFIGURATION,
    IDENTITY,
    checked_manifest,
    read_arrays,
    read_configuration,
    read_results,
)
from iwae.study import manifest
from iwae.study.configuration import StudyConfig, study_of
from iwae.study.registry import OBJECTIVES
from iwae.study.settings import TrainingSettings, passes
from iwae.study.specification import ModelSpec

Kind = ModelSpec
"""All models that differ in their seed alone, which the specification of the one of seed 0 stands for."""

_TRAINED = ("device", "wall_seconds", "stack")  # of a training's provenance, what reports show


def kind_of(spec: ModelSpec) -> Kind:
    """The kind of a model."""
    return replace(spec, seed=0)


def kind_name(kind: Kind) -> str:
    """As in a model's name, without the seed."""
    return f"{kind.dataset}/{kind.kind}"


@dataclass(frozen=True)
class Model:
    """One trained model of a study, and its manifest with those sections alone that are results of the study."""

    spec: ModelSpec
    folder: Path
    manifest: dict[str, Any]
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return kind_of(self.spec)

    def settings(self, section: str) -> dict[str, Any]:
        """The settings of one section; `InputError` where the manifest has none."""
        if section not in self.manifest:
            path = self.folder / manifest.NAME
            raise InputError(f"{path} has no section {section!r}: measure it of this model first.")
        return self.manifest[section]["settings"]

    @property
    def training(self) -> TrainingSettings:
        """The settings that it was trained with."""
        return TrainingSettings.of_dict(self.settings("training"))

    @property
    def trained(self) -> dict[str, Any]:
        """When, where and by which code it was trained; its device after those on which it was begun.

        `InputError` where the manifest does not say what training always writes.
        """
        provenance = self.manifest["training"].get("provenance", {})
        for lost in (name for name in _TRAINED if name not in provenance):
            path, remedy = self.folder / manifest.NAME, "restore it or train the model again"
            raise InputError(f"{path} is damaged (of its training it has no {lost!r}): {remedy}.")
        before = [f"{move['device']} to update {move['updates']:,}, then " for move in provenance.get("moves", [])]
        return provenance | {"device": "".join([*before, provenance["device"]])} if before else provenance

    def table(self, section: str) -> pd.DataFrame:
        """The CSV file of one step."""
        return self._once(section, lambda: pd.read_csv(self._file(section, "csv"))).copy()

    def array(self, section: str, name: str) -> np.ndarray:
        """An array of the npz file of one step, not to be changed."""
        return self._once((section,), lambda: read_arrays(self._file(section, "npz")))[name]

    def _file(self, section: str, kind: str) -> Path:
        return manifest.checked_file(self.folder, section, f"{section}.{kind}")

    def _once(self, name: Hashable, read: Callable[[], Any]) -> Any:
        """What `read` gives, read once: a study is not expected to change while it is reported."""
        if name not in self._known:
            self._known[name] = read()
        return self._known[name]


@dataclass(frozen=True)
class StudyResults:
    """A study: what was asked for, and the models that there are."""

    folder: Path
    models: tuple[Model, ...]  # the trained ones
    specs: tuple[ModelSpec, ...]  # all models that the study asks for
    sections: tuple[str, ...]  # the steps that are run on some of them
    configured: StudyConfig | None = None  # what the configuration asks for; None where it is not known
    activity: str = "one-sample"  # the estimate of A_u that stands beside the paper's, or ``definition``
    known: dict[Hashable, Any] = field(default_factory=dict, repr=False)  # what was found out so far

    @classmethod
    def of(cls, folder: Path, names: Iterable[str], configured: StudyConfig | None = None) -> "StudyResults":
        """The study in `folder` as the folders of the models of these names have it.

        Whatever a folder holds beside what is `configured` counts as not there. Where that is not known the study asks
        for what there is.
        """
        models = [_model(folder, ModelSpec.parse(name), configured) for name in names]
        models = sorted((model for model in models if "training" in model.manifest), key=lambda one: _order(one.spec))
        schedules = {model.settings("training").get("stages") for model in models if not model.spec.variant}
        if len(schedules) > 1:
            raise InputError(
                f"the models of {folder} ran {' and '.join(map(str, sorted(schedules, key=str)))} stages of the "
                "schedule: name those of one study, whose models all run the same."
            )
        if configured:
            specs, sections = configured.models, configured.sections
        else:
            specs = tuple(model.spec for model in models)
            sections = tuple(name for name in manifest.SECTIONS if all(name in model.manifest for model in models))
        # That of the study's own protocol; where models have several, the definition, which is the same for all.
        own = [model for model in models if not model.spec.variation] or models
        estimates = {model.training.protocol.activity for model in own}
        activity = estimates.pop() if len(estimates) == 1 else "definition"
        return cls(folder, tuple(models), tuple(sorted(specs, key=_order)), sections, configured, activity)

    @classmethod
    def open(cls, folder: Path) -> "StudyResults":
        """The study in `folder`, as it was collected; `InputError` where ``results.csv`` is not of these models."""
        rows, path = read_results(folder / "results.csv"), folder / CONFIGURATION
        names = [ModelSpec(*keys).name for keys in rows[IDENTITY].drop_duplicates().itertuples(index=False, name=None)]
        try:
            configured = study_of(read_configuration(path)) if path.is_file() else None
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is not a study's configuration ({error!r}): run 'collect' again.") from error
        study, length = cls.of(folder, names, configured), rows.groupby(IDENTITY).passes.first()
        for model in study.models:
            if length[tuple(vars(model.spec).values())] != passes(model.training, model.spec):
                raise InputError(
                    f"{folder / 'results.csv'} is not about {model.folder}: run `python -m iwae collect` again."
                )
        return study

    @property
    def unfinished(self) -> list[ModelSpec]:
        """The models that are still to be trained or measured."""
        sections = {model.spec: model.manifest for model in self.models}
        return [spec for spec in self.specs if set(self.sections_of(spec)) - set(sections.get(spec, ()))]

    def sections_of(self, spec: ModelSpec) -> tuple[str, ...]:
        """The steps that are run on one model."""
        return self.configured.sections_of(spec) if self.configured else self.sections

    @cached_property
    def by_kind(self) -> dict[Kind, dict[int, Model]]:
        """The models by kind and seed."""
        found: dict[Kind, dict[int, Model]] = {}
        for model in self.models:
            found.setdefault(model.kind, {})[model.spec.seed] = model
        return found

    @property
    def grid(self) -> list[Model]:
        """The models of the grid, which the paper's tables are about: no variations."""
        return [model for model in self.models if not model.spec.variation]

    @property
    def usual(self) -> list[Model]:
        """The models under the study's own protocol."""
        return [model for model in self.models if model.spec.variant is None] or list(self.models)

    def kinds(self, shows: Callable[[ModelSpec, Collection[str]], bool] = lambda spec, sections: True) -> list[Kind]:
        """The kinds of models that the study asks for, if `shows` is true of them and of the steps run on them."""
        return list(dict.fromkeys(kind_of(spec) for spec in self.specs if shows(spec, self.sections_of(spec))))

    def of_kinds(self, kinds: Iterable[Kind], section: str = "training") -> list[Model]:
        """The models of these kinds of which a step was run."""
        found = (model for kind in kinds for model in self.by_kind.get(kind, {}).values())
        return [model for model in found if section in model.manifest]

    def shorter(self, kind: Kind) -> dict[int, Kind]:
        """The kinds of models that differ from `kind` by other numbers of passes, by these."""
        passes = {other: other.passes for other in self.by_kind}
        return {n: other for other, n in passes.items() if n and other.without(f"p{n}") == kind}

    def training(self, kind: Kind) -> TrainingSettings:
        """The settings that models of a kind are trained with."""
        models = self.of_kinds([kind])
        if models or self.configured is None:  # which then asks for what there is
            return models[0].training
        return self.configured.training.for_model(kind)


def _model(folder: Path, spec: ModelSpec, configured: StudyConfig | None) -> Model:
    """A model with the sections of its manifest that are results of the study: of its weights, under its settings."""
    content = checked_manifest(folder / spec.name, spec)
    sections = [name for name in (configured.sections_of(spec) if configured else manifest.SECTIONS) if name in content]
    weights = content.get("training", {}).get("files", {}).get(manifest.WEIGHTS)
    kept = {
        name: content[name]
        for name in sections
        if (name == "training" or content[name]["weights"] == weights)
        and (configured is None or content[name]["settings"] == configured.settings(name, spec))
    }
    return Model(spec, folder / spec.name, kept)


def _order(spec: ModelSpec) -> tuple[Any, ...]:
    return spec.dataset, spec.layers, list(OBJECTIVES).index(spec.objective), spec.k, spec.variation, spec.seed
