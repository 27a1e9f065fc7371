"""Log-densities, in nats, summed over the last axis."""

import math

import torch
from torch import Tensor

_GROUP = 112  # 784 = 7 * 112
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def standard_gaussian_log_prob(z: Tensor) -> Tensor:
    """Log N(z; 0, I): (..., D) -> (...)."""
    return (-0.5 * z.square() - _HALF_LOG_2PI).sum(-1)


def gaussian_log_prob(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log N(z; mean, diag(exp(log_std))^2): (..., D) -> (...); the arguments broadcast."""
    standardized = (z - mean) * torch.exp(-log_std)
    return (-0.5 * standardized.square() - log_std - _HALF_LOG_2PI).sum(-1)


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

    From logits rather than probabilities: finite wherever the logits are. First derivatives only.
    """
    # The derivative of softplus is written down, as that of a term which is zero: to differentiate the products would
    # cost far more than it gains.
    fixed = logits.detach()
    slope = (torch.sigmoid(fixed) * logits).sum(-1)
    return (x * logits).sum(-1) - softplus_sum(fixed) - (slope - slope.detach())
