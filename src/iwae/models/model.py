"""What a model computes: log importance weights, samples and reconstructions.

`infer` walks the networks of q(h | x), `latent_log_prob` and `generate` those of p(h): what they draw and what they are
given stands in the `Architecture`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from iwae.errors import InputError
from iwae.models import masked
from iwae.models.architecture import PIXELS, Architecture, Conditional
from iwae.models.densities import Gaussian, bernoulli_log_prob, standard_gaussian_log_prob
from iwae.models.masked import MaskedDecoder
from iwae.models.networks import Parameters, gaussian, hidden, linear
from iwae.models.priors import Density


@dataclass(frozen=True)
class Model:
    """All that a model computes from.

    Attributes:
        architecture: Its networks.
        parameters: Its parameters by name.
    """

    architecture: Architecture
    parameters: Parameters


class Encoded(NamedTuple):
    """What is computed of B images once, however many samples are drawn for them.

    Attributes:
        x: The binary images, (B, 784).
        posteriors: The distributions (B, D) of the recognition networks that are given x alone, by network.
    """

    x: Tensor
    posteriors: dict[str, Gaussian]


def encode(architecture: Architecture, parameters: Parameters, x: Tensor) -> Encoded:
    """Encode binary images, (B, 784)."""
    alone = [network for network in architecture.recognition if network.given == ("x",)]
    return Encoded(x, {network.name: gaussian(architecture, parameters, network, {"x": x}) for network in alone})


def infer(
    architecture: Architecture, parameters: Parameters, encoded: Encoded, noise: Sequence[Tensor]
) -> tuple[list[Tensor], list[Gaussian]]:
    """Draw h ~ q(h | x) by the reparametrisation h = mean + std * noise.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        encoded: The images.
        noise: Standard Gaussian draws for each stochastic layer, from h1 up, (k, B, D_layer).

    Returns:
        The latents of each layer from h1 up, (k, B, D_layer), and the distribution that each was drawn from.
    """
    draws = dict(zip(architecture.variables, noise, strict=True))
    values, posteriors = {"x": encoded.x}, {}
    for network in architecture.recognition:
        known = encoded.posteriors.get(network.name)
        posterior = known or gaussian(architecture, parameters, network, values)
        values[network.drawn], posteriors[network.drawn] = posterior.sample(draws[network.drawn]), posterior
    return [values[name] for name in architecture.variables], [posteriors[name] for name in architecture.variables]


def prior_density(architecture: Architecture, parameters: Parameters) -> Density:
    """The distribution p of the top layer."""

    def posterior(x: Tensor) -> Gaussian:
        first = architecture.recognition[0]
        if first.drawn != architecture.variables[-1]:
            raise InputError("a prior that is made of q(z|x) needs networks that infer the top layer from x alone.")
        return gaussian(architecture, parameters, first, {"x": x})

    return architecture.prior.density(parameters, posterior)


def latent_log_prob(
    architecture: Architecture, parameters: Parameters, prior: Density, latents: Sequence[Tensor]
) -> Tensor:
    """Log p(h) of latents (k, B, D_layer) from h1 up, with the distribution p of the top layer: (k, B)."""
    values = dict(zip(architecture.variables, latents, strict=True))
    log_p = prior.log_prob(latents[-1])
    if log_p.shape != latents[-1].shape[:-1]:
        raise InputError(
            f"the prior's log_prob gives {tuple(log_p.shape)} for latents {tuple(latents[-1].shape)}: it must be "
            f"{tuple(latents[-1].shape[:-1])}, a number for each."
        )
    for network in architecture.generation:
        log_p = log_p + gaussian(architecture, parameters, network, values).log_prob(values[network.drawn])
    return log_p


def pixel_logits(architecture: Architecture, parameters: Parameters, latents: Sequence[Tensor], x: Tensor) -> Tensor:
    """Logits of p(x_i = 1 | h), and of the pixels before it where the decoder draws one after another.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        latents: Latents of each layer from h1 up, (..., B, D_layer).
        x: The binary images, (B, 784).

    Returns:
        (..., B, 784).
    """
    decoder, values = architecture.decoder, dict(zip(architecture.variables, latents, strict=True))
    if isinstance(decoder, MaskedDecoder):
        return masked.pixel_logits(decoder, parameters, x, values)
    return _independent_logits(decoder, parameters, values)


def pixel_means(
    architecture: Architecture, parameters: Parameters, latents: Sequence[Tensor], generator: Generator | None = None
) -> Tensor:
    """Means of the pixels of p(x | h) for latents (n, D_layer) from h1 up: (n, 784), in [0, 1].

    Where the decoder draws one pixel after another, `generator` draws them, and each mean is given those before it.
    """
    decoder, values = architecture.decoder, dict(zip(architecture.variables, latents, strict=True))
    if isinstance(decoder, MaskedDecoder):
        return masked.draw_pixels(decoder, parameters, values, generator)[1]
    return torch.sigmoid(_independent_logits(decoder, parameters, values))


def draw_pixels(
    architecture: Architecture, parameters: Parameters, latents: Sequence[Tensor], generator: Generator | None = None
) -> Tensor:
    """Binary images drawn from p(x | h) for latents (n, D_layer) from h1 up: (n, 784)."""
    decoder, values = architecture.decoder, dict(zip(architecture.variables, latents, strict=True))
    if isinstance(decoder, MaskedDecoder):
        return masked.draw_pixels(decoder, parameters, values, generator)[0]
    return torch.bernoulli(pixel_means(architecture, parameters, latents), generator=generator)


def _independent_logits(decoder: Conditional, parameters: Parameters, values: Mapping[str, Tensor]) -> Tensor:
    (head,) = decoder.heads
    return linear(parameters, head, hidden(parameters, decoder, values))


def joint_log_prob(
    architecture: Architecture,
    parameters: Parameters,
    x: Tensor,
    latents: Sequence[Tensor],
    prior: Density | None = None,
) -> tuple[Tensor, Tensor]:
    """Log p(h) and log p(x | h), both (k, B), for images x (B, 784) and latents (k, B, D_layer) from h1 up.

    The distribution of the top layer is `prior`, where that is not to be made from the parameters again. Second
    derivatives of log p(x | h) are not those of the function (`bernoulli_log_prob`).
    """
    prior = prior_density(architecture, parameters) if prior is None else prior  # N(0, I) is an empty tuple
    log_prior = latent_log_prob(architecture, parameters, prior, latents)
    return log_prior, bernoulli_log_prob(x, pixel_logits(architecture, parameters, latents, x))


def log_weights(architecture: Architecture, parameters: Parameters, x: Tensor, noise: Sequence[Tensor]) -> Tensor:
    """log_w = log p(x, h) - log q(h | x) of k draws for each image (paper, section 3).

    First derivatives only: second ones, as of a Hessian, are not those of the function (`bernoulli_log_prob`).

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        x: Binary images, (B, 784), 0 and 1: others give numbers that mean nothing, without an error.
        noise: Standard Gaussian draws for each stochastic layer, from h1 up, (k, B, D_layer).

    Returns:
        (k, B), in nats.

    Raises:
        InputError: Images or noise have other shapes.
    """
    log_prior, log_likelihood, log_q = log_weight_terms(architecture, parameters, x, noise)
    return log_prior + log_likelihood - log_q


def log_weight_terms(
    architecture: Architecture, parameters: Parameters, x: Tensor, noise: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Log p(h), log p(x | h) and log q(h | x) of k draws for each image, (k, B); arguments as for `log_weights`."""
    _require_shapes(architecture, x, noise)
    latents, posteriors = infer(architecture, parameters, encode(architecture, parameters, x), noise)
    return *joint_log_prob(architecture, parameters, x, latents), samples_log_prob(posteriors, noise)


def _require_shapes(architecture: Architecture, x: Tensor, noise: Sequence[Tensor]) -> None:
    """Refuse what would be broadcast to something else; the values of the pixels are not looked at."""
    if x.shape[1:] != (PIXELS,) or not x.is_floating_point():
        raise InputError(
            f"images {tuple(x.shape)} of {x.dtype} are impossible: they must be (B, {PIXELS}), 0.0 and 1.0; "
            "`iwae.evaluation.pixels.as_tensor` makes them of an array of 0 and 1."
        )
    needed = [(len(x), units) for units in architecture.latents]
    found = [tuple(draws.shape) for draws in noise]
    if [shape[-2:] for shape in found] != needed or min(map(len, found)) < 3:
        given = tuple(noise.shape) if isinstance(noise, Tensor) else found
        shapes = ", ".join(f"(k, {images}, {units})" for images, units in needed)
        raise InputError(f"noise {given} is impossible: it must be a list of tensors {shapes}, k = 1 too.")


def samples_log_prob(posteriors: Sequence[Gaussian], noise: Sequence[Tensor]) -> Tensor:
    """Log q(h | x) of the latents that `infer` drew with this noise (k, B, D_layer): (k, B)."""
    log_q = torch.zeros(())
    for posterior, draws in zip(posteriors, noise, strict=True):
        # Not a sum of each layer's `sample_log_prob`: float32 sums in this order gave the published bits.
        log_q = log_q + standard_gaussian_log_prob(draws) - posterior.log_std.sum(-1)
    return log_q


def standardize(
    architecture: Architecture, parameters: Parameters, encoded: Encoded, latents: Sequence[Tensor]
) -> tuple[list[Tensor], list[Gaussian]]:
    """The inverse of `infer`: the noise of which it makes these latents.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        encoded: The images.
        latents: Latents of each layer from h1 up, (k, B, D_layer).

    Returns:
        For each layer the noise (k, B, D_layer), and q(h | x) there, of which it is a draw.
    """
    values = {"x": encoded.x, **dict(zip(architecture.variables, latents, strict=True))}
    posteriors = {
        network.drawn: encoded.posteriors.get(network.name) or gaussian(architecture, parameters, network, values)
        for network in architecture.recognition
    }
    ordered = [posteriors[name] for name in architecture.variables]
    return [posterior.standardize(value) for posterior, value in zip(ordered, latents, strict=True)], ordered


def posterior_log_prob(
    architecture: Architecture, parameters: Parameters, encoded: Encoded, latents: Sequence[Tensor]
) -> Tensor:
    """Log q(h | x) of given latents (k, B, D_layer) from h1 up: (k, B)."""
    noise, posteriors = standardize(architecture, parameters, encoded, latents)
    return samples_log_prob(posteriors, noise)


def generate_latents(
    architecture: Architecture,
    parameters: Parameters,
    noise: Sequence[Tensor],
    generator: Generator | None = None,
    prior: Density | None = None,
) -> list[Tensor]:
    """Latents of each layer drawn from p(h), from h1 up, (n, D_layer); arguments as for `generate`."""
    draws = dict(zip(architecture.variables, noise, strict=True))
    prior = prior_density(architecture, parameters) if prior is None else prior  # N(0, I) is an empty tuple
    values = {architecture.variables[-1]: prior.sample(noise[-1], generator)}
    for network in architecture.generation:
        values[network.drawn] = gaussian(architecture, parameters, network, values).sample(draws[network.drawn])
    return [values[name] for name in architecture.variables]


def generate(
    architecture: Architecture,
    parameters: Parameters,
    noise: Sequence[Tensor],
    generator: Generator | None = None,
    prior: Density | None = None,
) -> Tensor:
    """Means of the pixels of images drawn from p(h) and p(x | h).

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        noise: Standard Gaussian draws for each stochastic layer, from h1 up, (n, D_layer).
        generator: Draws what a prior or a decoder needs beside noise.
        prior: What the top layer is drawn from, where that is not the model's own prior.

    Returns:
        (n, 784), in [0, 1].
    """
    latents = generate_latents(architecture, parameters, noise, generator, prior)
    return pixel_means(architecture, parameters, latents, generator)


def reconstruct(
    architecture: Architecture, parameters: Parameters, x: Tensor, generator: Generator | None = None
) -> Tensor:
    """Means of the pixels (`pixel_means`) where each layer is the mean of its q: (B, 784) -> (B, 784)."""
    noise = [torch.zeros((), dtype=x.dtype, device=x.device)] * architecture.layers
    latents, _ = infer(architecture, parameters, encode(architecture, parameters, x), noise)
    return pixel_means(architecture, parameters, latents, generator)
