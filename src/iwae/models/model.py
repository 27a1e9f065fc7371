"""What a model computes: the conditional distributions, log importance weights, samples and reconstructions."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from iwae.models.architecture import Architecture
from iwae.models.densities import bernoulli_log_prob, gaussian_log_prob, standard_gaussian_log_prob

Parameters = Mapping[str, Tensor]


def _linear(parameters: Parameters, layer: str, x: Tensor) -> Tensor:
    # All leading axes become rows of one matrix: under vmap this is one batched product, where a product with more
    # axes would copy the weights for each of them.
    y = x.reshape(-1, x.shape[-1]) @ parameters[f"{layer}.weight"] + parameters[f"{layer}.bias"]
    return y.reshape(*x.shape[:-1], y.shape[-1])


def _hidden(parameters: Parameters, network: str, x: Tensor) -> Tensor:
    first = torch.tanh(_linear(parameters, f"{network}.hidden1", x))
    return torch.tanh(_linear(parameters, f"{network}.hidden2", first))


def conditional(architecture: Architecture, parameters: Parameters, network: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-deviation of the Gaussian that a network predicts.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        network: ``q1`` for q(h1 | x), ``q2`` for q(h2 | h1), ``p1`` for p(h1 | h2).
        x: What is conditioned on, (..., D_in).

    Returns:
        Two tensors (..., D_out).
    """
    hidden = _hidden(parameters, network, x)
    scale = _linear(parameters, f"{network}.scale", hidden)
    log_std = scale if architecture.scale == "log-deviation" else 0.5 * scale
    return _linear(parameters, f"{network}.mean", hidden), log_std


def pixel_logits(parameters: Parameters, h1: Tensor) -> Tensor:
    """Logits of p(x = 1 | h1): (..., D_h1) -> (..., 784)."""
    return _linear(parameters, "px.logits", _hidden(parameters, "px", h1))


def infer(
    architecture: Architecture, parameters: Parameters, x: Tensor, noise: Sequence[Tensor]
) -> tuple[list[Tensor], Tensor]:
    """Draw h ~ q(h | x) by the reparametrisation h = mean + deviation * noise.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        x: Binary images, (B, 784). Each is encoded once, whatever k is.
        noise: Standard Gaussian draws for each stochastic layer, from h1 up, (k, B, D_layer).

    Returns:
        The latents of each layer, (k, B, D_layer), and log q(h | x), (k, B).
    """
    below, latents, log_q = x, [], torch.zeros(())
    for level, draws in enumerate(noise, start=1):
        mean, log_std = conditional(architecture, parameters, f"q{level}", below)
        below = mean + torch.exp(log_std) * draws
        latents.append(below)
        # The density of a shifted and scaled standard Gaussian: of the draw, divided by the product of the scales.
        log_q = log_q + standard_gaussian_log_prob(draws) - log_std.sum(-1)
    return latents, log_q


def joint_log_prob(
    architecture: Architecture, parameters: Parameters, x: Tensor, latents: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Log p(h) and log p(x | h1), both (k, B), for images x (B, 784) and latents (k, B, D_layer) from h1 up."""
    log_prior = standard_gaussian_log_prob(latents[-1])
    for level in range(architecture.layers - 1, 0, -1):
        mean, log_std = conditional(architecture, parameters, f"p{level}", latents[level])
        log_prior = log_prior + gaussian_log_prob(latents[level - 1], mean, log_std)
    return log_prior, bernoulli_log_prob(x, pixel_logits(parameters, latents[0]))


def log_weights(architecture: Architecture, parameters: Parameters, x: Tensor, noise: Sequence[Tensor]) -> Tensor:
    """log_w = log p(x, h) - log q(h | x) of k draws for each image (paper, section 3).

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        x: Binary images, (B, 784).
        noise: Standard Gaussian draws for each stochastic layer, from h1 up, (k, B, D_layer).

    Returns:
        (k, B), in nats.
    """
    latents, log_q = infer(architecture, parameters, x, noise)
    log_prior, log_likelihood = joint_log_prob(architecture, parameters, x, latents)
    return log_prior + log_likelihood - log_q


def generate(architecture: Architecture, parameters: Parameters, noise: Sequence[Tensor]) -> Tensor:
    """Means of the pixels of images drawn from p(h) and p(x | h1).

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        noise: Standard Gaussian draws for each stochastic layer, from h1 up, (n, D_layer).

    Returns:
        (n, 784), in [0, 1].
    """
    latent = noise[-1]
    for level in range(architecture.layers - 1, 0, -1):
        mean, log_std = conditional(architecture, parameters, f"p{level}", latent)
        latent = mean + torch.exp(log_std) * noise[level - 1]
    return torch.sigmoid(pixel_logits(parameters, latent))


def reconstruct(architecture: Architecture, parameters: Parameters, x: Tensor) -> Tensor:
    """Means of the pixels of p(x | h1) at the mean of q(h1 | x): (B, 784) -> (B, 784)."""
    mean, _ = conditional(architecture, parameters, "q1", x)
    return torch.sigmoid(pixel_logits(parameters, mean))
