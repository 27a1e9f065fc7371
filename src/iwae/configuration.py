"""A study as its configuration describes it: which models, under which settings, on which device.

`read_study` turns the plain dictionary of a configuration file into typed records, or refuses it with every problem at
once. Nothing here knows Snakemake, and nothing imports torch: the workflow calls it while it builds its graph.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iwae import schema as json_schema
from iwae.errors import InputError
from iwae.protocol import Protocol, preset
from iwae.settings import MEASUREMENTS, Settings, TrainingSettings
from iwae.specification import ModelSpec, grid

_NVIDIA_DRIVER = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia"))


@dataclass(frozen=True)
class Study:
    """One configuration, checked.

    Attributes:
        name: Names ``results/<name>`` and ``figures/<name>``.
        models: The models of the grid, each once, in order.
        training: How they are trained.
        measurements: The settings of each step that measures a model, by the step's name.
        protocol: The preset's name; `training` holds its fields, overrides included.
        overrides: Fields of the protocol that differ from the preset.
        checkpoint_minutes: Minutes between two saved states of training.
        device: ``cpu`` or ``cuda``.
        cohort: ``dataset``, ``stack`` or ``model``: which models one job trains.
        threads: CPU threads of one job.
        data: Folder of the data files.
        data_folder: Folder of the user's own copies of the data, None to download them.
    """

    name: str
    models: tuple[ModelSpec, ...]
    training: TrainingSettings
    measurements: dict[str, Settings]
    protocol: str
    overrides: dict[str, Any]
    checkpoint_minutes: float
    device: str
    cohort: str
    threads: int
    data: str
    data_folder: str | None

    def settings(self, section: str) -> Settings:
        """The settings of one section of a model's manifest."""
        return self.training if section == "training" else self.measurements[section]

    def cohort_of(self, model: ModelSpec) -> str:
        """The name that the models trained by one job share; fit for a rule's name."""
        name = {"dataset": model.dataset, "stack": model.stack, "model": model.name}[self.cohort]
        return name.replace("/", "_").replace("-", "_")


def read_study(config: dict[str, Any], schema: dict[str, Any]) -> Study:
    """The study that `config` describes.

    Args:
        config: The configuration, as YAML gives it.
        schema: The JSON schema it must follow.

    Raises:
        InputError: The configuration has problems; the message tells all of them, one a line.
    """
    problems = json_schema.problems(config, schema)
    sound = config.keys() - {line.split(":")[0].split(".")[0] for line in problems}
    for group, build in _builders(config).items():
        if group in sound:
            problems += build()
    if not problems and config["training"]["train_images"] is not None:
        problems += _oversized(config)
    if problems:
        raise InputError(f"The configuration has {len(problems)} problem(s):\n" + "\n".join(f"  {p}" for p in problems))
    return _study(config)


def resolve_device(device: str) -> str:
    """``cpu`` or ``cuda``: what ``auto`` stands for on this machine, judged by its driver, without importing torch."""
    if device != "auto":
        return device
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return "cuda" if not hidden and any(path.exists() for path in _NVIDIA_DRIVER) else "cpu"


def _study(config: dict[str, Any]) -> Study:
    device, training = resolve_device(config["device"]), config["training"]
    cohort = config["cohort"]
    if cohort == "auto":  # a GPU gains from many models at once; a CPU core is busy with one
        cohort = "dataset" if device == "cuda" else "model"
    return Study(
        name=config["study"],
        models=_models(config["grid"]),
        training=_training(training),
        measurements={name: _measurement(name, config[name]) for name in MEASUREMENTS},
        protocol=training["protocol"],
        overrides=training["overrides"],
        checkpoint_minutes=training["checkpoint_minutes"],
        device=device,
        cohort=cohort,
        threads=config["threads"],
        data=Path(config["data"]["path"]).as_posix(),
        data_folder=config["data"]["folder"],
    )


def _models(group: dict[str, Any]) -> tuple[ModelSpec, ...]:
    return tuple(grid(group["datasets"], group["layers"], group["objectives"], group["k"], group["seeds"]))


def _training(group: dict[str, Any]) -> TrainingSettings:
    return TrainingSettings(
        protocol=preset(group["protocol"]).with_overrides(group["overrides"]),
        stages=group["stages"],
        batch_size=group["batch_size"],
        train_images=group["train_images"],
        study_seed=group["seed"],
    )


def _measurement(name: str, group: dict[str, Any]) -> Settings:
    values = {key: tuple(sorted(value)) if isinstance(value, list) else value for key, value in group.items()}
    return MEASUREMENTS[name](**values)


def _builders(config: dict[str, Any]) -> dict[str, Callable[[], list[str]]]:
    """For each group of keys, what tells the problems that only the library's own records see."""
    builders = {name: lambda name=name: _refusal(name, _measurement, name, config[name]) for name in MEASUREMENTS}
    return {
        "grid": lambda: _refusal("grid", _models, config["grid"]),
        "training": lambda: _training_problems(config["training"]),
        **builders,
    }


def _refusal(place: str, build: Callable[..., Any], *values: Any) -> list[str]:
    """``place: sentence`` if `build` refuses `values`, else nothing."""
    try:
        build(*values)
    except InputError as error:
        return [f"{place}: {str(error).removesuffix('.')}"]
    return []


def _training_problems(group: dict[str, Any]) -> list[str]:
    """Each override is tried alone, so that one pass finds every impossible one."""
    protocol, known, problems = preset(group["protocol"]), list(Protocol.__dataclass_fields__), []
    for name, value in group["overrides"].items():
        place = f"training.overrides.{json_schema.shown(name)}"
        if name not in known:
            problems.append(f"{place}: unknown field of the protocol{json_schema.suggestion(name, known)}")
        elif isinstance(value, float) and not math.isfinite(value):
            problems.append(f"{place}: {value} is impossible: it must be a finite number")
        for line in _refusal(place, protocol.with_overrides, {name: value} if name in known else {}):
            problems.append(line + json_schema.number_as_text(value))
    return problems or _refusal("training", _training, group)


def _oversized(config: dict[str, Any]) -> list[str]:
    """Sizes of the surgery that are not below the number of training images."""
    images = config["training"]["train_images"]
    return [
        f"surgery.sizes: {size} is impossible: it must be less than training.train_images, which is {images}"
        for size in config["surgery"]["sizes"]
        if size >= images
    ]
