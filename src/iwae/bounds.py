"""Bounds on log p(x) as functions of the log importance weights log_w (k, B), the sample axis first.

Nothing here knows of models or data.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Bound = Callable[[Tensor], Tensor]
"""A bound on log p(x) as a function of the log weights, (k, B) -> (B,)."""


def elbo(log_w: Tensor) -> Tensor:
    """The VAE's bound, L_1 averaged over k samples (paper, section 2): (k, B) -> (B,)."""
    return log_w.mean(0)


def importance_bound(log_w: Tensor) -> Tensor:
    """The IWAE's bound L_k = log (1/k) sum_i w_i (paper, section 3): (k, B) -> (B,)."""
    return torch.logsumexp(log_w, 0) - math.log(log_w.shape[0])


def combined_bound(log_w: Tensor) -> Tensor:
    """CIWAE's bound, half the VAE's and half L_k (Rainforth et al. 2018): (k, B) -> (B,)."""
    return (elbo(log_w) + importance_bound(log_w)) / 2


def grouped_bound(log_w: Tensor) -> Tensor:
    """MIWAE's bound, L_{k/8} averaged over eight groups of the samples (Rainforth et al. 2018): (k, B) -> (B,).

    Raises:
        ValueError: 8 does not divide k.
    """
    if log_w.shape[0] % 8:
        raise ValueError(f"eight groups of {log_w.shape[0]} samples are impossible")
    return nested_bounds(log_w, log_w.shape[0] // 8).mean(0)


def selected_bound(bounds: Sequence[Bound], log_w: Tensor, index: Tensor) -> Tensor:
    """The bound that one model of a stack maximises: (k, B) -> (B,).

    Objectives differ only in the weights on the gradients of log_w, such as 1/k of the VAE and softmax(log_w) of the
    IWAE (paper, sections 2 and 3), so one stack holds models of several.

    Args:
        bounds: The bounds to choose from.
        log_w: Log importance weights, (k, B).
        index: Which of the bounds, ().
    """
    selected = bounds[0](log_w)
    for number, bound in enumerate(bounds[1:], start=1):
        selected = torch.where(index == number, bound(log_w), selected)
    return selected


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


class ImplicitElbo(NamedTuple):
    """L_k and bounds of ELBO[q_EW] on both sides, estimates whose expectations are in this order, (B,) each, in nats.

    Attributes:
        importance: L_k.
        lower: B_S, at most ELBO[q_EW] in expectation, and L_k where S = 0.
        upper: U_S, at least ELBO[q_EW] in expectation.
    """

    importance: Tensor
    lower: Tensor
    upper: Tensor


def implicit_elbo(log_w: Tensor, k: int, sets: int) -> ImplicitElbo:
    """The ELBO of q_EW, the distribution of a sample picked from k by its weight (Cremer, Morris & Duvenaud 2017).

    q_EW(z) = p(x, z) E[k / (w(z) + T)], T the sum of k - 1 weights of fresh samples of q, the companions of z. So
    log p(x, z) - log q_EW(z) = -log E[k / (w(z) + T)] takes weights alone. With the mean over S sets of companions in
    place of E, its expectation is above (Jensen's inequality); with the companions from which z was picked as one more
    set it is below, as in semi-implicit variational inference (Yin & Zhou 2018).

    Args:
        log_w: Log importance weights of n samples, (n, B): first `sets` (k - 1), the companions; the rest are groups of
            k, from each of which z is picked in every way, with its probability.
        k: Samples from which one is picked.
        sets: Number S >= 1 of sets of companions, which all z share.

    Raises:
        ValueError: There are no whole groups after the companions.
    """
    companions, rest = log_w[: sets * (k - 1)], log_w[sets * (k - 1) :]
    if sets < 1 or not len(rest) or len(rest) % k:
        raise ValueError(f"{len(log_w)} samples are not {sets} sets of {k - 1} companions and groups of {k}")
    log_t = torch.logsumexp(companions.unflatten(0, (sets, k - 1)), 1)  # (S, B)
    groups = rest.unflatten(0, (-1, k))  # (g, k, B)
    own = torch.logsumexp(groups, 1, keepdim=True)  # log (w + T) with the companions from which z was picked
    picked = torch.exp(groups - own)
    fresh = torch.logsumexp(-torch.logaddexp(groups.unsqueeze(2), log_t), 2)  # log sum of 1 / (w + T) over the sets
    upper = math.log(sets / k) - fresh
    lower = math.log((sets + 1) / k) - torch.logaddexp(fresh, -own)
    return ImplicitElbo(*((picked * value).sum(1).mean(0) for value in (own - math.log(k), lower, upper)))
