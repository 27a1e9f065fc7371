"""The activity A_u = Cov_x(E_q(u|x)[u]) of each latent unit (paper, section 5), by definition and as its authors do.

The mean of h1 given x is an output of the recognition network. That of h2 is an integral over h1, estimated by S
samples of h1 for each image; the estimate's own variance would be counted as activity and is subtracted. The authors'
code takes the mean of h2 at one sampled h1 for the first 500 training images, which inflates the activity of layer 2.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.evaluation.pixels import as_tensor
from iwae.evaluation.subject import Subject
from iwae.models.model import Model, encode, infer
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study.measurements import ActivitySettings
from iwae.study.settings import ACTIVE

_ROWS = {"cpu": 5000, "cuda": 200_000}  # draws in one pass through the second recognition network
_IMAGES = 1000  # images at most in one pass through the first


class LayerActivity(NamedTuple):
    """The activity of the D units of one layer, (D,) ``float64`` each.

    Attributes:
        definition: A_u over all images. In the second layer it is an unbiased estimate, so that of a dead unit can be
            a little below zero.
        authors: The estimate of the authors' code.
    """

    definition: np.ndarray
    authors: np.ndarray


class PosteriorMeans(NamedTuple):
    """What S samples say of E_q[u|x] for N images and the D units of one layer, ``float64``.

    Attributes:
        mean: Mean over the samples of the network's mean, (N, D).
        variance: Sample variance of the network's mean over the samples, (N, D); zeros where it is exact or S = 1.
    """

    mean: Tensor
    variance: Tensor


def measure(
    model: TrainedModel,
    x: np.ndarray,
    settings: ActivitySettings,
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> list[LayerActivity]:
    """The activity of every unit, layer by layer.

    Args:
        model: The model, on `device`.
        x: The binary training images, (N, 784) ``uint8``.
        settings: Numbers of samples and of images in the authors' estimate, and the seed.
        device: Where to compute.
        progress: Called with the number of images done since its last call.
    """
    first = x[: settings.authors_images]
    authors = posterior_means(model, first, 1, (settings.seed, "activity/authors"), device)
    definition = posterior_means(model, x, settings.samples, (settings.seed, "activity"), device, progress)
    return [
        LayerActivity(unbiased_variance(every, settings.samples).numpy(), one.mean.var(0, correction=0).numpy())
        for every, one in zip(definition, authors, strict=True)
    ]


def inactive(activity: np.ndarray) -> np.ndarray:
    """Indices of the units that are not active, ascending, of the activities (D,) of a layer."""
    return np.flatnonzero(~(activity > ACTIVE))


def unbiased_variance(means: PosteriorMeans, samples: int) -> Tensor:
    """The variance over images of E_q[u|x], without what its estimate from S samples adds to it.

    If v_n is the variance over the samples of image n, their mean has the variance v_n / S. Over N images that adds
    (1 - 1/N) mean_n v_n / S to the variance of the means, and the sample variances estimate v_n without bias.

    Returns:
        (D,), which may be negative.
    """
    added = (1 - 1 / len(means.mean)) * means.variance.mean(0) / samples
    return means.mean.var(0, correction=0) - added


@torch.inference_mode()
def posterior_means(
    model: TrainedModel,
    x: np.ndarray,
    samples: int,
    stream: tuple[int, str],
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> list[PosteriorMeans]:
    """Means of the latent units given each of N images, layer by layer.

    Args:
        model: The model, on `device`.
        x: Binary images, (N, 784) ``uint8``, the first N of their split.
        samples: Samples S of h1 for each image.
        stream: The study's seed and the purpose of the draws.
        device: Where to compute.
        progress: Called with the number of images done since its last call.
    """
    # Filled in place: small tensors kept between large short-lived ones would scatter the heap over gigabytes.
    found = [
        PosteriorMeans(*torch.zeros(2, len(x), units, dtype=torch.float64)) for units in model.architecture.latents
    ]
    group = min(_IMAGES, max(1, _ROWS[device.type] // samples))
    for start in range(0, len(x), group):
        rows = slice(start, min(start + group, len(x)))
        binary = as_tensor(x[rows], device)
        seeds = image_seeds(model.spec, *stream, range(rows.start, rows.stop))
        for whole, part in zip(found, _layer_means(model, binary, seeds, samples), strict=True):
            whole.mean[rows], whole.variance[rows] = part.mean.cpu(), part.variance.cpu()
        progress(rows.stop - rows.start)
    return found


def _layer_means(model: Model, x: Tensor, seeds: list[int], samples: int) -> list[PosteriorMeans]:
    """`posterior_means` of a group of binary images, (B, 784)."""
    architecture, parameters, found = model.architecture, model.parameters, []
    sizes = dict(zip(architecture.variables, architecture.latents, strict=True))
    needed = [name for name in sizes if any(name in network.given for network in architecture.recognition)]
    # One chunk: a layer's width in floats for each of at most max(_ROWS, samples) draws.
    noise = next(noise_chunks(seeds, samples, samples, [sizes[name] for name in needed], x.device))
    draws = dict.fromkeys(sizes, torch.zeros((), device=x.device)) | dict(zip(needed, noise, strict=True))
    _, posteriors = infer(architecture, parameters, encode(architecture, parameters, x), list(draws.values()))
    for posterior in posteriors:
        means = posterior.mean.double()
        if means.dim() == 2:  # given x alone: exact
            means = means[None]
        variance = means.var(0) if len(means) > 1 else torch.zeros_like(means[0])
        found.append(PosteriorMeans(means.mean(0), variance))
    return found


def write(subject: Subject, settings: ActivitySettings) -> None:
    """Measure the activity A_u of every latent unit over the training images: ``activity.csv``."""
    with progress_bar(len(subject.train), f"{subject.model.spec.name} activity", "image") as bar:
        layers = measure(subject.model, subject.train, settings, subject.device, bar.update)
    rows = [
        {"layer": number, "unit": unit, "activity": float(defined), "activity_authors": float(authors)}
        for number, layer in enumerate(layers, start=1)
        for unit, (defined, authors) in enumerate(zip(*layer, strict=True))
    ]
    subject.write_rows("activity.csv", rows)
