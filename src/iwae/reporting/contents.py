"""Which tables and figures there are, and which of them a study has: by its models and the steps that are run on them.

An entry here and the module that it names are all that another one takes. The module of a table has ``rows``, which
makes its frame, and ``lay_out``, which shows a data set's rows to people (`iwae.reporting.tables`); that of a figure
has ``data`` and ``draw`` (`iwae.reporting.figures`). A module of several has an object with these two for each, by its
name. The workflow asks while it builds its graph, the summary when it lists what there is. Standard library only.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from iwae.errors import InputError
from iwae.study.protocol import PRESETS
from iwae.study.registry import DATASETS
from iwae.study.specification import STANDARD, ModelSpec

# The data sets of the paper's Table 1 and, binarized once, of its Table 3.
TABLE_1, TABLE_3 = (tuple(name for name, entry in DATASETS.items() if entry.fixed == fixed) for fixed in (False, True))
SIGNAL_TO_NOISE = "signal_to_noise.csv"  # of the linear Gaussian problem
PLANE = 2  # latent units of the models whose posterior can be drawn


Sections = Callable[[ModelSpec], Collection[str]]
"""The steps that are run on a model, by their names in a manifest."""


def _in_grid(spec: ModelSpec) -> bool:
    return spec.variation == ""


@dataclass(frozen=True)
class Item:
    """A table or a figure.

    Attributes:
        title: What it shows.
        about: Whether it shows a model.
        provider: What the configuration must ask for, to have such models and the step that it is drawn from; empty for
            the grid and that step.
        section: That step, by its name in a model's manifest.
        files: The files of a model's folder that a figure is drawn from, beside ``results.csv``.
        beside: Those of the study's own folder, which belong to no model.
        caption: What else must be known to read it; of a table, its notes say so.
        module: The module that makes it; empty for the one of its own name.
    """

    title: str
    about: Callable[[ModelSpec], bool] = _in_grid
    provider: str = ""
    section: str = "likelihood"
    files: tuple[str, ...] = ("likelihood.npz",)
    caption: str = ""
    module: str = ""
    beside: tuple[str, ...] = ()

    def shows(self, model: ModelSpec, sections: Collection[str]) -> bool:
        """Whether it is about a model on which these steps are run."""
        return self.section in sections and self.about(model)

    @property
    def needs(self) -> str:
        """What the configuration must ask for."""
        return self.provider or f"the `grid`{'' if self.section in _ALWAYS else f' and `{self.section}`'}"


def _whole(spec: ModelSpec) -> bool:
    """Whether it had all passes, under the study's own protocol."""
    return spec.passes is None and spec.variant is None


def _resized(spec: ModelSpec) -> bool:
    return spec.latents not in (None, PLANE) and spec.passes is None


def _posterior(spec: ModelSpec) -> bool:
    return spec.latents == PLANE and spec.prior == STANDARD and _whole(spec)


def _whole_with_prior(spec: ModelSpec) -> bool:
    return spec.prior != STANDARD and _whole(spec)


_ALWAYS = ("training", "likelihood", "activity", "pictures")  # steps that come with any grid
_CAPACITY = "`experiments.capacity`"
_PROTOCOLS = "`experiments.protocols`"
_PRIORS = "`experiments.priors` or `experiments.other_priors`"
_IN_DATASETS = "{} in `grid.datasets` or `experiments.other_datasets`"
_PICTURES = {"section": "pictures", "files": ("pictures.npz",)}
TABLES = {
    "table1": Item(
        "Table 1",
        lambda spec: _in_grid(spec) and spec.dataset in TABLE_1,
        _IN_DATASETS.format(" or ".join(TABLE_1)),
        module="comparison",
    ),
    "table2": Item(
        "Table 2",
        lambda spec: spec.origin is not None and spec.passes is None,
        "`experiments.warm_starts`",
        module="continuation",
    ),
    "table3": Item(
        "Table 3",
        lambda spec: _in_grid(spec) and spec.dataset in TABLE_3,
        _IN_DATASETS.format(" or ".join(TABLE_3)),
        module="comparison",
    ),
    "generalization": Item("Test against training images"),
    "inactive": Item("Without the inactive units", provider="`chopped`", section="chopped"),
    "capacity": Item("Numbers of latent units", _resized, _CAPACITY, module="variations"),
    "protocols": Item("Protocols", lambda spec: spec.variant is not None, _PROTOCOLS, module="variations"),
    "estimators": Item(
        "Estimators of the gradient",
        lambda spec: spec.estimator != STANDARD,
        "`experiments.estimators`",
        module="variations",
    ),
    "annealed": Item("log p(x) by annealed importance sampling", section="annealed"),
    "inference": Item("Where the ELBO is lost", section="inference"),
    "implicit": Item("The ELBO of q_EW", section="implicit"),
    "questions": Item("Questions", section="annealed"),
    "surgery": Item("ELBO surgery", section="surgery"),
    "priors": Item("Priors", lambda spec: spec.prior != STANDARD and spec.passes is None, _PRIORS),
    "replaced": Item(
        "Replaced priors",
        lambda spec: _in_grid(spec) or _whole_with_prior(spec) or (spec.architecture is not None and _whole(spec)),
        section="replaced",
    ),
    "models": Item("Training of each model", lambda spec: True, section="training"),
}
FIGURES = {
    "nll": Item(
        "nll against the number k of importance samples in training",
        caption="Thin bars: one standard error over the test images (se_images), which all models share, so that "
        "differences between models are far more certain than the bars suggest (second part of Table 1). Hollow "
        "markers are the paper's values, drawn where ours are comparable with them. At k = 1 the two objectives are "
        "one algorithm and one model.",
    ),
    "activity": Item(
        "Histogram of the activity A_u of the latent units",
        section="activity",
        files=("activity.csv",),
        caption="As in the paper's appendix C. Units right of the dashed line are active; counts are means over seeds.",
    ),
    "learning": Item(
        "Training and validation bound during training",
        section="training",
        files=("training.csv",),
        caption="Each model's own bound (VAE: L_1, IWAE: L_k). In a schedule of stages, ticks and markers stand at "
        "their ends, where the learning rate falls, and the first two of three or more lie outside the axes; without "
        "stages the first tenth of the passes does. The models' training.csv have every pass.",
    ),
    "bound": Item(
        "The bound on log p(x) against the number of samples in its evaluation",
        files=("likelihood.csv",),
        caption="The bound grows towards log p(x); where a curve is still rising at its end, log p(x) lies above it. "
        "Hollow markers on the right: log p(x) by annealed importance sampling, of the models that it was measured of.",
    ),
    "surgery": Item(
        "The parts of the negative ELBO of each model",
        section="surgery",
        files=("surgery.csv",),
        caption="ELBO surgery (Hoffman & Johnson 2016): the ELBO over the training images is the reconstruction term "
        "minus the mutual information of image index and code minus the KL divergence of the aggregate posterior from "
        "the prior. The mutual information cannot exceed log N. Bars on the right: one standard error over "
        "Monte-Carlo draws.",
    ),
    "capacity": Item(
        "Active units and nll against the number of latent units",
        _resized,
        _CAPACITY,
        caption="Models with one stochastic layer. Bars: one standard error of nll over the test images; differences, "
        "which the table has, are paired over the images and far more certain. The paper says that more units than "
        "the grid's do not give more active ones.",
    ),
    "protocols": Item(
        "nll under other protocols minus nll under the study's own",
        lambda spec: spec.variant is not None,
        _PROTOCOLS,
        caption="Another preset, or one field of the protocol as another preset has it. Differences are paired over "
        "the test images, bars are one standard error of them, and positive values mean that the departure costs "
        "nats. What each field stands for is explained in src/iwae/study/protocol.py.",
    ),
    "schedules": Item(
        "The bound on held-out images during training, by protocol",
        lambda spec: spec.variant in PRESETS,
        _PROTOCOLS,
        "training",
        ("training.csv",),
        "Each model's own bound. A pass costs the same under each protocol, so this is training time too. A schedule "
        "of stages, if it is cut, ends at a point of its curve; of a cosine the last point alone counts, since fewer "
        "passes are another training. The first tenth of the passes lies outside the axes.",
    ),
    "samples": Item(
        "Images drawn from the models (Bernoulli means)",
        **_PICTURES,
        caption="The models with the largest k (paper: appendix E).",
        module="images",
    ),
    "reconstructions": Item(
        "Test images and their reconstructions",
        **_PICTURES,
        caption="Binarized images from the start of the test file, and the models with the largest k.",
        module="images",
    ),
    "posterior": Item(
        "The posterior of training images and its approximation by q, in models with two latent units",
        _posterior,
        "`experiments.two_latents`",
        **_PICTURES,
        caption="As in the paper's appendix C. Heat map: p(h|x), normalised on a grid in a window that holds what the "
        "image's posterior has above 1e-4 of its maximum. Each panel has axes and a colour scale of its own, so "
        "panels cannot be compared by size or colour; the colour goes by the square root of the density. Ellipses: "
        "contours of q(h|x). Above each panel stand the image and its reconstruction from the mean of q.",
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
        section="implicit",
        files=("implicit.npz",),
        caption="For each model a row for each k: one of k draws of q is picked by its weight and decoded.",
        module="images",
    ),
    "gradients": Item(
        "Signal to noise of the gradients against the k of the bound",
        section="gradients",
        files=("gradients.csv",),
        caption="The root mean square over parameters of E g / sd g, of the encoder's and of the decoder's: above of "
        "the linear Gaussian problem of Rainforth et al. (2018), where bars are one standard error and the exponents "
        "of k are fitted, below of the trained models, for one minibatch of training images. Theory for the IWAE's "
        "bound: the encoder's falls as k to the power -1/2, unless by STL or DReG, and the decoder's rises as k to the "
        "power 1/2.",
        beside=(SIGNAL_TO_NOISE,),
    ),
    "weights": Item(
        "Last-layer weights of the decoder's most used hidden units",
        section="training",
        files=("model.safetensors",),
        caption="One image for each of the hidden units with the largest norm, of the models with the largest k. "
        "Mid-grey is zero; each image has a scale of its own.",
        module="images",
    ),
    "replaced": Item(
        "What other priors would gain in the place of N(0, I)",
        section="replaced",
        files=("replaced.npz", "replaced.csv"),
        caption="Gains in the ELBO of trained models, which are not trained again. From left to right the prior knows "
        "more of the aggregate posterior q(z). On training images q(z) gains the surgery's marginal KL, and what it "
        "does not gain on test images is memory of the image itself.",
    ),
    "prior_samples": Item(
        "Images drawn from models that differ in their prior (Bernoulli means)",
        _whole_with_prior,
        _PRIORS,
        **_PICTURES,
        caption="The model of the first seed of each kind.",
    ),
    "pseudo_inputs": Item(
        "Pseudo-inputs of VampPriors and images generated from each",
        lambda spec: spec.prior.startswith("vamp") and _whole(spec),
        _PRIORS,
        **_PICTURES,
        caption="In each row a trained pseudo-input u, then Bernoulli means of nine images drawn with z ~ q(z|u). u "
        "need not look like these: it starts as a training image, and what matters is where q(z|u) comes to lie. "
        "Where the decoder draws pixel after pixel, each mean is given the pixels drawn before it.",
        module="images",
    ),
    "plane": Item(
        "The prior p(z) and the aggregate posterior q(z), in models with two latent units",
        lambda spec: spec.latents == PLANE and _whole_with_prior(spec),
        _PRIORS,
        **_PICTURES,
        caption="Densities of each model on one grid and with one scale of colours, which goes by their square root.",
    ),
}
_ITEMS = {"table": TABLES, "figure": FIGURES}


def tables(models: Iterable[ModelSpec], sections_of: Sections) -> dict[str, Item]:
    """The tables of a study by name.

    Args:
        models: The study's models.
        sections_of: The steps that are run on one of them, by their names in a manifest.
    """
    return _present(TABLES, models, sections_of)


def figures(models: Iterable[ModelSpec], sections_of: Sections) -> dict[str, Item]:
    """The figures of a study by name; arguments as for `tables`."""
    return _present(FIGURES, models, sections_of)


def require_known(kind: str, name: str) -> None:
    """Refuse a name of no ``table`` or no ``figure``, whichever `kind` says, with an `InputError`."""
    if name not in _ITEMS[kind]:
        raise InputError(f"{kind} {name!r} is unknown: use one of {', '.join(_ITEMS[kind])}.")


def recipe(kind: str, name: str, models: Iterable[ModelSpec], sections_of: Sections) -> tuple[Item, Any]:
    """A table or a figure of a study, and what makes it: a module, or an object of a module that makes several.

    Args:
        kind: ``table`` or ``figure``.
        name: The name of one.
        models: The study's models.
        sections_of: The steps that are run on one of them.

    Raises:
        InputError: There is none of this name, or the study lacks what it shows.
    """
    items = _ITEMS[kind]
    require_known(kind, name)
    if name not in _present(items, models, sections_of):
        raise InputError(
            f"this study has no {kind} {name!r}: ask for {items[name].needs} in its configuration and run it."
        )
    module = import_module(f"iwae.reporting.{kind}s.{items[name].module or name}")
    return items[name], getattr(module, name, module)


def _present(items: dict[str, Item], models: Iterable[ModelSpec], sections_of: Sections) -> dict[str, Item]:
    asked = {model: sections_of(model) for model in models}
    return {
        name: item for name, item in items.items() if any(item.shows(model, steps) for model, steps in asked.items())
    }
