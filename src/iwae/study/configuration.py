"""A study as its configuration describes it: which models, under which settings, on which device.

`read_study` turns the plain dictionary of a configuration file into typed records, or refuses it with every problem at
once. Nothing here knows Snakemake, and nothing imports torch: the workflow calls it while it builds its graph.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from iwae.errors import InputError
from iwae.study import schema as json_schema
from iwae.study.experiments import experiment_models
from iwae.study.protocol import PRESETS, Protocol, preset
from iwae.study.registry import DATASETS
from iwae.study.settings import MEASUREMENTS, Settings, TrainingSettings
from iwae.study.specification import ModelSpec, grid

_NVIDIA_DRIVER = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia"))


@dataclass(frozen=True)
class StudyConfig:
    """One configuration, checked.

    Attributes:
        name: Names ``results/<name>`` and ``figures/<name>``.
        models: The models of the grid and of the experiments, each once, in order.
        training: How they are trained; `settings` gives it as one model has it.
        measurements: The settings of each step that measures a model, by the step's name, without those turned off.
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

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections that a model's manifest must have for the study to be finished, in order."""
        return ("training", *self.measurements)

    def settings(self, section: str, model: ModelSpec) -> dict[str, Any]:
        """The settings of one section of a model's manifest, as the manifest keeps them."""
        if section == "training":
            return self.training.for_model(model).as_dict()
        settings = self.measurements[section].as_dict()
        if section == "chopped":  # which units are removed follows from their activity
            settings["activity"] = self.measurements["activity"].as_dict()
        return settings

    def cohort_of(self, model: ModelSpec) -> str:
        """The name that the models trained by one job share; fit for a rule's name.

        Continued models are trained by jobs of their own, after the models that they are continued from.
        """
        name = {"dataset": model.dataset, "stack": model.stack, "model": model.name}[self.cohort]
        if model.origin and self.cohort == "dataset":
            name += "_continued"
        return name.replace("/", "_").replace("-", "_")


def read_study(config: dict[str, Any], schema: dict[str, Any]) -> StudyConfig:
    """The study that `config` describes.

    Args:
        config: The configuration, as YAML gives it.
        schema: The JSON schema it must follow.

    Raises:
        InputError: The configuration has problems; the message tells all of them, one a line.
    """
    problems = json_schema.problems(config, schema)
    broken = [line.split(":")[0] for line in problems]
    for check, keys in _CHECKS.items():
        if not any(_overlap(key, place) for key in keys for place in broken):
            problems += check(config)
    if problems:
        raise InputError(f"The configuration has {len(problems)} problem(s):\n" + "\n".join(f"  {p}" for p in problems))
    return study_of(config)


def resolve_device(device: str) -> str:
    """``cpu`` or ``cuda``: what ``auto`` stands for on this machine, judged by its driver, without importing torch."""
    if device != "auto":
        return device
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return "cuda" if not hidden and any(path.exists() for path in _NVIDIA_DRIVER) else "cpu"


def study_of(config: dict[str, Any]) -> StudyConfig:
    """The study that a configuration describes which `read_study` has accepted, such as a ``configuration.json``."""
    device, training = resolve_device(config["device"]), config["training"]
    cohort = config["cohort"]
    if cohort == "auto":  # a GPU gains from many models at once; a CPU core is busy with one
        cohort = "dataset" if device == "cuda" else "model"
    return StudyConfig(
        name=config["study"],
        models=_models(config),
        training=_training(training),
        measurements={name: _measurement(name, config[name]) for name in MEASUREMENTS if config[name].get("run", True)},
        protocol=training["protocol"],
        overrides=training["overrides"],
        checkpoint_minutes=training["checkpoint_minutes"],
        device=device,
        cohort=cohort,
        threads=config["threads"],
        data=Path(config["data"]["path"]).as_posix(),
        data_folder=config["data"]["folder"],
    )


def _models(config: dict[str, Any]) -> tuple[ModelSpec, ...]:
    group = config["grid"]
    models = set(grid(group["datasets"], group["layers"], group["objectives"], group["k"], group["seeds"]))
    for name, experiment in config["experiments"].items():
        if experiment["run"]:
            models.update(experiment_models(name, experiment))
    return tuple(sorted(models))


def _training(group: dict[str, Any]) -> TrainingSettings:
    return TrainingSettings(
        protocol=preset(group["protocol"]).with_overrides(group["overrides"]),
        stages=group["stages"],
        passes=group.get("passes"),  # not in configurations kept before there was a cosine
        batch_size=group["batch_size"],
        train_images=group["train_images"],
        study_seed=group["seed"],
    )


def _measurement(name: str, group: dict[str, Any]) -> Settings:
    values = {
        key: tuple(sorted(value)) if isinstance(value, list) else value for key, value in group.items() if key != "run"
    }
    return MEASUREMENTS[name](**values)


def _overlap(key: str, place: str) -> bool:
    """Whether one of two dotted names is the other or a group that holds it."""
    return f"{key}.".startswith(f"{place}.") or f"{place}.".startswith(f"{key}.")


def _measurement_check(name: str) -> Callable[[dict[str, Any]], list[str]]:
    return lambda config: _refusal(name, _measurement, name, config[name])


def _refusal(place: str, build: Callable[..., Any], *values: Any) -> list[str]:
    """``place: sentence`` if `build` refuses `values`, else nothing."""
    try:
        build(*values)
    except InputError as error:
        return [f"{place}: {str(error).removesuffix('.')}"]
    return []


def _experiment_problems(config: dict[str, Any]) -> Iterator[str]:
    """Each experiment is tried alone, whether it is to run or not; then the protocols of all their models."""
    yield from _refusal("grid", _models, {**config, "experiments": {}})
    for name, experiment in config["experiments"].items():
        yield from _refusal(f"experiments.{name}", lambda *given: list(experiment_models(*given)), name, experiment)
    protocols = config["experiments"]["protocols"]
    for variant in protocols["variants"] if protocols["run"] else ():
        yield from _refusal("experiments.protocols.variants", _varied, config, variant)


def _schedule_problems(config: dict[str, Any]) -> Iterator[str]:
    """Passes where the schedule has stages or none where it needs them, in the study's protocol and in its models'."""
    try:
        preset(config["training"]["protocol"]).with_overrides(config["training"]["overrides"])
        models = _models(config)
    except InputError:
        return  # told by others
    found = _refusal("training.passes", _training, config["training"])
    yield from found
    if not found:
        training = _training(config["training"])
        yield from dict.fromkeys(line for model in models for line in _refusal(model.kind, training.for_model, model))


def _varied(config: dict[str, Any], variant: str) -> Protocol:
    """The study's protocol with a variant, which must change it."""
    training = config["training"]
    protocol = preset(training["protocol"])
    if not list(_override_problems(config)):  # else they are told by themselves
        protocol = protocol.with_overrides(training["overrides"])
    varied = protocol.with_variant(variant)
    if varied == protocol:
        raise InputError(f"variant {variant!r} of the protocol is impossible: it is the study's own protocol.")
    return varied


def _override_problems(config: dict[str, Any]) -> Iterator[str]:
    """Each override is tried alone, so that one pass finds every impossible one."""
    protocol, known = preset(config["training"]["protocol"]), list(Protocol.__dataclass_fields__)
    for name, value in config["training"]["overrides"].items():
        place = f"training.overrides.{json_schema.shown(name)}"
        if name not in known:
            yield f"{place}: unknown field of the protocol{json_schema.suggestion(name, known)}"
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{place}: {value} is impossible: it must be a finite number"
        for line in _refusal(place, protocol.with_overrides, {name: value} if name in known else {}):
            yield line + json_schema.number_as_text(value)


def _split(config: dict[str, Any]) -> tuple[int, int]:
    """Images of the smallest data set: how many are held out, and how many are left for training."""
    training, protocols = config["training"], config["experiments"]["protocols"]
    held_out = training["overrides"].get("held_out", preset(training["protocol"]).held_out)
    varied = [PRESETS[name].held_out for name in protocols["variants"] if protocols["run"] and name in PRESETS]
    wanted = [config["grid"], *(group for group in config["experiments"].values() if group["run"])]
    datasets = {name for group in wanted for name in group["datasets"]}
    # What is neither a number nor null is told by `_override_problems`.
    kept = {
        name: max(value if isinstance(value, int) else DATASETS[name].held_out for value in (held_out, *varied))
        for name in datasets
    }
    smallest = min(datasets, key=lambda name: DATASETS[name].images - kept[name])
    return kept[smallest], DATASETS[smallest].images - kept[smallest]


def _too_many_images(config: dict[str, Any]) -> Iterator[str]:
    """More images held out, or trained on, than there are."""
    (held_out, left), asked = _split(config), config["training"]["train_images"]
    if left < 1:
        most = held_out + left - 1
        yield f"training.overrides.held_out: {held_out} is impossible: it must be {most} or less, to leave one image"
    elif asked is not None and asked > left:
        yield f"training.train_images: {asked} is impossible: it must be {left} or less, what the protocol leaves"


def _too_large(config: dict[str, Any], group: str, key: str) -> Iterator[str]:
    """A minibatch of more images than there are to train on, or surgery on as many, which is done anyway."""
    asked, value = config["training"]["train_images"], config[group][key]
    used = _split(config)[1] if asked is None else asked
    most, bound = (used - 1, "less than") if key == "sizes" else (used, "at most")
    source = "the number of training images" if asked is None else "training.train_images"
    for number in value if isinstance(value, list) else [value]:
        if number > most and used > 0:
            yield f"{group}.{key}: {number} is impossible: it must be {bound} {source}, which is {used}"


def _missing_folder(config: dict[str, Any]) -> list[str]:
    folder = config["data"]["folder"]
    if folder is None or os.path.isdir(folder):  # never raises, whatever the text
        return []
    return [f"data.folder: there is no folder {folder!r}: name the one with your copies, or write null to download"]


_COUNTS = ("grid.datasets", "experiments", "training.protocol", "training.overrides", "training.train_images")
# What a schema cannot see: each check with the keys it reads; they are sound by the schema when it is called.
_CHECKS: dict[Callable[[dict[str, Any]], Iterable[str]], tuple[str, ...]] = {
    _experiment_problems: ("grid", "experiments", "training.protocol", "training.overrides"),
    _override_problems: ("training.protocol", "training.overrides"),
    _too_many_images: _COUNTS,
    partial(_too_large, group="training", key="batch_size"): (*_COUNTS, "training.batch_size"),
    partial(_too_large, group="surgery", key="sizes"): (*_COUNTS, "surgery.sizes"),
    _schedule_problems: ("grid", "experiments", "training"),
    _missing_folder: ("data.folder",),
    **{_measurement_check(name): (name,) for name in MEASUREMENTS},
}
