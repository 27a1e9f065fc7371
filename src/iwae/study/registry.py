"""What has a name in a study: an entry here and the module it names are all that another one takes.

An entry holds what workflow, configuration and reports need to know, and ``module:attribute`` of its implementation,
which is imported when it is used (`implementation`). The order of entries is their order in tables and figures.
Standard library only.
"""

import importlib
from dataclasses import dataclass, replace
from typing import Any

from iwae.errors import InputError


@dataclass(frozen=True)
class DatasetEntry:
    """A data set of images of 28 x 28 pixels; its name has lower-case letters, digits and hyphens.

    Attributes:
        title: Its name in messages.
        folder: Name of the folder below the data folder that holds its files; data sets that read the same share it.
        files: Names of its files there.
        images: Images for training and validation together.
        held_out: Images at the end of them that the authors' code keeps for validation and never uses.
        implementation: Its `iwae.data.dataset.Dataset`.
        validation_file: Images at the end that come from a validation file of their own, so are never trained on.
        fixed: Whether its images are binarized once and for all, as in the paper's Table 3 (its Table 1: anew at each
            use).
    """

    title: str
    folder: str
    files: tuple[str, ...]
    images: int
    held_out: int
    implementation: str
    validation_file: int = 0
    fixed: bool = False


@dataclass(frozen=True)
class ObjectiveEntry:
    """A bound on log p(x) that training maximises; its name, as a part of models' names, has lower-case letters alone.

    Attributes:
        label: Its name in tables and figures.
        bound: The bound as a function of log_w, (k, B) -> (B,); its derivatives by log_w are the weights of training.
        colour: Its colour in figures, as matplotlib names it.
        marker: Its marker in figures.
        dashes: Its lines in figures: empty for solid ones, else lengths of dash and gap.
        vae_at_one: Whether it is the VAE's at k = 1, so that one model stands for both.
        groups: What k is a multiple of.
    """

    label: str
    bound: str
    colour: str
    marker: str
    dashes: str | tuple[int, ...]
    vae_at_one: bool
    groups: int = 1


@dataclass(frozen=True)
class PriorEntry:
    """A distribution p of the top layer, a part of a model's name unless it is ``standard``.

    Attributes:
        label: Its name in tables and figures.
        prior: The class of `iwae.models.priors.Prior`.
        components: Whether a number of components ends its name in a model's, as in ``mog500``.
        layers: Numbers of stochastic layers that it is possible with in the paper's networks.
    """

    label: str
    prior: str
    components: bool
    layers: tuple[int, ...]


@dataclass(frozen=True)
class ArchitectureEntry:
    """Networks that are not the paper's, a part of a model's name.

    Attributes:
        label: Their name in tables and figures.
        build: The function (scale, prior) that makes the `iwae.models.architecture.Architecture`.
        layers: Its stochastic layers.
    """

    label: str
    build: str
    layers: int


@dataclass(frozen=True)
class EstimatorEntry:
    """A way to estimate the gradient of a bound, ``by-{name}`` in a model's name unless it is ``standard``.

    Attributes:
        label: Its name in tables and figures.
        gradient: The function that makes the gradient of one model (`iwae.estimators`).
        objectives: The objectives that it is for; empty for all.
        least_k: The least k at which it is anything of its own.
        groups: What k is a multiple of.
    """

    label: str
    gradient: str
    objectives: tuple[str, ...] = ()
    least_k: int = 1
    groups: int = 1


_MNIST = DatasetEntry(
    title="MNIST",
    folder="mnist",
    files=("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
    images=60_000,
    held_out=400,
    implementation="iwae.data.mnist:MNIST",
)
DATASETS = {
    "mnist": _MNIST,
    "omniglot": DatasetEntry(
        title="OMNIGLOT",
        folder="omniglot",
        files=("chardata.mat",),
        images=24_345,
        held_out=1345,
        implementation="iwae.data.omniglot:OMNIGLOT",
    ),
    "mnist-fixed": DatasetEntry(
        title="MNIST with fixed binarization",
        folder="mnist-fixed",
        files=("binarized_mnist_train.amat", "binarized_mnist_valid.amat", "binarized_mnist_test.amat"),
        images=60_000,
        held_out=10_000,
        implementation="iwae.data.mnist_fixed:MNIST_FIXED",
        validation_file=10_000,
        fixed=True,
    ),
    # Our own binarization of MNIST is split as MNIST is: the two differ in nothing but the binarization.
    "mnist-static": replace(
        _MNIST, title="MNIST binarized once", implementation="iwae.data.mnist_static:MNIST_STATIC", fixed=True
    ),
}
OBJECTIVES = {
    "vae": ObjectiveEntry("VAE", "iwae.bounds:elbo", "C0", "o", "", vae_at_one=True),
    "iwae": ObjectiveEntry("IWAE", "iwae.bounds:importance_bound", "C1", "s", (5, 2), vae_at_one=True),
    "ciwae": ObjectiveEntry("CIWAE", "iwae.bounds:combined_bound", "C2", "^", (1, 1), vae_at_one=False),
    "miwae": ObjectiveEntry("MIWAE", "iwae.bounds:grouped_bound", "C3", "D", (5, 1, 1, 1), vae_at_one=False, groups=8),
}
ARCHITECTURES = {
    "hvae": ArchitectureEntry("HVAE", "iwae.models.hierarchical:hvae", layers=2),
    "pixelhvae": ArchitectureEntry("PixelHVAE, 16 channels", "iwae.models.hierarchical:pixelhvae", layers=2),
    "pixelhvae64": ArchitectureEntry("PixelHVAE", "iwae.models.hierarchical:authors_pixelhvae", layers=2),
}
PRIORS = {
    "standard": PriorEntry("N(0, I)", "iwae.models.priors.standard:StandardPrior", components=False, layers=(1, 2)),
    "mog": PriorEntry("MoG", "iwae.models.priors.mog:MixturePrior", components=True, layers=(1, 2)),
    # With two layers q(h2|u) is an integral over h1.
    "vamp": PriorEntry("VampPrior", "iwae.models.priors.vamp:VampPrior", components=True, layers=(1,)),
}
ESTIMATORS = {
    "standard": EstimatorEntry("standard", "iwae.estimators:standard"),
    "stl": EstimatorEntry("STL", "iwae.estimators:stl", ("vae", "iwae")),
    "dreg": EstimatorEntry("DReG", "iwae.estimators:dreg", ("iwae",), least_k=2),
    "wake": EstimatorEntry("RWS wake phase", "iwae.estimators:wake", ("iwae",), least_k=2),
    "piwae": EstimatorEntry("PIWAE", "iwae.estimators:piwae", ("iwae",), least_k=8, groups=8),
}


def implementation(name: str) -> Any:
    """What ``module:attribute``, or ``module`` alone, names; `InputError` where it is not there."""
    module, _, attribute = name.partition(":")
    try:
        found = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found
    except (ModuleNotFoundError, AttributeError) as error:
        raise InputError(f"{name} is not there ({error}): correct the entry that names it.") from error


def objectives_of(objective: str, k: int) -> tuple[str, ...]:
    """The objectives that one model stands for: at k = 1 all that are the VAE's there."""
    same = tuple(name for name, entry in OBJECTIVES.items() if entry.vae_at_one)
    return same if k == 1 and objective in same else (objective,)


def split_prior(name: str) -> tuple[PriorEntry, int]:
    """The entry of a prior's name in a model's and its number of components: of ``mog500`` that of ``mog``, and 500."""
    kind = name if name in PRIORS else name.rstrip("0123456789")
    return PRIORS[kind], int(name.removeprefix(kind) or 0)


def prior_label(name: str) -> str:
    """A prior's name for people, with its number of components: ``VampPrior 100``."""
    entry, components = split_prior(name)
    return f"{entry.label} {components}" if components else entry.label
