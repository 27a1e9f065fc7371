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


def models_of(config: dict[str, Any]) -> tuple[ModelSpec, ...]:
    """The models of the grid and of the experiments that are run, each once, in order."""
    group, experiments = config["grid"], config["experiments"]
    models = {"grid": grid(group["datasets"], group["layers"], group["objectives"], group["k"], group["seeds"])}
    for name, experiment in experiments.items():
        if experiment["run"] and name != "convergence":
            models[name] = list(experiment_models(name, experiment))
    again = experiments.get("convergence", {"run": False})
    if again["run"]:
        repeated = (model for name in again["of"] for model in models.get(name, ()))
        models["convergence"] = list(repeated_models(again, repeated))
    return tuple(sorted({model for found in models.values() for model in found}))


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
    return {name: tuple(sorted(value)) if isinstance(value, list) else value for name, value in values.items()}
