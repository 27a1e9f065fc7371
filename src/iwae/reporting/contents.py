"""Which tables and figures there are, and which of them a study has: by its models and the steps that are run on them.

An entry here and the module that it names are all that another one takes. The module of a table has ``rows``, which
makes its frame, and ``lay_out``, which shows a data set's rows to people (`iwae.reporting.tables`); that of a figure
has ``data`` and ``draw`` (`iwae.reporting.figures`). The workflow asks while it builds its graph, the summary when it
lists what there is. Standard library only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from iwae.errors import InputError
from iwae.study.registry import DATASETS
from iwae.study.specification import ModelSpec

# The data sets of the paper's Table 1 and, binarized once, of its Table 3.
TABLE_1, TABLE_3 = (tuple(name for name, entry in DATASETS.items() if entry.fixed == fixed) for fixed in (False, True))
PLANE = 2  # latent units of the models whose posterior can be drawn


@dataclass(frozen=True)
class Item:
    """A table or a figure.

    Attributes:
        title: What it shows.
        about: Whether it shows a model.
        provider: What the configuration must ask for, to have such models and the step that it is drawn from.
        section: That step, by its name in a model's manifest.
        files: The files of a model's folder that a figure is drawn from, beside ``results.csv``.
        caption: What else must be known to read it; of a table, its notes say so.
        module: The module that makes it; empty for the one of its own name.
    """

    title: str
    about: Callable[[ModelSpec], bool]
    provider: str
    section: str = "likelihood"
    files: tuple[str, ...] = ("likelihood.npz",)
    caption: str = ""
    module: str = ""


def _in_grid(spec: ModelSpec) -> bool:
    return spec.variation == ""


def _table1(spec: ModelSpec) -> bool:
    return _in_grid(spec) and spec.dataset in TABLE_1


def _table3(spec: ModelSpec) -> bool:
    return _in_grid(spec) and spec.dataset in TABLE_3


def _continued(spec: ModelSpec) -> bool:
    return spec.origin is not None and spec.passes is None


def _resized(spec: ModelSpec) -> bool:
    return spec.latents not in (None, PLANE) and spec.passes is None


def _planar(spec: ModelSpec) -> bool:
    return spec.latents == PLANE


def _posterior(spec: ModelSpec) -> bool:
    return _planar(spec) and spec.prior == "standard" and _whole(spec)


def _variant(spec: ModelSpec) -> bool:
    return spec.variant is not None


def _estimated(spec: ModelSpec) -> bool:
    return spec.estimator != "standard"


def _whole(spec: ModelSpec) -> bool:
    """Whether it had all passes, under the study's own protocol."""
    return spec.passes is None and spec.variant is None


def _with_prior(spec: ModelSpec) -> bool:
    return spec.prior != "standard" and spec.passes is None


def _whole_with_prior(spec: ModelSpec) -> bool:
    return spec.prior != "standard" and _whole(spec)


def _pseudo_inputs(spec: ModelSpec) -> bool:
    return spec.prior.startswith("vamp") and _whole(spec)


def _plane_with_prior(spec: ModelSpec) -> bool:
    return _planar(spec) and _whole_with_prior(spec)


def _replaced(spec: ModelSpec) -> bool:
    return _in_grid(spec) or _whole_with_prior(spec) or (spec.architecture is not None and _whole(spec))


_GRID = "the `grid`"
_SURGERY = "the `grid` and `surgery`"
_CAPACITY = "`experiments.capacity`"
_PROTOCOLS = "`experiments.protocols`"
_PRIORS = "`experiments.priors` or `experiments.other_priors`"
_IN_DATASETS = "{} in `grid.datasets` or `experiments.other_datasets`"
_PICTURES = ("pictures", ("pictures.npz",))
TABLES = {
    "table1": Item("Table 1", _table1, _IN_DATASETS.format(" or ".join(TABLE_1)), module="comparison"),
    "table2": Item("Table 2", _continued, "`experiments.warm_starts`", module="continuation"),
    "table3": Item("Table 3", _table3, _IN_DATASETS.format(" or ".join(TABLE_3)), module="comparison"),
    "generalization": Item("Test against training images", _in_grid, _GRID),
    "inactive": Item("Without the inactive units", _in_grid, "`chopped`", "chopped"),
    "capacity": Item("Numbers of latent units", _resized, _CAPACITY),
    "protocols": Item("Protocols", _variant, _PROTOCOLS),
    "estimators": Item("Estimators of the gradient", _estimated, "`experiments.estimators`"),
    "annealed": Item("log p(x) by annealed importance sampling", _in_grid, "the `grid` and `annealed`", "annealed"),
    "inference": Item("Where the ELBO is lost", _in_grid, "the `grid` and `inference`", "inference"),
    "implicit": Item("The ELBO of q_EW", _in_grid, "the `grid` and `implicit`", "implicit"),
    "questions": Item("Questions", _in_grid, "the `grid` and `annealed`", "annealed"),
    "surgery": Item("ELBO surgery", _in_grid, _SURGERY, "surgery"),
    "priors": Item("Priors", _with_prior, _PRIORS),
    "replaced": Item(
        "Replaced priors",
        _replaced,
        "the `grid` and `replaced`",
        "replaced",
    ),
    "models": Item("Training of each model", lambda spec: True, _GRID, "training"),
}
FIGURES = {
    "nll": Item(
        "nll against the number k of importance samples in training",
        _in_grid,
        _GRID,
        caption="Thin bars: one standard error over the test images (se_images), which all models share, so that "
        "differences between models are far more certain than the bars suggest (second part of Table 1). Hollow "
        "markers are the paper's values, drawn where ours are comparable with them. At k = 1 the two objectives are "
        "one algorithm and one model.",
    ),
    "activity": Item(
        "Histogram of the activity A_u of the latent units",
        _in_grid,
        _GRID,
        "activity",
        ("activity.csv",),
        "As in the paper's appendix C. Units right of the dashed line are active; counts are means over seeds.",
    ),
    "learning": Item(
        "Training and validation bound during training",
        _in_grid,
        _GRID,
        "training",
        ("training.csv",),
        "Each model's own bound (VAE: L_1, IWAE: L_k). In a schedule of stages, ticks and markers stand at their ends, "
        "where the learning rate falls, and the first two of three or more lie outside the axes. The models' "
        "training.csv have every pass.",
    ),
    "bound": Item(
        "The bound on log p(x) against the number of samples in its evaluation",
        _in_grid,
        _GRID,
        files=("likelihood.csv",),
        caption="The bound grows towards log p(x); where a curve is still rising at its end, log p(x) lies above it.",
    ),
    "surgery": Item(
        "The parts of the negative ELBO of each model",
        _in_grid,
        _SURGERY,
        "surgery",
        ("surgery.csv",),
        "ELBO surgery (Hoffman & Johnson 2016): the ELBO over the training images is the reconstruction term minus the "
        "mutual information of image index and code minus the KL divergence of the aggregate posterior from the prior. "
        "The mutual information cannot exceed log N. Bars on the right: one standard error over Monte-Carlo draws.",
    ),
    "capacity": Item(
        "Active units and nll against the number of latent units",
        _resized,
        _CAPACITY,
        caption="Models with one stochastic layer. Bars: one standard error of nll over the test images; differences, "
        "which the table has, are paired over the images and far more certain. The paper says that more units than the "
        "grid's do not give more active ones.",
    ),
    "protocols": Item(
        "nll under other protocols minus nll under the study's own",
        _variant,
        _PROTOCOLS,
        caption="Another preset, or one field of the protocol as another preset has it. Differences are paired over "
        "the test images, bars are one standard error of them, and positive values mean that the departure costs nats. "
        "What each field stands for is explained in src/iwae/study/protocol.py.",
    ),
    "samples": Item(
        "Images drawn from the models (Bernoulli means)",
        _in_grid,
        _GRID,
        *_PICTURES,
        "The models with the largest k (paper: appendix E).",
    ),
    "reconstructions": Item(
        "Test images and their reconstructions",
        _in_grid,
        _GRID,
        *_PICTURES,
        "Binarized images from the start of the test file, and the models with the largest k.",
    ),
    "posterior": Item(
        "The posterior of training images and its approximation by q, in models with two latent units",
        _posterior,
        "`experiments.two_latents`",
        *_PICTURES,
        "As in the paper's appendix C. Heat map: p(h|x), normalised on a grid in a window that holds what the image's "
        "posterior has above 1e-4 of its maximum. Each panel has axes and a colour scale of its own, so panels cannot "
        "be compared by size or colour; the colour goes by the square root of the density. Ellipses: contours of "
        "q(h|x). Above each panel stand the image and its reconstruction from the mean of q.",
    ),
    "implicit": Item(
        "The posterior of a training image, and q_EW, from which one of k samples is picked by its weight",
        _posterior,
        "`experiments.two_latents` and `implicit`",
        "implicit",
        ("pictures.npz", "implicit.npz"),
        "In models with two latent units, for the first training image. For k = 1 q_EW is q, and it comes the nearer "
        "to the posterior the larger k (Cremer, Morris & Duvenaud 2017). Each panel is normalised on the grid of its "
        "image and coloured by the square root of its density.",
    ),
    "picked": Item(
        "Test images reconstructed from one draw of q_EW",
        _in_grid,
        "the `grid` and `implicit`",
        "implicit",
        ("implicit.npz",),
        "For each model a row for each k: one of k draws of q is picked by its weight and decoded.",
    ),
    "gradients": Item(
        "Signal to noise of the gradients against the k of the bound",
        _in_grid,
        "the `grid` and `gradients`",
        "gradients",
        ("gradients.csv",),
        "At the trained models, for one minibatch of training images: the root mean square over parameters of "
        "|E g| / sd g, of the encoder's and of the decoder's. Theory (Rainforth et al. 2018) for the IWAE's bound: the "
        "encoder's falls as k to the power -1/2, unless by STL or DReG, and the decoder's rises as k to the power 1/2.",
    ),
    "weights": Item(
        "Last-layer weights of the decoder's most used hidden units",
        _in_grid,
        _GRID,
        "training",
        ("model.safetensors",),
        "One image for each of the hidden units with the largest norm, of the models with the largest k. Mid-grey is "
        "zero; each image has a scale of its own.",
    ),
}
FIGURES |= {
    "replaced": Item(
        "What other priors would gain in the place of N(0, I)",
        _in_grid,
        "the `grid` and `replaced`",
        "replaced",
        ("replaced.npz", "replaced.csv"),
        "Gains in the ELBO of trained models, which are not trained again. From left to right the prior knows more of "
        "the aggregate posterior q(z). On training images q(z) gains the surgery's marginal KL, and what it does not "
        "gain on test images is memory of the image itself.",
    ),
    "prior_samples": Item(
        "Images drawn from models that differ in their prior (Bernoulli means)",
        _whole_with_prior,
        _PRIORS,
        *_PICTURES,
        "The model of the first seed of each kind.",
    ),
    "pseudo_inputs": Item(
        "Pseudo-inputs of VampPriors and images generated from each",
        _pseudo_inputs,
        _PRIORS,
        *_PICTURES,
        "In each row a trained pseudo-input u, then Bernoulli means of nine images drawn with z ~ q(z|u). u need not "
        "look like these: it starts as a training image, and what matters is where q(z|u) comes to lie. Where the "
        "decoder draws pixel after pixel, each mean is given the pixels drawn before it.",
    ),
    "plane": Item(
        "The prior p(z) and the aggregate posterior q(z), in models with two latent units",
        _plane_with_prior,
        _PRIORS,
        *_PICTURES,
        "Densities of each model on one grid and with one scale of colours, which goes by their square root.",
    ),
}
_ITEMS = {"table": TABLES, "figure": FIGURES}


def tables(models: Iterable[ModelSpec], sections: Iterable[str]) -> dict[str, Item]:
    """The tables of a study by name.

    Args:
        models: The study's models.
        sections: The steps that are run on them, by their names in a manifest.
    """
    return _present(TABLES, models, sections)


def figures(models: Iterable[ModelSpec], sections: Iterable[str]) -> dict[str, Item]:
    """The figures of a study by name; arguments as for `tables`."""
    return _present(FIGURES, models, sections)


def require_known(kind: str, name: str) -> None:
    """Refuse a name of no ``table`` or no ``figure``, whichever `kind` says, with an `InputError`."""
    if name not in _ITEMS[kind]:
        raise InputError(f"{kind} {name!r} is unknown: use one of {', '.join(_ITEMS[kind])}.")


def recipe(kind: str, name: str, models: Iterable[ModelSpec], sections: Iterable[str]) -> tuple[Item, ModuleType]:
    """A table or a figure of a study, and the module that makes it.

    Args:
        kind: ``table`` or ``figure``.
        name: The name of one.
        models: The study's models.
        sections: The steps that are run on them.

    Raises:
        InputError: There is none of this name, or the study lacks what it shows.
    """
    items = _ITEMS[kind]
    require_known(kind, name)
    if name not in _present(items, models, sections):
        provider = items[name].provider
        raise InputError(f"this study has no {kind} {name!r}: ask for {provider} in its configuration and run it.")
    return items[name], import_module(f"iwae.reporting.{kind}s.{items[name].module or name}")


def _present(items: dict[str, Item], models: Iterable[ModelSpec], sections: Iterable[str]) -> dict[str, Item]:
    models, sections = tuple(models), tuple(sections)
    return {name: item for name, item in items.items() if item.section in sections and any(map(item.about, models))}
