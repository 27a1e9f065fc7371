"""The parts of a study, each made from its group of the configuration; `InputError` where a value is impossible."""

import os
from pathlib import Path
from typing import Any

from iwae.study.declaration import Settings, declarations
from iwae.study.experiments import experiment_models, repeated_models
from iwae.study.measurements import MEASUREMENTS
from iwae.study.protocol import preset
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec, grid


def model_groups(config: dict[str, Any]) -> dict[str, list[ModelSpec]]:
    """The models of the grid and of each experiment that is run, by its name."""
    group, experiments = config["grid"], config["experiments"]
    models = {"grid": list(grid(group["datasets"], group["layers"], group["objectives"], group["k"], group["seeds"]))}
    for name, experiment in experiments.items():
        if experiment["run"] and name != "convergence":
            models[name] = list(experiment_models(name, experiment))
    again = experiments.get("convergence", {"run": False})
    if again["run"]:
        repeated = (model for name in again["of"] for model in models.get(name, ()))
        models["convergence"] = list(repeated_models(again, repeated))
    return models


def models_of(config: dict[str, Any]) -> tuple[ModelSpec, ...]:
    """The models of the grid and of the experiments that are run, each once, in order."""
    return tuple(sorted({model for found in model_groups(config).values() for model in found}))


def measured_models(config: dict[str, Any], name: str) -> frozenset[ModelSpec]:
    """The models that one section is measured of, by the keys ``of`` and ``seeds`` of the group of its name."""
    entry, groups = MEASUREMENTS[name], model_groups(config)
    of, seeds = (config[name].get(key) for key in ("of", "seeds")) if entry.optional else (None, None)
    return frozenset(
        model
        for group in (groups if of is None else of)
        for model in groups.get(group, ())
        if seeds is None or model.seed in seeds
        if model.passes is None or entry.of_convergence
    )


def training_of(group: dict[str, Any]) -> TrainingSettings:
    """How the models are trained, by the group ``training``."""
    protocol = preset(group["protocol"]).with_overrides(group["overrides"])
    return TrainingSettings(protocol=protocol, **_values(TrainingSettings, group))


def measurement_of(name: str, group: dict[str, Any]) -> Settings:
    """How one section is measured, by the group of its name."""
    record = MEASUREMENTS[name].settings
    return record(**_values(record, group))


def folder_of(text: str) -> str:
    """A folder as the configuration writes it, with ``~`` and ``$VARIABLES`` in the place of which they stand."""
    return Path(os.path.expandvars(os.path.expanduser(text))).as_posix()


def _values(record: type[Settings], group: dict[str, Any]) -> dict[str, Any]:
    """The values of a record's fields: a list's in order, and none of what an earlier version did not know."""
    found = {name: entry.key or name for name, entry in declarations(record).items()}
    values = {name: group[key] for name, key in found.items() if key in group}
    return {name: sorted(value) if isinstance(value, list) else value for name, value in values.items()}
