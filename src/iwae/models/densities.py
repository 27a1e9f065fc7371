"""Log-densities, in nats, summed over the last axis."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def standard_gaussian_log_prob(z: Tensor) -> Tensor:
    """Log N(z; 0, I): (..., D) -> (...)."""
    return (-0.5 * z.square() - _HALF_LOG_2PI).sum(-1)


def gaussian_log_prob(z: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """Log N(z; mean, diag(exp(log_deviation))^2): (..., D) -> (...); the arguments broadcast."""
    standardized = (z - mean) * torch.exp(-log_deviation)
    return (-0.5 * standardized.square() - log_deviation - _HALF_LOG_2PI).sum(-1)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Log of prod_d Bernoulli(x_d; sigmoid(logits_d)), x in {0, 1}: (..., D) -> (...); the arguments broadcast.

    From logits rather than probabilities: finite wherever the logits are.
    """
    return (x * logits - softplus(logits)).sum(-1)
