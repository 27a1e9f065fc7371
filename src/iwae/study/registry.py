"""What has a name in a study: an entry here and the module it names are all that another one takes.

An entry holds what workflow, configuration and reports need to know, and ``module:attribute`` of its implementation,
which is imported when it is used (`implementation`). The order of entries is their order in tables and figures.
Standard library only.
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Objective:
    """A bound on log p(x) that training maximises.

    Attributes:
        label: Its name in tables and figures.
        bound: The bound as a function of log_w, (k, B) -> (B,); its derivatives by log_w are the weights of training.
        colour: Its colour in figures, as matplotlib names it.
        marker: Its marker in figures.
        dashes: Its lines in figures: empty for solid ones, else lengths of dash and gap.
        vae_at_one: Whether it is the VAE's at k = 1, so that one model stands for both.
    """

    label: str
    bound: str
    colour: str
    marker: str
    dashes: str | tuple[int, ...]
    vae_at_one: bool


@dataclass(frozen=True)
class Prior:
    """A distribution p of the top layer, a part of a model's name unless it is ``standard``.

    Attributes:
        label: Its name in tables and figures.
        prior: The class of `iwae.models.priors.Prior`.
        components: Whether a number of components ends its name in a model's, as in ``mog500``.
        layers: Numbers of stochastic layers that it is possible with.
    """

    label: str
    prior: str
    components: bool
    layers: tuple[int, ...]


@dataclass(frozen=True)
class Estimator:
    """A way to estimate the gradient of a bound, ``by-{name}`` in a model's name unless it is ``standard``.

    Attributes:
        label: Its name in tables and figures.
        gradient: The function that makes the gradient of one model (`iwae.training.estimators`).
    """

    label: str
    gradient: str


OBJECTIVES = {
    "vae": Objective("VAE", "iwae.bounds:elbo", "C0", "o", "", vae_at_one=True),
    "iwae": Objective("IWAE", "iwae.bounds:importance_bound", "C1", "s", (5, 2), vae_at_one=True),
}
PRIORS = {"standard": Prior("N(0, I)", "iwae.models.priors:StandardPrior", components=False, layers=(1, 2))}
ESTIMATORS = {"standard": Estimator("standard", "iwae.training.estimators:standard")}


def implementation(name: str) -> Any:
    """What ``module:attribute`` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
