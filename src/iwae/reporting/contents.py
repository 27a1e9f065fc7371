"""Which tables and figures there are, and which of them a study has: by its models and the steps that are run on them.

``contents.yaml`` declares them; an entry there and the module that it names are all that another one takes. The module
of a table has ``rows``, which makes its frame, and ``lay_out``, which shows a data set's rows to people
(`iwae.reporting.tables`); that of a figure has ``data`` and ``draw`` (`iwae.reporting.figures`). A module of several
has an object with these two for each, which the entry names too: ``module:object``. The workflow asks while it builds
its graph: no arrays are loaded.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from iwae.errors import InputError
from iwae.study.manifest import SECTIONS, WEIGHTS
from iwae.study.measurements import MEASUREMENTS
from iwae.study.protocol import PRESETS
from iwae.study.registry import DATASETS, implementation
from iwae.study.specification import STANDARD, ModelSpec

SIGNAL_TO_NOISE = "signal_to_noise.csv"  # of the linear Gaussian problem
TABLE_KINDS = ("csv", "md", "html", "tex")  # the suffixes of a table's files
AUDIT_KINDS = ("json", "md", "html")
PLANE = 2  # latent units of the models whose posterior can be drawn

Sections = Callable[[ModelSpec], Collection[str]]
"""The steps that are run on a model, by their names in a manifest."""


class Group(NamedTuple):
    """Models that a table or figure is about, and what the configuration must ask for to have such."""

    about: Callable[[ModelSpec], bool]
    needs: str


def _whole(spec: ModelSpec) -> bool:
    """Whether it had all passes, under the study's own protocol."""
    return spec.passes is None and spec.variant is None


def _with_prior(spec: ModelSpec) -> bool:
    return spec.prior != STANDARD and _whole(spec)


def _grid_of(fixed: bool) -> Group:
    """The grid's models of the data sets of the paper's Table 1 or, binarized once, of its Table 3."""
    names = [name for name, entry in DATASETS.items() if entry.fixed == fixed]
    needs = f"{' or '.join(names)} in `grid.datasets` or `experiments.other_datasets`"
    return Group(lambda spec: spec.variation == "" and spec.dataset in names, needs)


_PROTOCOLS, _PRIORS = "`experiments.protocols`", "`experiments.priors` or `experiments.other_priors`"
GROUPS = {
    "all": Group(lambda spec: True, "the `grid`"),
    "grid": Group(lambda spec: spec.variation == "", "the `grid`"),
    "table 1": _grid_of(fixed=False),
    "table 3": _grid_of(fixed=True),
    "warm starts": Group(lambda spec: spec.origin is not None, "`experiments.warm_starts`"),
    "resized": Group(lambda spec: spec.latents not in (None, PLANE) and spec.passes is None, "`experiments.capacity`"),
    "other protocols": Group(lambda spec: spec.variant is not None, _PROTOCOLS),
    "other presets": Group(lambda spec: spec.variant in PRESETS, _PROTOCOLS),
    "other estimators": Group(lambda spec: spec.estimator != STANDARD, "`experiments.estimators`"),
    "two latent units": Group(
        lambda spec: spec.latents == PLANE and spec.prior == STANDARD and _whole(spec), "`experiments.two_latents`"
    ),
    "other priors": Group(lambda spec: spec.prior != STANDARD and spec.passes is None, _PRIORS),
    "other priors, whole": Group(_with_prior, _PRIORS),
    "VampPriors, whole": Group(lambda spec: spec.prior.startswith("vamp") and _whole(spec), _PRIORS),
    "other priors, two latent units": Group(lambda spec: spec.latents == PLANE and _with_prior(spec), _PRIORS),
    "replaced": Group(
        lambda spec: spec.variation == "" or _with_prior(spec) or (spec.architecture is not None and _whole(spec)),
        "the `grid`",
    ),
}


@dataclass(frozen=True)
class Item:
    """A table or a figure, as ``contents.yaml`` declares and explains it."""

    title: str
    models: str = "grid"
    section: str = "likelihood"
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    module: str = ""
    numbers: bool = True
    caption: str = ""

    def __post_init__(self) -> None:
        for value, known in ((self.models, GROUPS), (self.section, SECTIONS)):
            if value not in known:
                raise ValueError(f"contents.yaml, {self.title}: {value!r} is unknown, use one of {', '.join(known)}")

    def about(self, model: ModelSpec) -> bool:
        """Whether it shows a model."""
        return GROUPS[self.models].about(model)

    def shows(self, model: ModelSpec, sections: Collection[str]) -> bool:
        """Whether it is about a model on which these steps are run."""
        return self.section in sections and self.about(model)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The suffixes of a figure's files."""
        return ("pdf", "png", "csv") if self.numbers else ("pdf", "png")

    @property
    def needs(self) -> str:
        """What the configuration must ask for."""
        optional = self.section in MEASUREMENTS and MEASUREMENTS[self.section].optional
        return f"{GROUPS[self.models].needs}{f' and `{self.section}`' if optional else ''}"


_DECLARED = yaml.safe_load((files(__package__) / "contents.yaml").read_text(encoding="utf-8"))
TABLES, FIGURES = ({name: Item(**entry) for name, entry in _DECLARED[part].items()} for part in ("tables", "figures"))
_ITEMS = {"table": TABLES, "figure": FIGURES}


def tables(models: Iterable[ModelSpec], sections_of: Sections) -> dict[str, Item]:
    """The tables, by name, of a study with these models and the steps that are run on each."""
    return _present(TABLES, models, sections_of)


def figures(
    models: Iterable[ModelSpec], sections_of: Sections, stripped: Collection[ModelSpec] = ()
) -> dict[str, Item]:
    """The figures likewise, without those of weights that all their models have lost: `stripped`."""
    models = list(models)
    left = [model for model in models if model not in stripped]
    found, drawable = (_present(FIGURES, some, sections_of) for some in (models, left))
    return {name: item for name, item in found.items() if WEIGHTS not in item.files or name in drawable}


def _present(items: dict[str, Item], models: Iterable[ModelSpec], sections_of: Sections) -> dict[str, Item]:
    asked = {model: sections_of(model) for model in models}
    return {
        name: item for name, item in items.items() if any(item.shows(model, steps) for model, steps in asked.items())
    }


def require_known(kind: str, names: Iterable[str]) -> None:
    """Refuse a name of no ``table`` or no ``figure``, whichever `kind` says, with an `InputError`."""
    for name in names:
        if name not in _ITEMS[kind]:
            raise InputError(f"{kind} {name!r} is unknown: use one of {', '.join(_ITEMS[kind])}.")


def recipe(kind: str, name: str, models: Iterable[ModelSpec], sections_of: Sections) -> tuple[Item, Any]:
    """A ``table`` or ``figure`` of a study, and what makes it: a module, or an object of a module that makes several.

    Raises:
        InputError: There is none of this name, the study lacks what it shows, or nothing is there that makes it.
    """
    require_known(kind, [name])
    item = _ITEMS[kind][name]
    if name not in _present({name: item}, models, sections_of):
        raise InputError(f"this study has no {kind} {name!r}: ask for {item.needs} in its configuration and run it.")
    return item, implementation(f"iwae.reporting.{kind}s.{item.module or name}")
