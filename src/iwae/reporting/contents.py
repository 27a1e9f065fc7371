"""Which tables and figures a study has: decided by its models and by the steps that are run on them.

The workflow asks while it builds its graph, the summary when it lists what there is. Standard library only.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from iwae.errors import InputError
from iwae.study.registry import DATASETS
from iwae.study.specification import ModelSpec

# The data sets of the paper's Table 1 and, binarized once, of its Table 3.
TABLE_1, TABLE_3 = (tuple(name for name, entry in DATASETS.items() if entry.fixed == fixed) for fixed in (False, True))
PLANE = 2  # latent units of the models whose posterior can be drawn


class Item(NamedTuple):
    """A table or a figure.

    Attributes:
        title: What it shows.
        about: Whether it shows a model.
        provider: What the configuration must ask for, to have such models and the step that it is drawn from.
        section: That step, by its name in a model's manifest.
        files: The files of a model's folder that it is drawn from, beside ``results.csv``.
    """

    title: str
    about: Callable[[ModelSpec], bool]
    provider: str
    section: str = "likelihood"
    files: tuple[str, ...] = ("likelihood.npz",)


def _in_grid(spec: ModelSpec) -> bool:
    return spec.variation == ""


def _table1(spec: ModelSpec) -> bool:
    return _in_grid(spec) and spec.dataset in TABLE_1


def _table3(spec: ModelSpec) -> bool:
    return _in_grid(spec) and spec.dataset in TABLE_3


def _continued(spec: ModelSpec) -> bool:
    return spec.origin is not None


def _resized(spec: ModelSpec) -> bool:
    return spec.latents not in (None, PLANE)


def _planar(spec: ModelSpec) -> bool:
    return spec.latents == PLANE


def _variant(spec: ModelSpec) -> bool:
    return spec.variant is not None


_GRID = "the `grid`"
_SURGERY = "the `grid` and `surgery`"
_CAPACITY = "`experiments.capacity`"
_PROTOCOLS = "`experiments.protocols`"
_IN_DATASETS = "{} in `grid.datasets` or `experiments.other_datasets`"
_PICTURES = ("pictures", ("pictures.npz",))
TABLES = {
    "table1": Item("Table 1", _table1, _IN_DATASETS.format(" or ".join(TABLE_1))),
    "table2": Item("Table 2", _continued, "`experiments.warm_starts`"),
    "table3": Item("Table 3", _table3, _IN_DATASETS.format(" or ".join(TABLE_3))),
    "generalization": Item("Test against training images", _in_grid, _GRID),
    "inactive": Item("Without the inactive units", _in_grid, "`chopped`", "chopped"),
    "capacity": Item("Numbers of latent units", _resized, _CAPACITY),
    "protocols": Item("Protocols", _variant, _PROTOCOLS),
    "surgery": Item("ELBO surgery", _in_grid, _SURGERY, "surgery"),
}
FIGURES = {
    "nll": Item("nll against the number k of importance samples in training", _in_grid, _GRID),
    "activity": Item(
        "Histogram of the activity A_u of the latent units", _in_grid, _GRID, "activity", ("activity.csv",)
    ),
    "learning": Item("Training and validation bound during training", _in_grid, _GRID, "training", ("training.csv",)),
    "bound": Item(
        "The bound on log p(x) against the number of samples in its evaluation",
        _in_grid,
        _GRID,
        files=("likelihood.csv",),
    ),
    "surgery": Item("The parts of the negative ELBO of each model", _in_grid, _SURGERY, "surgery", ("surgery.csv",)),
    "capacity": Item("Active units and nll against the number of latent units", _resized, _CAPACITY),
    "protocols": Item("nll under other protocols minus nll under the study's own", _variant, _PROTOCOLS),
    "samples": Item("Images drawn from the models (Bernoulli means)", _in_grid, _GRID, *_PICTURES),
    "reconstructions": Item("Test images and their reconstructions", _in_grid, _GRID, *_PICTURES),
    "posterior": Item(
        "The posterior of training images and its approximation by q, in models with two latent units",
        _planar,
        "`experiments.two_latents`",
        *_PICTURES,
    ),
    "weights": Item(
        "Last-layer weights of the decoder's most used hidden units",
        _in_grid,
        _GRID,
        "training",
        ("model.safetensors",),
    ),
}
_ITEMS = {"table": TABLES, "figure": FIGURES}


def tables(models: Iterable[ModelSpec], sections: Iterable[str]) -> dict[str, str]:
    """The tables of a study by name, each with its title.

    Args:
        models: The study's models.
        sections: The steps that are run on them, by their names in a manifest.
    """
    return {name: TABLES[name].title for name in _present(TABLES, models, sections)}


def figures(models: Iterable[ModelSpec], sections: Iterable[str]) -> dict[str, list[str]]:
    """The figures of a study by name, each with the files of a model's folder that it is drawn from.

    Args:
        models: The study's models.
        sections: The steps that are run on them, by their names in a manifest.
    """
    return {name: list(FIGURES[name].files) for name in _present(FIGURES, models, sections)}


def require_known(kind: str, name: str) -> None:
    """Refuse a name of no ``table`` or no ``figure``, whichever `kind` says.

    Raises:
        InputError: There is none of this name.
    """
    items = _ITEMS[kind]
    if name not in items:
        raise InputError(f"{kind} {name!r} is unknown: use one of {', '.join(items)}.")


def require(kind: str, name: str, models: Iterable[ModelSpec], sections: Iterable[str]) -> None:
    """Refuse a table or a figure that a study does not have.

    Args:
        kind: ``table`` or ``figure``.
        name: The name of one.
        models: The study's models.
        sections: The steps that are run on them.

    Raises:
        InputError: The study lacks what it shows.
    """
    if name not in _present(_ITEMS[kind], models, sections):
        provider = _ITEMS[kind][name].provider
        raise InputError(f"this study has no {kind} {name!r}: ask for {provider} in its configuration and run it.")


def _present(items: dict[str, Item], models: Iterable[ModelSpec], sections: Iterable[str]) -> list[str]:
    models, sections = tuple(models), tuple(sections)
    return [name for name, item in items.items() if item.section in sections and any(map(item.about, models))]
