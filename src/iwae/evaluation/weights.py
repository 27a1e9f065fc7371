"""Log importance weights of very many draws: `models.model.log_weights` in the form that is fastest to evaluate.

L_5000 of 10,000 images takes 5e7 passes through the decoder, 2e13 floating-point operations, nearly all of them in its
matrix products. What is left beside the products is made small by three rearrangements:

* Each image is encoded once, not once for each chunk of its draws.
* With logits l = g W + b for the decoder's last hidden units g, x . l = g . (W x) + x . b: a sum over 200 hidden units
  instead of 784 pixels, whose two factors W x and x . b are computed once an image.
* The sum of softplus over the pixels takes 7 logarithms instead of 784 (`models.densities.softplus_sum`), and nothing
  is kept for derivatives.

Another form of the same function, tested for equality with the plain one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from iwae.models.architecture import Architecture
from iwae.models.densities import gaussian_log_prob, softplus_sum, standard_gaussian_log_prob
from iwae.models.model import Parameters, conditional


class Encoded(NamedTuple):
    """What the log weights need to know of B images.

    Attributes:
        mean: Mean of q(h1 | x), (B, D_h1).
        log_std: Its log-deviation, (B, D_h1).
        projection: W x, for the weights W of the decoder's last layer, (B, 200).
        offset: x . b, for its bias b, (B,).
    """

    mean: Tensor
    log_std: Tensor
    projection: Tensor
    offset: Tensor


def encode(architecture: Architecture, parameters: Parameters, x: Tensor) -> Encoded:
    """Encode binary images, (B, 784)."""
    mean, log_std = conditional(architecture, parameters, "q1", x)
    projection = x @ parameters["px.logits.weight"].T
    return Encoded(mean, log_std, projection, x @ parameters["px.logits.bias"])


def log_weights(
    architecture: Architecture, parameters: Parameters, encoded: Encoded, noise: Sequence[Tensor]
) -> Tensor:
    """The log weights log p(x, h) - log q(h | x) of S draws for each of B images.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters.
        encoded: The images.
        noise: Standard Gaussian draws for each stochastic layer, from h1 up, (S, B, D_layer).

    Returns:
        (S, B), in nats.
    """
    h1 = encoded.mean + torch.exp(encoded.log_std) * noise[0]
    log_q = standard_gaussian_log_prob(noise[0]) - encoded.log_std.sum(-1)
    log_likelihood = pixel_log_prob(parameters, encoded, h1)
    if architecture.layers == 1:
        return standard_gaussian_log_prob(h1) + log_likelihood - log_q
    mean, log_std = conditional(architecture, parameters, "q2", h1)
    h2 = mean + torch.exp(log_std) * noise[1]
    log_q = log_q + standard_gaussian_log_prob(noise[1]) - log_std.sum(-1)
    log_prior = standard_gaussian_log_prob(h2) + gaussian_log_prob(h1, *conditional(architecture, parameters, "p1", h2))
    return log_prior + log_likelihood - log_q


def pixel_log_prob(parameters: Parameters, encoded: Encoded, h1: Tensor) -> Tensor:
    """The log-likelihood log p(x | h1) of encoded images (B) at h1 (S, B, D_h1): (S, B)."""
    units = h1.flatten(0, 1)
    for layer in ("px.hidden1", "px.hidden2"):
        units = _tanh(units @ parameters[f"{layer}.weight"] + parameters[f"{layer}.bias"])
    logits = units @ parameters["px.logits.weight"] + parameters["px.logits.bias"]
    log_normalizer = softplus_sum(logits).unflatten(0, h1.shape[:2])
    return (units.unflatten(0, h1.shape[:2]) * encoded.projection).sum(-1) + encoded.offset - log_normalizer


def _tanh(x: Tensor) -> Tensor:
    return 2 * torch.sigmoid(2 * x) - 1  # compiled for a CPU, a tenth of the whole time faster than torch.tanh
