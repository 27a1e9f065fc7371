"""Pictures of a model: images drawn from it, and test images beside their reconstructions."""

from typing import NamedTuple

import numpy as np
import torch

from iwae.evaluation import posterior, prior_pictures
from iwae.evaluation.noise import noise_chunks
from iwae.evaluation.pixels import as_tensor, grey
from iwae.evaluation.subject import Subject
from iwae.models.model import generate, reconstruct
from iwae.models.priors.vamp import VampPrior
from iwae.models.store import TrainedModel
from iwae.study.measurements import PicturesSettings


class Pictures(NamedTuple):
    """Images as grey levels 0..255, ``uint8``.

    Attributes:
        samples: Means of the pixels of images drawn from the model, (n, 784).
        inputs: Binary test images, (m, 784), 0 or 255.
        reconstructions: Means of the pixels given the mean of each layer's q, (m, 784).
    """

    samples: np.ndarray
    inputs: np.ndarray
    reconstructions: np.ndarray


@torch.inference_mode()
def draw(model: TrainedModel, x: np.ndarray, settings: PicturesSettings, device: torch.device) -> Pictures:
    """Draw the pictures of a model.

    Args:
        model: The model, on `device`.
        x: Binary test images, (n, 784) ``uint8``; the first of them are reconstructed.
        settings: How many pictures, and the seed.
        device: Where to compute.
    """
    seeds = [model.spec.random_seed(settings.seed, "pictures")]
    noise = next(noise_chunks(seeds, settings.samples, settings.samples, model.architecture.latents, device))
    generator = torch.Generator(device).manual_seed(model.spec.random_seed(settings.seed, "pictures/prior"))
    samples = generate(model.architecture, model.parameters, [layer[:, 0] for layer in noise], generator)
    inputs = x[: settings.reconstructions]
    means = reconstruct(model.architecture, model.parameters, as_tensor(inputs, device), generator)
    return Pictures(grey(samples), inputs * np.uint8(255), grey(means))


def write(subject: Subject, settings: PicturesSettings) -> None:
    """Draw samples and reconstructions, and what there is to see of priors and posteriors: ``pictures.npz``."""
    arrays = draw(subject.model, subject.test, settings, subject.device)._asdict()
    if isinstance(subject.model.architecture.prior, VampPrior):
        pseudo = prior_pictures.of_pseudo_inputs(subject.model, settings, subject.device)
        arrays |= {f"pseudo_{name}": array for name, array in pseudo._asdict().items()}
    if subject.model.architecture.latents == (2,):
        plane = prior_pictures.of_plane(subject.model, subject.train, settings.posterior_points, subject.device)
        arrays |= {f"plane_{name}": array for name, array in plane._asdict().items()}
        first = subject.train[: settings.posterior_images]
        drawn = posterior.draw(subject.model, first, settings.posterior_points, subject.device)
        arrays |= {f"posterior_{name}": array for name, array in drawn._asdict().items()}
    subject.write_arrays("pictures.npz", arrays)
