"""Replaced priors: what a trained model gains if another p(z) takes the place of its own, and nothing else changes.

The ELBO is reconstruction - I(n; z) - KL(q(z) || p(z)) (`iwae.evaluation.surgery`), so on training images no prior can
gain more than the marginal KL, which the aggregate posterior q(z) = (1/N) sum_n q(z|x_n) gains. What of it test images
gain shows what it is made of. Priors that know ever more of q(z): one Gaussian with a full covariance; mixtures of K
diagonal Gaussians, fitted to draws of q(z); the posteriors of some training images; q(z) itself; and q(z) without the
own image's posterior (leave one out), from which a training image has no advantage.

z is the top layer: of the paper's models with two layers the marginal KL, which is that of both, is more than any prior
of z can gain. Where q(z|x) is an integral over the layers below, an image's posterior is q(z|h) at one draw of h.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.bounds import elbo, importance_bound
from iwae.data.splits import evenly_spaced
from iwae.evaluation.fitting import fit_mixture
from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.evaluation.pixels import as_tensor
from iwae.evaluation.subject import ROWS, Subject
from iwae.models.densities import Gaussian
from iwae.models.mixtures import CorrelatedGaussian, Mixture
from iwae.models.model import Model, encode, infer, joint_log_prob, prior_density, samples_log_prob
from iwae.models.priors import Density
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study.measurements import ReplacedSettings

_QUERIES = 100  # rows of a block of the Q x N matrix of log-densities: 24 MB for N = 59,600
_IMAGES = 1000  # images encoded at once


class Gains(NamedTuple):
    """What one prior gains for n images, in nats, (n,) each.

    Attributes:
        elbo: In the ELBO.
        bound: In L_S, from the same S draws.
    """

    elbo: Tensor
    bound: Tensor


def top_posteriors(model: Model, x: np.ndarray, generator: torch.Generator) -> Gaussian:
    """q(z|x) of the top layer for images (N, 784) ``uint8``, at one draw of what it is given beside x: (N, D)."""
    parts, device = [], generator.device
    for start in range(0, len(x), _IMAGES):
        binary = as_tensor(x[start : start + _IMAGES], device)
        units = model.architecture.latents
        noise = [torch.randn(1, len(binary), size, generator=generator, device=device) for size in units]
        encoded = encode(model.architecture, model.parameters, binary)
        _, posteriors = infer(model.architecture, model.parameters, encoded, noise)
        parts.append([part.expand(1, len(binary), -1)[0] for part in posteriors[-1]])
    return Gaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))


def fitted_priors(
    posteriors: Gaussian, components: tuple[int, ...], iterations: int, images: int, generator: torch.Generator
) -> dict[str, Density]:
    """The priors that know less of q(z) than it is, by name.

    Args:
        posteriors: q(z|x_n) of all training images, (N, D).
        components: Numbers K of components of the mixtures; those above N are left out.
        iterations: Iterations of expectation maximisation, each with fresh draws.
        images: Training images whose posteriors are mixed, chosen by chance.
        generator: Draws, on the posteriors' device.
    """
    mean = posteriors.mean

    def draw() -> Tensor:
        return posteriors.sample(torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype))

    found: dict[str, Density] = {"gaussian": CorrelatedGaussian.nearest(posteriors)}
    for k in (k for k in components if k <= len(mean)):
        found[f"mog{k}"] = fit_mixture(draw, k, iterations, generator)
    chosen = torch.randperm(len(mean), generator=generator, device=mean.device)[:images]
    return found | {f"posteriors{len(chosen)}": Mixture.of(Gaussian(*(part[chosen] for part in posteriors)))}


def aggregate_log_probs(aggregate: Mixture, z: Tensor, own: Tensor | None) -> dict[str, Tensor]:
    """Log q(z), and log q(z) without the own component: (Q, D) -> (Q,) each.

    Args:
        aggregate: The mixture of N components with equal weights.
        z: The draws.
        own: Index of the component that each draw came from, (Q,); None if it is none of them.
    """
    if own is None:
        return {"aggregate": torch.cat([aggregate.log_prob(rows) for rows in z.split(_QUERIES)])}
    n, whole, others = len(aggregate.log_weights), [], []
    for rows, mine in zip(z.split(_QUERIES), own[:, None].split(_QUERIES), strict=True):
        log_probs = aggregate.component_log_probs(rows)
        # Not as a difference: the own component is often all that counts.
        rest = log_probs.scatter(1, mine, -math.inf).logsumexp(1)
        others.append(rest - math.log(n - 1))
        whole.append(torch.logaddexp(rest, log_probs.gather(1, mine)[:, 0]) - math.log(n))
    return {"aggregate": torch.cat(whole), "leave-one-out": torch.cat(others)}


@torch.inference_mode()
def measure(
    model: TrainedModel,
    train: np.ndarray,
    test: np.ndarray,
    settings: ReplacedSettings,
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> dict[str, tuple[np.ndarray, dict[str, Gains]]]:
    """The gains of every prior on images of both splits: by split, indices of the images (n,) and gains by prior.

    Args:
        model: The model, on `device`.
        train: The binary images it was trained on, (N, 784) ``uint8``.
        test: Binary test images, likewise.
        settings: Which priors, and numbers of images and draws.
        device: Where to compute.
        progress: Called with the number of images done since its last call.
    """
    generator = torch.Generator(device).manual_seed(model.spec.random_seed(settings.seed, "replaced"))
    posteriors = top_posteriors(model, train, generator)
    fitted = fitted_priors(posteriors, settings.components, settings.iterations, settings.posteriors, generator)
    aggregate, found = Mixture.of(posteriors), {}
    for split, x in (("test", test), ("train", train)):
        images = evenly_spaced(settings.images, len(x))
        index = torch.from_numpy(images).to(device) if split == "train" else None

        def priors(z: Tensor, some: slice, index: Tensor | None = index) -> dict[str, Tensor]:
            own = None if index is None else index[some].repeat(len(z))
            whole = aggregate_log_probs(aggregate, z.flatten(0, 1), own)
            densities = {name: density.log_prob(z) for name, density in fitted.items()}
            return densities | {name: log_prob.view(z.shape[:2]) for name, log_prob in whole.items()}

        seeds = image_seeds(model.spec, settings.seed, f"replaced/{split}", images.tolist())
        found[split] = images, gains(model, x[images], seeds, settings.samples, priors, device, progress)
    return found


def write(subject: Subject, settings: ReplacedSettings) -> None:
    """Write ``replaced.npz``, the gains of each image, and ``replaced.csv``, their means (`measure`)."""
    count = sum(min(settings.images, len(x)) for x in (subject.test, subject.train))
    with progress_bar(count, f"{subject.model.spec.name} replaced", "image") as bar:
        found = measure(subject.model, subject.train, subject.test, settings, subject.device, bar.update)
    arrays, rows = {}, []
    for split, (images, by_prior) in found.items():
        arrays[f"{split}_images"] = images.astype(np.int32)
        for prior, gain in by_prior.items():
            row: dict[str, object] = {"split": split, "prior": prior, "images": len(images)}
            for name, values in gain._asdict().items():
                arrays[f"{split}_{prior}_{name}"] = each = values.float().cpu().numpy()
                error = each.std(ddof=1, dtype=np.float64) / len(each) ** 0.5
                row |= {name: float(each.mean(dtype=np.float64)), f"{name}_se_images": float(error)}
            rows.append(row)
    subject.write_rows("replaced.csv", rows)
    subject.write_arrays("replaced.npz", arrays)


def gains(
    model: Model,
    x: np.ndarray,
    seeds: list[int],
    samples: int,
    priors: Callable[[Tensor, slice], Mapping[str, Tensor]],
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> dict[str, Gains]:
    """What each prior gains over the model's own, from S = `samples` draws of each image.

    Args:
        model: The model, on `device`.
        x: Binary images, (n, 784) ``uint8``.
        seeds: The seed of each image's draws, (n,).
        samples: Draws of each image.
        priors: Each prior's log-density by its name, (S, B), at draws z (S, B, D) for a slice of the images.
        device: Where to compute.
        progress: Called with the number of images done since its last call.
    """
    architecture, parameters = model.architecture, model.parameters
    own, parts, width = prior_density(architecture, parameters), [], max(1, ROWS[device.type] // samples)
    for start in range(0, len(x), width):
        some = slice(start, min(start + width, len(x)))
        noise = next(noise_chunks(seeds[some], samples, samples, architecture.latents, device))
        binary = as_tensor(x[some], device)
        latents, posteriors = infer(architecture, parameters, encode(architecture, parameters, binary), noise)
        log_joint = sum(joint_log_prob(architecture, parameters, binary, latents, own))
        log_w = log_joint - samples_log_prob(posteriors, noise)
        found, without = priors(latents[-1], some), own.log_prob(latents[-1])
        shifts = {name: log_prob - without for name, log_prob in found.items()}
        bound = importance_bound(log_w)
        parts.append({name: (elbo(by), importance_bound(log_w + by) - bound) for name, by in shifts.items()})
        progress(some.stop - some.start)
    return {name: Gains(*map(torch.cat, zip(*(part[name] for part in parts), strict=True))) for name in parts[0]}
