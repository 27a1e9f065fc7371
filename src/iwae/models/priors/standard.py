"""The paper's prior N(0, I), which has no parameters."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Generator, Tensor

from iwae.models.densities import Gaussian, standard_gaussian_log_prob
from iwae.models.priors import Prior


class StandardGaussian(NamedTuple):
    """N(0, I)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log N(z; 0, I): (..., D) -> (...)."""
        return standard_gaussian_log_prob(z)

    def sample(self, noise: Tensor, generator: Generator | None) -> Tensor:
        """The noise itself."""
        return noise


class StandardPrior(Prior):
    """N(0, I)."""

    def density(self, parameters: Mapping[str, Tensor], posterior: Callable[[Tensor], Gaussian]) -> StandardGaussian:
        """The same for all parameters."""
        return StandardGaussian()


STANDARD = StandardPrior()
