"""Log-densities, in nats, summed over the last axis."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

_GROUP = 112  # 784 = 7 * 112
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def standard_gaussian_log_prob(z: Tensor) -> Tensor:
    """Log N(z; 0, I): (..., D) -> (...)."""
    return (-0.5 * z.square() - _HALF_LOG_2PI).sum(-1)


class Gaussian(NamedTuple):
    """N(mean, diag(exp(log_std))^2), or many of them.

    Attributes:
        mean: (..., D).
        log_std: Logarithm of the standard deviation, (..., D).
    """

    mean: Tensor
    log_std: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density: (..., D) -> (...); `z` and the distributions broadcast."""
        return (-0.5 * self.standardize(z).square() - self.log_std - _HALF_LOG_2PI).sum(-1)

    def standardize(self, z: Tensor) -> Tensor:
        """The noise of which `sample` makes z, (z - mean) / std: (..., D) -> (..., D)."""
        return (z - self.mean) * torch.exp(-self.log_std)

    def sample(self, noise: Tensor, generator: Generator | None = None) -> Tensor:
        """Draws mean + std * noise, from standard Gaussian noise (..., D): (..., D)."""
        return self.mean + torch.exp(self.log_std) * noise

    def sample_log_prob(self, noise: Tensor) -> Tensor:
        """The log-density of `sample(noise)`: of the noise, divided by the product of the scales; (..., D) -> (...)."""
        return standard_gaussian_log_prob(noise) - self.log_std.sum(-1)


def softplus_sum(logits: Tensor) -> Tensor:
    """The sum of log(1 + exp(l_d)) over d, with one logarithm for up to 112 of them: (..., D) -> (...).

    sum softplus(l) = sum relu(l) + sum log prod (1 + exp(-|l|)), the products over groups. A factor is in (1, 2], so a
    product of 112 is below 2^112, and float32 (up to 2^128) cannot overflow.
    """
    group = max(size for size in range(1, _GROUP + 1) if logits.shape[-1] % size == 0)
    products = (1 + torch.exp(-logits.abs())).unflatten(-1, (-1, group)).prod(-1)
    return torch.relu(logits).sum(-1) + products.log().sum(-1)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Log of prod_d Bernoulli(x_d; sigmoid(logits_d)), x in {0, 1}: (..., D) -> (...); the arguments broadcast.

    From logits rather than probabilities: finite wherever the logits are. First derivatives only: those of higher order
    are without an error other than the function's.
    """
    # The derivative of softplus is written down, as that of a term which is zero: to differentiate the products would
    # cost far more than it gains.
    fixed = logits.detach()
    slope = (torch.sigmoid(fixed) * logits).sum(-1)
    return (x * logits).sum(-1) - softplus_sum(fixed) - (slope - slope.detach())
