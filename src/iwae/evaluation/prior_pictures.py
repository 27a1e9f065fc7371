"""Pictures of priors: images that come from one pseudo-input, and p(z) beside q(z) where z has two units."""

from typing import NamedTuple

import numpy as np
import torch

from iwae.evaluation.pixels import grey
from iwae.evaluation.replaced import aggregate_log_probs, top_posteriors
from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture
from iwae.models.model import Model, generate, prior_density
from iwae.models.priors.vamp import pseudo_inputs
from iwae.models.store import TrainedModel
from iwae.study.measurements import PicturesSettings

_EACH = 9  # images drawn for one pseudo-input
_LEAST_REACH = 4.0  # of the plane, on each side of 0


class PseudoInputs(NamedTuple):
    """Pseudo-inputs of a VampPrior as grey levels, ``uint8``.

    Attributes:
        inputs: The first m, (m, 784).
        samples: Means of the pixels of images drawn with z ~ q(z|u) of each of them, (m, 9, 784).
    """

    inputs: np.ndarray
    samples: np.ndarray


class Plane(NamedTuple):
    """Log-densities of z on a grid of P x P points, row i the second coordinate, in nats, ``float32``.

    Attributes:
        axis: Coordinates of the points along both axes, evenly spaced, (P,).
        log_prior: log p(z), (P, P).
        log_aggregate: log q(z) over all training images, (P, P).
    """

    axis: np.ndarray
    log_prior: np.ndarray
    log_aggregate: np.ndarray


@torch.inference_mode()
def of_pseudo_inputs(model: TrainedModel, settings: PicturesSettings, device: torch.device) -> PseudoInputs:
    """Draw the first ``reconstructions`` pseudo-inputs of a model, and images from each of them.

    Args:
        model: The model, which has a VampPrior, on `device`.
        settings: How many, and the seed.
        device: Where to compute.
    """
    architecture, parameters = model.architecture, model.parameters
    inputs = pseudo_inputs(parameters)[: settings.reconstructions]
    generator = torch.Generator(device).manual_seed(model.spec.random_seed(settings.seed, "pictures/pseudo-inputs"))
    prior, samples = prior_density(architecture, parameters), []
    assert isinstance(prior, Mixture)  # of the posteriors of pseudo-inputs
    for number in range(len(inputs)):
        alone = Mixture.of(Gaussian(*(part[number : number + 1] for part in prior.components)))
        noise = [torch.randn(_EACH, units, generator=generator, device=device) for units in architecture.latents]
        samples.append(generate(architecture, parameters, noise, generator, alone))
    return PseudoInputs(grey(inputs), grey(torch.stack(samples)))


@torch.inference_mode()
def of_plane(model: Model, x: np.ndarray, points: int, device: torch.device) -> Plane:
    """The prior of two units and the aggregate posterior, on a grid that covers the posteriors.

    Args:
        model: The model, of one stochastic layer with two units, on `device`.
        x: The binary training images, (N, 784) ``uint8``.
        points: Points P of the grid along each axis.
        device: Where to compute.
    """
    posteriors = top_posteriors(model, x, torch.Generator(device).manual_seed(0))
    reach = max(_LEAST_REACH, (posteriors.mean.abs() + 3 * torch.exp(posteriors.log_std)).max().item())
    axis = torch.linspace(-reach, reach, points, device=device)
    z = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).flatten(0, 1)  # row by row
    log_prior = prior_density(model.architecture, model.parameters).log_prob(z)
    log_aggregate = aggregate_log_probs(Mixture.of(posteriors), z, None)["aggregate"]
    surfaces = (part.view(points, points).cpu().numpy() for part in (log_prior, log_aggregate))
    return Plane(axis.cpu().numpy(), *surfaces)
