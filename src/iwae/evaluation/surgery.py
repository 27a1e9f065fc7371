"""ELBO surgery (Hoffman & Johnson 2016): what the ELBO of the training images is made of.

With n uniform over N images, z ~ q(z|x_n) and the aggregate posterior q(z) = (1/N) sum_n q(z|x_n),

    mean ELBO = reconstruction - I(n; z) - KL(q(z) || p(z)),

where reconstruction = E log p(x_n|z) and I(n; z) = E log q(z|x_n) / q(z), which lies in [0, log N]. q(z) is the exact
mixture over all N images: estimates of it from minibatches are biased. As I is within a fraction of a nat of log N, the
gap log N - I says more than I.

With two layers z = (h1, h2). As q(h2|h1) does not depend on the image, I(n; h1, h2) = I(n; h1) and q(z) is
q(h1) q(h2|h1). Where h2 is inferred first, as in an HVAE, z = h2: q(h1|x, h2) does depend on the image, so that
E log p(h1|h2) / q(h1|x, h2) counts as reconstruction, and the marginal KL is that of h2. All is computed in float64.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.evaluation.pixels import as_tensor
from iwae.evaluation.subject import Subject
from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture
from iwae.models.model import Model, infer, joint_log_prob, prior_density, samples_log_prob
from iwae.models.model import encode as encode_images
from iwae.models.networks import gaussian
from iwae.models.priors import Density
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study.measurements import SurgerySettings

_QUERIES = 100  # rows of a block of the Q x N matrix of log-densities: 48 MB for N = 59,600
_IMAGES = 1000  # images encoded, and draws decoded, at once


class Draws(NamedTuple):
    """What is needed of Q draws (n, z), z ~ q(z|x_n), each (Q,), in nats.

    Attributes:
        reconstruction: log p(x_n|z).
        log_q_first: log q(h|x_n) of the layer h that is inferred first, from the noise that it was made of.
        log_q_rest: log q of the other layer given that one, zero where z is one layer.
        log_prior: log p(z).
        log_posterior: log q(h|x_n) of that first layer once more, as a component of the mixture.
        log_aggregate: log q(h) of it, the mixture.
    """

    reconstruction: Tensor
    log_q_first: Tensor
    log_q_rest: Tensor
    log_prior: Tensor
    log_posterior: Tensor
    log_aggregate: Tensor


def terms(draws: Draws, images: int) -> dict[str, tuple[float, float]]:
    """The terms of the surgery with their standard errors over the draws, by name.

    The residual of the identity, zero but for rounding, checks the bookkeeping: that the terms belong together, and
    that each draw's own component (`log_posterior`) is the density it was drawn from (`log_q_first`). It says nothing
    about the mixture, as log q(z) cancels in it; the tests compare the mixture with a direct computation. The standard
    errors take images as drawn with replacement; they are drawn without, so the errors are upper bounds.
    """
    information = draws.log_posterior - draws.log_aggregate
    marginal_kl = draws.log_aggregate + draws.log_q_rest - draws.log_prior
    elbo = draws.reconstruction + draws.log_prior - draws.log_q_first - draws.log_q_rest
    each = {
        "reconstruction": draws.reconstruction,
        "mutual_information": information,
        "index_gap": math.log(images) - information,
        "marginal_kl": marginal_kl,
        "elbo": elbo,
        "residual": elbo - (draws.reconstruction - information - marginal_kl),
    }
    root = math.sqrt(len(elbo))
    return {name: (value.mean().item(), value.std().item() / root) for name, value in each.items()}


@torch.inference_mode()
def measure(
    model: TrainedModel,
    x: np.ndarray,
    settings: SurgerySettings,
    device: torch.device,
    progress: Callable[[int], object] = lambda draws: None,
) -> list[dict[str, object]]:
    """The rows of ``surgery.csv``: the terms for the first N images, for each N of `sizes_of` and in that order.

    Args:
        model: The model, on `device`.
        x: The binary training images, (N, 784) ``uint8``.
        settings: Numbers of draws and of images, and the seed. Where there are fewer images than draws, each image
            gets one draw.
        device: Where to compute.
        progress: Called with the number of draws done since its last call.
    """
    parameters = {name: tensor.double() for name, tensor in model.parameters.items()}
    double = replace(model, parameters=parameters)
    posteriors = encode(double, x, device)
    rows: list[dict[str, object]] = []
    for size in sizes_of(settings, len(x)):
        chosen = choose(model, size, settings)
        seeds = image_seeds(model.spec, settings.seed, "surgery", chosen.tolist())
        draws = draw(double, x, chosen, Gaussian(*(part[:size] for part in posteriors)), seeds, progress)
        found = terms(draws, size)
        rows += [{"images": size, "term": name, "value": value, "se": se} for name, (value, se) in found.items()]
    return rows


def sizes_of(settings: SurgerySettings, images: int) -> list[int]:
    """The numbers N of images to compute the terms for: those of the settings that are possible, and all images."""
    return [*sorted({size for size in settings.sizes if size < images}), images]


def choose(model: TrainedModel, size: int, settings: SurgerySettings) -> Tensor:
    """Distinct images of the first `size` to draw from, ascending, (Q,) ``int64``."""
    generator = torch.Generator().manual_seed(model.spec.random_seed(settings.seed, f"surgery/images/{size}"))
    return torch.randperm(size, generator=generator)[: settings.samples].sort().values


def encode(model: Model, x: np.ndarray, device: torch.device) -> Gaussian:
    """q(h|x), h the layer inferred first, for images (N, 784) ``uint8``: N distributions in the model's type."""
    first = model.architecture.recognition[0]
    kind = model.parameters[f"{first.name}.mean.bias"].dtype
    parts = []
    for start in range(0, len(x), _IMAGES):
        binary = as_tensor(x[start : start + _IMAGES], device, kind)
        parts.append(gaussian(model.architecture, model.parameters, first, {"x": binary}))
    return Gaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))


def draw(
    model: Model,
    x: np.ndarray,
    chosen: Tensor,
    posteriors: Gaussian,
    seeds: Sequence[int],
    progress: Callable[[int], object] = lambda draws: None,
) -> Draws:
    """One draw of z for each chosen image, with its log-densities.

    Args:
        model: The model, in float64.
        x: Binary images, ``uint8``.
        chosen: Indices of images, (Q,).
        posteriors: q(h|x_n) of the layer inferred first, the components of the mixture, (N, D).
        seeds: The seed of each one's draw, (Q,).
        progress: Called with the number of draws done since its last call.
    """
    mixture, prior = Mixture.of(posteriors), prior_density(model.architecture, model.parameters)
    parts = []
    for start in range(0, len(chosen), _QUERIES):
        some = slice(start, start + _QUERIES)
        images = chosen[some]
        parts.append(_draw(model, x, images, mixture, prior, seeds[some]))
        progress(len(images))
    return Draws(*(torch.cat(part).cpu() for part in zip(*parts, strict=True)))


def _draw(model: Model, x: np.ndarray, images: Tensor, mixture: Mixture, prior: Density, seeds: Sequence[int]) -> Draws:
    architecture, device = model.architecture, mixture.components.mean.device
    noise = [layer.double() for layer in next(noise_chunks(seeds, 1, 1, architecture.latents, device))]
    binary = as_tensor(x[images.numpy()], device, torch.float64)
    latents, posteriors = infer(
        architecture, model.parameters, encode_images(architecture, model.parameters, binary), noise
    )
    log_prior, reconstruction = joint_log_prob(architecture, model.parameters, binary, latents, prior)
    own = Gaussian(*(part[images.to(device)] for part in mixture.components))
    first, *others = architecture.recognition
    place = architecture.variables.index(first.drawn)
    log_q_first = own.sample_log_prob(noise[place][0])
    log_q_rest = samples_log_prob(posteriors, noise)[0] - log_q_first
    if any("x" in network.given for network in others):
        alone = prior.log_prob(latents[place])
        reconstruction, log_prior = reconstruction + log_prior - alone - log_q_rest, alone
        log_q_rest = torch.zeros_like(log_q_rest)
    components = mixture.component_log_probs(latents[place][0])
    log_posterior = components.gather(1, images.to(device)[:, None]).squeeze(1)
    log_aggregate = torch.logsumexp(components, 1) - math.log(len(mixture.components.mean))
    return Draws(reconstruction[0], log_q_first, log_q_rest, log_prior[0], log_posterior, log_aggregate)


def write(subject: Subject, settings: SurgerySettings) -> None:
    """Compute the terms of the ELBO surgery on the training images: ``surgery.csv``."""
    draws = sum(min(size, settings.samples) for size in sizes_of(settings, len(subject.train)))
    with progress_bar(draws, f"{subject.model.spec.name} surgery", "draw") as bar:
        rows = measure(subject.model, subject.train, settings, subject.device, bar.update)
    subject.write_rows("surgery.csv", rows)
