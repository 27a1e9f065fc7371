"""Distributions p of the top stochastic layer, a module each; `iwae.study.registry.PRIORS` has their names.

A prior is a value without parameters of its own: they stand among the model's, as ``prior.{name}``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Generator, Tensor

from iwae.models.densities import Gaussian
from iwae.study.registry import implementation, split_prior


class Density(Protocol):
    """A distribution of the top layer, as a prior makes it of a model's parameters: a tuple of tensors."""

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density, in nats: (..., D) -> (...)."""

    def sample(self, noise: Tensor, generator: Generator | None) -> Tensor:
        """Draws (n, D) from standard Gaussian noise (n, D); `generator` draws what is random beside it."""


@dataclass(frozen=True)
class Prior:
    """A kind of prior.

    Attributes:
        components: Its number of components, 0 where it has none to choose.
    """

    components: int = 0

    def parameter_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        """The shape of each of its parameters, ``prior.{name}``, for a top layer of D = `units`."""
        return {}

    def initialize(self, units: int, random: np.random.Generator, train: np.ndarray) -> dict[str, Tensor]:
        """What its parameters start from, float32.

        Args:
            units: Units D of the top layer.
            random: A stream of the prior's own.
            train: Training images, uint8 (N, 784).
        """
        return {}

    def density(self, parameters: Mapping[str, Tensor], posterior: Callable[[Tensor], Gaussian]) -> Density:
        """The distribution, made once for all draws that it is asked about.

        Args:
            parameters: The model's parameters.
            posterior: q(z | x) of the top layer, for priors that are made of it: (N, 784) -> (N, D).
        """
        raise NotImplementedError

    @property
    def unit_parameters(self) -> tuple[str, ...]:
        """Its parameters (..., D) that give a unit of the top layer N(0, 1) where they are zero.

        By them a unit is removed to see what it is worth: where a prior has others, those numbers are biased.
        """
        return ()


def prior_named(name: str) -> Prior:
    """The prior that a model's name tells of, such as ``standard``."""
    entry, components = split_prior(name)
    return implementation(entry.prior)(components)
