"""How the gradient of one model's bound is estimated; `iwae.study.registry.ESTIMATORS` has the names.

An estimator is a function (architecture, bounds, loss) that makes a `Gradient`. The bounds are those of the stack's
objectives, functions of log_w (k, B) -> (B,); loss is the protocol's, the ``sum`` or the ``mean`` over a minibatch.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from iwae.bounds import Bound, grouped_bound, selected_bound
from iwae.errors import InputError
from iwae.models.architecture import Architecture
from iwae.models.model import encode, infer, joint_log_prob, log_weight_terms, log_weights, posterior_log_prob
from iwae.models.networks import Parameters

Gradient = Callable[..., tuple[dict[str, Tensor], Tensor]]
"""Maps (parameters, x (B, 784), noise (k, B, D), index of the model's objective ()) to the gradient of the loss, which
falls as the bound rises, by parameter, and the bound averaged over the images, ()."""


def make_bound(
    architecture: Architecture, bounds: Sequence[Bound]
) -> Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]:
    """The bound of each image under one model: a function of the arguments of a `Gradient` to (B,), in nats."""

    def bound(parameters: Parameters, x: Tensor, noise: Tensor, objective: Tensor) -> Tensor:
        log_w = log_weights(architecture, parameters, x, noise.split(architecture.latents, dim=-1))
        return selected_bound(bounds, log_w, objective)

    return bound


def standard(architecture: Architecture, bounds: Sequence[Bound], loss: str) -> Gradient:
    """The derivative of the bound at reparametrised samples (paper, section 3).

    It takes one more argument than others do, the weight () of log p(h) - log q(h|x) while that rises.
    """

    def loss_of(
        parameters: Parameters, x: Tensor, noise: Tensor, objective: Tensor, kl_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        layers = noise.split(architecture.latents, dim=-1)
        log_prior, log_likelihood, log_q = log_weight_terms(architecture, parameters, x, layers)
        bound = trained = selected_bound(bounds, log_prior + log_likelihood - log_q, objective)
        if kl_weight is not None:
            trained = selected_bound(bounds, log_likelihood + kl_weight * (log_prior - log_q), objective)
        return -(trained.sum() if loss == "sum" else trained.mean()), bound.mean()

    return torch.func.grad(loss_of, has_aux=True)


Relative = Callable[[Tensor], tuple[Tensor | float, Tensor | float]]
"""Maps the weights a of a bound, its derivatives by log_w (k, B), to b / a and c / a of `weighted_gradient`."""

RELATIVE: dict[str, Relative] = {
    "standard": lambda weights: (1.0, -1.0),
    "stl": lambda weights: (1.0, 0.0),
    "dreg": lambda weights: (weights, 0.0),
    "wake": lambda weights: (0.0, 1.0),
}
"""Those of the estimators that have one, by name; `dreg` and `wake` are right for L_k alone."""


def weighted_gradient(
    draw: Callable[[Parameters], list[Tensor]],
    log_joint: Callable[[Parameters, list[Tensor]], Tensor],
    log_posterior: Callable[[Parameters, list[Tensor]], Tensor],
    bound: Bound,
    relative: Relative,
    parameters: Parameters,
) -> tuple[dict[str, Tensor], Tensor]:
    """A gradient, in which the bound rises, of its sum over B images, as a weighted sum over k samples.

    The functions must compute from the parameters that they are given: what they take from elsewhere, such as a module
    that holds the same values, is constant, and its gradient zero.

    It is sum_i a_i d log p(x, z_i), by the parameters at fixed z_i, + b_i (d log w_i / d z_i) (d z_i / d parameters)
    + c_i d log q(z_i), by the parameters at fixed z_i. With b = a and c = -a it is the derivative of the bound itself.
    What is held fixed inside log q are the parameters, not the distributions that they make of the latents below: with
    several stochastic layers the latents above depend on those. One pass forward and one back through log p.

    Args:
        draw: The list of each layer's latents (k, B, D), by the reparametrisation.
        log_joint: log p(x, z) of given latents, (k, B).
        log_posterior: log q(z|x) of given latents, (k, B).
        bound: The bound of which a are the derivatives.
        relative: The estimator, as weights relative to a.
        parameters: The model's parameters.

    Returns:
        The gradient by parameter, and log_w (k, B).

    Raises:
        InputError: `draw` gives no list.
    """
    latents, pull_latents = _vjp(draw, parameters)
    if isinstance(latents, Tensor):
        raise InputError(f"draw gives a tensor {tuple(latents.shape)}: it must give a list with one for each layer.")
    log_p, pull_joint = _vjp(log_joint, parameters, latents)
    log_q, pull_posterior = _vjp(lambda latents: log_posterior(parameters, latents), latents)
    log_w = log_p - log_q
    weights = torch.func.grad(lambda log_w: bound(log_w).sum())(log_w)
    path, score = relative(weights)
    total, slopes = pull_joint(weights)
    if not _is_zero(path):
        ratio = path.unsqueeze(-1) if isinstance(path, Tensor) else path
        (slopes_q,) = pull_posterior(path * weights)
        (through,) = pull_latents([ratio * slope - slope_q for slope, slope_q in zip(slopes, slopes_q, strict=True)])
        total = {name: value + through[name] for name, value in total.items()}
    if not _is_zero(score):
        _, pull_score = _vjp(lambda parameters: log_posterior(parameters, latents), parameters)
        (by,) = pull_score(score * weights)
        total = {name: value + by[name] for name, value in total.items()}
    return total, log_w


def _vjp(function: Callable[..., Any], *inputs: Any) -> tuple[Any, Callable[..., Any]]:
    """What a function gives, and its vector-Jacobian product."""
    output, pull, *_ = torch.func.vjp(function, *inputs)
    return output, pull


def _is_zero(weight: Tensor | float) -> bool:
    return not isinstance(weight, Tensor) and weight == 0


def _of_models(relative: Relative, architecture: Architecture, bounds: Sequence[Bound], loss: str) -> Gradient:
    """The estimator with these weights, for a model."""

    def gradient(
        parameters: Parameters, x: Tensor, noise: Tensor, objective: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        layers = noise.split(architecture.latents, dim=-1)

        def draw(parameters: Parameters) -> list[Tensor]:
            return infer(architecture, parameters, encode(architecture, parameters, x), layers)[0]

        def log_joint(parameters: Parameters, latents: list[Tensor]) -> Tensor:
            log_prior, log_likelihood = joint_log_prob(architecture, parameters, x, latents)
            return log_prior + log_likelihood

        def log_posterior(parameters: Parameters, latents: list[Tensor]) -> Tensor:
            return posterior_log_prob(architecture, parameters, encode(architecture, parameters, x), latents)

        def bound(log_w: Tensor) -> Tensor:
            return selected_bound(bounds, log_w, objective)

        rising, log_w = weighted_gradient(draw, log_joint, log_posterior, bound, relative, parameters)
        scale = 1 if loss == "sum" else 1 / len(x)
        return {name: -scale * value for name, value in rising.items()}, bound(log_w).mean()

    return gradient


stl = partial(_of_models, RELATIVE["stl"])
"""Sticking the landing (Roeder, Wu & Duvenaud 2017): without the score. Biased, but for the VAE's bound."""

dreg = partial(_of_models, RELATIVE["dreg"])
"""Doubly reparametrised (Tucker, Lawson, Gu & Maddison 2019): the score of L_k reparametrised once more."""

wake = partial(_of_models, RELATIVE["wake"])
"""Reweighted wake-sleep (Bornschein & Bengio 2015), wake phase of q: q rises at samples of large weight."""


def piwae(architecture: Architecture, bounds: Sequence[Bound], loss: str) -> Gradient:
    """PIWAE (Rainforth et al. 2018): q by the gradient of MIWAE's bound instead.

    Two passes back through log p(x, h): the weights of both bounds have no finite ratio where a group has almost none.
    """
    by_bound, by_groups = standard(architecture, bounds, loss), standard(architecture, [grouped_bound], loss)
    recognition = tuple(f"{network.name}." for network in architecture.recognition)

    def gradient(
        parameters: Parameters, x: Tensor, noise: Tensor, objective: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        of_p, bound = by_bound(parameters, x, noise, objective)
        of_q, _ = by_groups(parameters, x, noise, objective)
        return {name: (of_q if name.startswith(recognition) else of_p)[name] for name in of_p}, bound

    return gradient
