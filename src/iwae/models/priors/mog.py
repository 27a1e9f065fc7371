"""A mixture of K Gaussians with equal weights, whose means and deviations are parameters of the model."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture
from iwae.models.priors import Prior

_SPREAD = 0.25  # variance of the first means; the components have what is missing to N(0, I)'s
_PARAMETERS = ("prior.mean", "prior.scale")


class MixturePrior(Prior):
    """(1/K) sum_j N(z; m_j, s_j), with the parameters ``prior.mean`` and ``prior.scale``, log s, of (K, D)."""

    def parameter_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        """(K, D) each."""
        return dict.fromkeys(_PARAMETERS, (self.components, units))

    def initialize(self, units: int, random: np.random.Generator, train: np.ndarray) -> dict[str, Tensor]:
        """Means from N(0, 1/4) and variances of 3/4: the moments of N(0, I)."""
        mean = random.normal(0, math.sqrt(_SPREAD), (self.components, units)).astype(np.float32)
        scale = torch.full(mean.shape, 0.5 * math.log(1 - _SPREAD))
        return dict(zip(_PARAMETERS, (torch.from_numpy(mean), scale), strict=True))

    def density(self, parameters: Mapping[str, Tensor], posterior: Callable[[Tensor], Gaussian]) -> Mixture:
        """The mixture that the parameters say."""
        return Mixture.of(Gaussian(*(parameters[name] for name in _PARAMETERS)))

    @property
    def unit_parameters(self) -> tuple[str, ...]:
        """Both: zeros are N(0, 1)."""
        return _PARAMETERS
