"""What a configuration gets wrong that no declaration of one key can see: values that do not fit each other.

Each check reads keys that are sound by their declarations (`iwae.study.problems`), and gives a line for each problem.
"""

import math
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from iwae.errors import InputError
from iwae.study.declaration import shown, suggestion
from iwae.study.experiments import experiment_models
from iwae.study.measurements import MEASUREMENTS
from iwae.study.parts import folder_of, measured_models, measurement_of, model_groups, models_of, training_of
from iwae.study.protocol import PRESETS, Protocol, preset
from iwae.study.registry import DATASETS, split_prior


def cross_problems(config: dict[str, Any], broken: Iterable[str]) -> list[str]:
    """One line for each problem, of the checks that read none of the keys which are `broken` already."""
    broken = tuple(broken)
    return [
        line
        for check, keys in _CHECKS.items()
        if not any(_overlap(key, place) for key in keys for place in broken)
        for line in check(config)
    ]


def _overlap(key: str, place: str) -> bool:
    """Whether one of two dotted names is the other or a group that holds it."""
    return f"{key}.".startswith(f"{place}.") or f"{place}.".startswith(f"{key}.")


def _measurement_check(name: str) -> Callable[[dict[str, Any]], Iterable[str]]:
    return lambda config: _refusal(name, measurement_of, name, config[name])


def _measured_check(name: str) -> Callable[[dict[str, Any]], Iterable[str]]:
    return lambda config: _choice_problems(config, name, config[name], lambda config: measured_models(config, name))


def _refusal(place: str, build: Callable[..., Any], *values: Any) -> list[str]:
    """``place: sentence`` if `build` refuses `values`, else nothing."""
    try:
        build(*values)
    except InputError as error:
        return [f"{place}: {str(error).removesuffix('.')}"]
    return []


def _experiment_problems(config: dict[str, Any]) -> Iterator[str]:
    """Each experiment is tried alone, whether it is to run or not; then the protocols of all their models."""
    yield from _refusal("grid", models_of, {**config, "experiments": {}})
    for name, experiment in config["experiments"].items():
        place = f"experiments.{name}"
        found = _refusal(place, lambda *given: list(experiment_models(*given)), name, experiment)
        yield from found
        if name == "convergence" and not found:
            yield from _choice_problems(config, place, experiment, lambda config: model_groups(config)["convergence"])
    yield from _refused_variants(config).values()


def _choice_problems(
    config: dict[str, Any], place: str, group: dict[str, Any], choose: Callable[[dict[str, Any]], Collection[Any]]
) -> Iterator[str]:
    """What a group that is run takes models of that has none, or that it chooses none at all."""
    if not group.get("run", True):
        return
    off = [source for source in group.get("of") or () if source != "grid" and not config["experiments"][source]["run"]]
    yield from (f"{place}.of: {source!r} is turned off, so it has no models" for source in off)
    with suppress(InputError):  # another check reports it
        if not off and not choose(config):
            yield f"{place}: it chooses no model of the study: change what it chooses, or turn it off with run: false"


def _schedule_problems(config: dict[str, Any]) -> Iterator[str]:
    """What the schedule lacks or does not read, in the study's protocol and in its models'."""
    try:
        preset(config["training"]["protocol"]).with_overrides(config["training"]["overrides"])
        models = models_of(config)
    except InputError:
        return  # another check reports it
    found = _refusal("training", training_of, config["training"])
    yield from found
    if found:
        return
    training = training_of(config["training"])
    if config["experiments"]["convergence"]["run"] and not training.is_cosine:
        yield "experiments.convergence.run: it needs a cosine schedule (protocol efficient): write false, or take one"
        models = tuple(model for model in models if model.passes is None)
    refused: dict[str, dict[str, None]] = defaultdict(dict)
    # Of these the experiments' keys tell, once for all their models.
    large, variants = {prior for _, prior in _large_priors(config)}, _refused_variants(config)
    for model in models:
        if model.prior not in large and model.variant not in variants:
            for line in _refusal("", training.for_model, model):
                refused[line][model.kind] = None
    yield from (", ".join([*kinds][:3]) + ", ..." * (len(kinds) > 3) + line for line, kinds in refused.items())
    if any(model.passes == training.passes for model in models if model.passes):
        yield (
            f"training.passes: {training.passes} are asked of some models by name, too, which would be trained twice: "
            "leave them out of experiments.convergence.passes"
        )


def _refused_variants(config: dict[str, Any]) -> dict[str, str]:
    """A line for each variant of the protocol that is impossible, by the variant."""
    place, protocols = "experiments.protocols.variants", config["experiments"]["protocols"]
    found = {variant: _refusal(place, _variant_of, config, variant) for variant in protocols["variants"]}
    return {variant: line for variant, lines in found.items() for line in lines if protocols["run"]}


def _variant_of(config: dict[str, Any], variant: str) -> Protocol:
    """The study's protocol with a variant."""
    training = config["training"]
    protocol = preset(training["protocol"])
    if not list(_override_problems(config)):  # else another check reports them
        protocol = protocol.with_overrides(training["overrides"])
    return protocol.with_variant(variant)


def _override_problems(config: dict[str, Any]) -> Iterator[str]:
    """Each override is tried alone, under the schedule asked for, so that one pass finds every impossible one."""
    protocol, known = preset(config["training"]["protocol"]), list(Protocol.__dataclass_fields__)
    overrides = config["training"]["overrides"]
    with suppress(InputError):  # said below
        protocol = protocol.with_overrides({name: overrides[name] for name in overrides if name == "schedule"})
    for name, value in overrides.items():
        place = f"training.overrides.{shown(name)}"
        if name not in known:
            yield f"{place}: unknown field of the protocol{suggestion(name, known)}"
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{place}: {value} is impossible: it must be a finite number"
        yield from _refusal(place, protocol.with_overrides, {name: value} if name in known else {})


def _split(config: dict[str, Any], groups: Iterable[dict[str, Any]] = ()) -> tuple[int, int]:
    """Images of the smallest data set, of the study or some groups: how many are held out, and how many are left."""
    training, protocols = config["training"], config["experiments"]["protocols"]
    held_out = training["overrides"].get("held_out", preset(training["protocol"]).held_out)
    variants = [PRESETS[name].held_out for name in protocols["variants"] if protocols["run"] and name in PRESETS]
    wanted = [config["grid"], *(group for group in config["experiments"].values() if group["run"])]
    datasets = {name for group in groups or wanted for name in group["datasets"]}
    # What is neither a number nor null is reported by `_override_problems`.
    kept = {
        name: max(
            DATASETS[name].validation_file,
            *(value if isinstance(value, int) else DATASETS[name].held_out for value in (held_out, *variants)),
        )
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


def _too_large_batch(config: dict[str, Any]) -> Iterator[str]:
    """A minibatch of more images than there are; of more than are asked for, its record refuses it."""
    size, left = config["training"]["batch_size"], _split(config)[1]
    if config["training"]["train_images"] is None and 0 < left < size:
        yield f"training.batch_size: {size} is impossible: it must be {left} or less, the number of training images"


def _large_priors(config: dict[str, Any]) -> dict[tuple[str, str], str]:
    """A line for each prior with more components than images of a data set to train on, by experiment and prior."""
    found, asked = {}, config["training"]["train_images"]
    for name in ("priors", "other_priors"):
        experiment = config["experiments"][name]
        most = asked or _split(config, [experiment])[1]
        for prior in experiment["priors"] if experiment["run"] and most > 0 else ():
            if split_prior(prior)[1] > most:
                reason = f"it has more components than the {most} training images"
                found[name, prior] = f"experiments.{name}.priors: {prior!r} is impossible: {reason}"
    return found


def _data_problems(config: dict[str, Any]) -> Iterator[str]:
    """Variables of the environment that are not set, and a folder that is not there."""
    path, folder = config["data"]["path"], config["data"]["folder"]
    if "$" in folder_of(path):
        yield f"data.path: {path!r} names a variable that is not set: set it, or write the folder"
    if folder is not None and not os.path.isdir(folder_of(folder)):  # never raises, whatever the text
        yield f"data.folder: there is no folder {folder!r}: name the one with your copies, or write null to download"


_COUNTS = ("grid.datasets", "experiments", "training.protocol", "training.overrides", "training.train_images")
# Each check with the keys it reads, which are sound by their declarations when it is called.
_CHECKS: dict[Callable[[dict[str, Any]], Iterable[str]], tuple[str, ...]] = {
    _experiment_problems: ("grid", "experiments", "training.protocol", "training.overrides"),
    _override_problems: ("training.protocol", "training.overrides"),
    _too_many_images: _COUNTS,
    _too_large_batch: (*_COUNTS, "training.batch_size"),
    lambda config: _large_priors(config).values(): _COUNTS,
    _schedule_problems: ("grid", "experiments", "training"),
    _data_problems: ("data",),
    **{_measurement_check(name): (name,) for name in MEASUREMENTS},
    **{_measured_check(name): (name, "grid", "experiments") for name in MEASUREMENTS},
}
