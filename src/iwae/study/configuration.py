"""A study as its configuration describes it: which models, under which settings, on which device.

`read_study` turns the plain dictionary of a configuration file into typed records, or refuses it with every problem at
once. Nothing here knows Snakemake, and nothing imports torch: the workflow calls it while it builds its graph.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from iwae import cuda
from iwae.errors import InputError
from iwae.study.crosschecks import cross_problems
from iwae.study.declaration import Settings
from iwae.study.keys import configuration_keys
from iwae.study.measurements import MEASUREMENTS
from iwae.study.parts import folder_of, measured_models, measurement_of, models_of, training_of
from iwae.study.problems import problems
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

_OFF = {"run": False}  # a measurement that an earlier version did not know


@dataclass(frozen=True)
class StudyConfig:
    """One configuration, checked.

    Attributes:
        name: Names ``results/<name>`` and ``figures/<name>``.
        models: The models of the grid and of the experiments, each once, in order.
        training: How they are trained; `settings` gives it as one model has it.
        measurements: The settings of each step that measures a model, by the step's name, without those turned off.
        measured: The models that each of these steps is for.
        protocol: The preset's name; `training` holds its fields, overrides included.
        overrides: Fields of the protocol that differ from the preset.
        checkpoint_minutes: Minutes between two saved states of training.
        device: ``cpu`` or ``cuda``.
        job_group: ``dataset``, ``stack`` or ``model``: which models one job trains.
        measure_by: ``model`` or ``section``: what one job measures.
        threads: CPU threads of one job.
        data: Folder of the data files.
        data_folder: Folder of the user's own copies of the data, None to download them.
    """

    name: str
    models: tuple[ModelSpec, ...]
    training: TrainingSettings
    measurements: dict[str, Settings]
    measured: dict[str, frozenset[ModelSpec]]
    protocol: str
    overrides: dict[str, Any]
    checkpoint_minutes: float
    device: str
    job_group: str
    measure_by: str
    threads: int
    data: str
    data_folder: str | None

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections that some model's manifest must have for the study to be finished, in order."""
        return ("training", *self.measurements)

    def sections_of(self, model: ModelSpec) -> tuple[str, ...]:
        """The sections that the manifest of this model must have.

        One that is not measured of this model, by ``of``, ``seeds`` or its number of passes, is left out.
        """
        chosen = (name for name in self.measurements if model in self.measured[name])
        return ("training", *chosen)

    def settings(self, section: str, model: ModelSpec) -> dict[str, Any]:
        """The settings of one section of a model's manifest, as the manifest keeps them."""
        if section == "training":
            return self.training.for_model(model).as_dict()
        settings = self.measurements[section].as_dict()
        return settings | {name: self.measurements[name].as_dict() for name in MEASUREMENTS[section].reads}

    @property
    def digest(self) -> str:
        """A hash of all that determines the results, and of nothing that tells where or in which jobs they are made."""
        names = [model.name for model in self.models]
        settings = {name: found.as_dict() for name, found in self.measurements.items()}
        measured = {name: sorted(model.name for model in models) for name, models in self.measured.items()}
        asked = [names, self.training.as_dict(), settings, measured]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def training_job(self, model: ModelSpec) -> str:
        """The name that the models trained by one job share; fit for a rule's name.

        Continued models are trained by jobs of their own, after the models that they are continued from.
        """
        name = {"dataset": model.dataset, "stack": model.stack, "model": model.name}[self.job_group]
        if model.origin and self.job_group == "dataset":
            name += "_warm_starts"
        return name.replace("/", "_").replace("-", "_")


def read_study(config: dict[str, Any]) -> StudyConfig:
    """The study that `config`, as YAML gives it, describes.

    Raises:
        InputError: The configuration has problems; the message lists all of them, one a line.
    """
    found = list(problems(config, configuration_keys()))
    found += cross_problems(config, [line.split(":")[0] for line in found])
    if found:
        raise InputError(f"The configuration has {len(found)} problem(s):\n" + "\n".join(f"  {p}" for p in found))
    return study_of(config)


def study_of(config: dict[str, Any]) -> StudyConfig:
    """The study that a configuration describes which was accepted before, such as a ``configuration.json``.

    It may be one of an earlier version, which lacked some keys.
    """
    device, training = config["device"], config["training"]
    if device == "auto":
        device = "cpu" if cuda.obstacle() else "cuda"
    job_group = config["job_group"]
    if job_group == "auto":  # a GPU gains from many models at once; a CPU core is busy with one
        job_group = "dataset" if device == "cuda" else "model"
    sections = [name for name in MEASUREMENTS if config.get(name, _OFF).get("run", True)]
    return StudyConfig(
        name=config["study"],
        models=models_of(config),
        training=training_of(training),
        measurements={name: measurement_of(name, config[name]) for name in sections},
        measured={name: measured_models(config, name) for name in sections},
        protocol=training["protocol"],
        overrides=training["overrides"],
        checkpoint_minutes=training["checkpoint_minutes"],
        device=device,
        job_group=job_group,
        measure_by=config.get("measure_by", "model"),
        threads=config["threads"],
        data=folder_of(config["data"]["path"]),
        data_folder=config["data"]["folder"] and folder_of(config["data"]["folder"]),
    )
