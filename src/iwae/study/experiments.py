"""The paper's experiments beside its main grid: which models each of them trains, and which it compares them with."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from iwae.errors import InputError
from iwae.study.declaration import key
from iwae.study.registry import ARCHITECTURES, DATASETS, ESTIMATORS, objectives_of
from iwae.study.specification import MOST_SEEDS, ModelSpec, prior_names


@dataclass(frozen=True)
class Run:
    """What can be turned off."""

    run: bool = key("Whether the study has it")


@dataclass(frozen=True)
class Experiment(Run):
    """The keys that every experiment has."""

    datasets: tuple[str, ...] = key("Data sets", choices=DATASETS)
    models: tuple[str, ...] = key("Objectives and k, as in a model's name")
    seeds: tuple[int, ...] = key("Seeds", least=0, most=MOST_SEEDS - 1)


@dataclass(frozen=True)
class Capacity(Experiment):
    """The keys of ``capacity``."""

    latents: tuple[int, ...] = key("Latent units, beside the grid's", least=1)


REPEATABLE = ("grid", "warm_starts", "capacity", "other_datasets", "priors", "other_priors")


@dataclass(frozen=True)
class Convergence(Experiment):
    """The keys of ``convergence``."""

    of: tuple[str, ...] = key("The grid and the experiments whose models are trained once more", choices=REPEATABLE)
    passes: tuple[int, ...] = key("Passes over the training images, beside those of training.passes", least=1)


@dataclass(frozen=True)
class Protocols(Experiment):
    """The keys of ``protocols``."""

    variants: tuple[str, ...] = key("Presets, and fields of the protocol that take another value")


@dataclass(frozen=True)
class Estimators(Experiment):
    """The keys of ``estimators``."""

    estimators: tuple[str, ...] = key("Estimators of the gradient, beside the standard one", choices=ESTIMATORS)


@dataclass(frozen=True)
class Priors(Experiment):
    """The keys of ``priors`` and ``other_priors``."""

    priors: tuple[str, ...] = key(
        "Priors beside N(0, I), as in a model's name",
        form="|".join(prior_names("[1-9][0-9]*")),
        advice=f"it is no prior, so write {' or '.join(prior_names('100'))}",
    )


EXPERIMENTS = {
    "warm_starts": Experiment,
    "two_latents": Experiment,
    "capacity": Capacity,
    "other_datasets": Experiment,
    "convergence": Convergence,
    "estimators": Estimators,
    "protocols": Protocols,
    "priors": Priors,
    "other_priors": Priors,
}
"""The keys of each experiment."""


# What each value of an experiment's list adds to a model's name, and the list's key where it is not the experiment's.
_PARTS = {"priors": "{}", "other_priors": "{}", "estimators": "by-{}", "protocols": "with-{}"}
_LISTS = {"other_priors": "priors", "protocols": "variants"}


def experiment_models(name: str, experiment: dict[str, Any]) -> Iterator[ModelSpec]:
    """The models of one experiment, those included that it compares its own with; of ``convergence`` those it names.

    Args:
        name: One of `EXPERIMENTS`.
        experiment: Its group of the configuration.

    Raises:
        InputError: There is no such model.
    """
    for dataset, seed, kind in itertools.product(experiment["datasets"], experiment["seeds"], experiment["models"]):
        model = _parsed(dataset, kind, seed)
        if name == "warm_starts":
            if model.origin is None:
                raise InputError(f"{kind!r} is not a continued model: write it like iwae-k50-from-vae-k1.")
            yield from (model.origin, model)
        elif name in _PARTS:
            added = (_PARTS[name].format(value) for value in experiment[_LISTS.get(name, name)])
            yield from (model, *(_varied(model, part) for part in added))
        elif model.variation:
            raise InputError(f"{kind!r} is impossible here: write an objective and k, like iwae-k50.")
        elif name in ("other_datasets", "convergence"):
            yield model
        elif name == "two_latents":
            yield replace(model, variation="z2")
        else:
            yield from (model, *(_varied(model, f"z{units}") for units in experiment["latents"]))


def repeated_models(experiment: dict[str, Any], models: Iterable[ModelSpec]) -> Iterator[ModelSpec]:
    """The models of ``convergence``: those of its data sets, objectives, k and seeds among `models`, for other passes.

    Those that they are continued from are among them.
    """
    for model, passes in itertools.product(models, experiment["passes"]):
        wanted = model.dataset in experiment["datasets"] and model.seed in experiment["seeds"]
        if wanted and f"{model.objective}-k{model.k}" in experiment["models"] and model.passes is None:
            again = model.with_passes(passes)
            yield from filter(None, (again.origin, again))


def _varied(model: ModelSpec, part: str) -> ModelSpec:
    return replace(model, variation="-".join(filter(None, (model.variation, part))))


def _parsed(dataset: str, kind: str, seed: int) -> ModelSpec:
    layers = next((ARCHITECTURES[part].layers for part in kind.split("-") if part in ARCHITECTURES), 1)
    name = f"{dataset}/l{layers}-{kind}/seed{seed}"
    try:
        model = ModelSpec.parse(name)
    except InputError as error:
        if name not in str(error):  # it has the form of a name
            raise
        example = "write an objective and k, like iwae-k50, or iwae-k50-from-vae-k1"
        raise InputError(f"{kind!r} is no kind of model: {example}.") from error
    if objectives_of(model.objective, model.k)[0] != model.objective:
        raise InputError(f"{kind!r} is impossible: with k = 1 the IWAE is the VAE, so write vae-k1.")
    return model
