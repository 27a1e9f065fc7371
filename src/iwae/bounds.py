"""Bounds on log p(x) as functions of the log importance weights log_w (k, B), the sample axis first.

Nothing here knows of models or data.
"""

import math

import torch
from torch import Tensor


def elbo(log_w: Tensor) -> Tensor:
    """The VAE's bound, L_1 averaged over k samples (paper, section 2): (k, B) -> (B,)."""
    return log_w.mean(0)


def importance_bound(log_w: Tensor) -> Tensor:
    """The IWAE's bound L_k = log (1/k) sum_i w_i (paper, section 3): (k, B) -> (B,)."""
    return torch.logsumexp(log_w, 0) - math.log(log_w.shape[0])


def training_bound(log_w: Tensor, importance_weighted: Tensor) -> Tensor:
    """The bound that one model of a stack maximises: (k, B) -> (B,).

    VAE and IWAE differ only in the weights on the gradients of log_w, 1/k against softmax(log_w) (paper, sections 2
    and 3), so one stack holds both.

    Args:
        log_w: Log importance weights, (k, B).
        importance_weighted: Scalar, true for `importance_bound`, false for `elbo`.
    """
    return torch.where(importance_weighted, importance_bound(log_w), elbo(log_w))


def nested_bounds(log_w: Tensor, k: int) -> Tensor:
    """Independent unbiased estimates of L_k from n samples, k a divisor of n: (n, B) -> (n / k, B).

    The samples are split into n / k groups, each of which gives one estimate, log Z^_k of the paper's appendix B.

    Raises:
        ValueError: k does not divide n.
    """
    groups, rest = divmod(log_w.shape[0], k)
    if rest:
        raise ValueError(f"k = {k} does not divide the {log_w.shape[0]} samples")
    return importance_bound(log_w.unflatten(0, (groups, k)).transpose(0, 1))


def mean_absolute_deviation(estimates: Tensor) -> Tensor:
    """E|log Z^_k - E log Z^_k| (paper, appendix B), from `nested_bounds`: (g, B) -> (B,).

    The mean over the g estimates stands for the expectation, which makes the result too small by the factor
    sqrt(1 - 1/g) for a Gaussian, 2.5 % for g = 20.
    """
    return (estimates - estimates.mean(0)).abs().mean(0)


def effective_sample_size(log_w: Tensor) -> Tensor:
    """(sum w)^2 / sum w^2, between 1 and k: (k, B) -> (B,)."""
    weights = torch.softmax(log_w, 0)
    return 1 / weights.square().sum(0)
