"""log p(x) under a model by annealed importance sampling, and how far it may be off, by images that the model drew.

Of those a draw of the posterior is known, so that there is a bound from above too: the difference of the two is, in
expectation, what they are off together. It certifies these images alone, and makes the others' bounds credible.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from iwae.bounds import importance_bound
from iwae.data import splits
from iwae.errors import InputError
from iwae.evaluation.annealing import annealed_log_weights, find_steps, reverse_log_weights
from iwae.evaluation.noise import draw_each, image_generators, image_seeds
from iwae.evaluation.noise_space import LogWeights, batches, log_weights_at
from iwae.evaluation.subject import ROWS, Subject
from iwae.models.model import Model, draw_pixels, encode, generate_latents, standardize
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study.measurements import AnnealedSettings


class Annealed(NamedTuple):
    """What the chains of n images say, (n,) each.

    Attributes:
        lower: Lower bounds on log p(x), in nats.
        upper: Upper bounds, in nats; NaN where no draw of the posterior is known.
        acceptance: Mean probability with which the moves of the lower bound's chains were accepted.
    """

    lower: np.ndarray
    upper: np.ndarray
    acceptance: np.ndarray

    def rows(self, split: str, images: np.ndarray) -> list[dict[str, object]]:
        """The rows of ``annealed.csv`` for images (n,) of a split."""
        shown = ([None if np.isnan(value) else round(float(value), 4) for value in values] for values in self)
        names = ("split", "image", *self._fields)
        return [dict(zip(names, (split, *row), strict=True)) for row in zip(images.tolist(), *shown, strict=True)]


def write(subject: Subject, settings: AnnealedSettings) -> None:
    """Bound log p(x) of test images and of images that the model draws: ``annealed.csv``, one row for each image.

    Raises:
        InputError: A bound is not finite.
    """
    model, device = subject.model, subject.device
    chosen = splits.evenly_spaced(settings.images, len(subject.test))
    drawn, posterior = simulate(model, settings.simulated, settings.seed, device)
    rows: list[dict[str, object]] = []
    for split, x, images, exact in (
        ("test", subject.test[chosen], chosen, None),
        ("simulated", drawn, np.arange(len(drawn)), posterior),
    ):
        seeds = image_seeds(model.spec, settings.seed, f"annealed/{split}", images.tolist())
        with progress_bar(len(x), f"{model.spec.name} annealed, {split}", "image") as bar:
            found = estimate(model, x, seeds, settings, device, exact, bar.update)
        if not np.isfinite([found.lower, *([] if exact is None else [found.upper])]).all():
            raise InputError(f"{model.spec.name} gives a {split} image a bound that is not finite: train it again.")
        rows += found.rows(split, images)
    subject.write_rows("annealed.csv", rows)


@torch.no_grad()
def simulate(model: TrainedModel, images: int, seed: int, device: torch.device) -> tuple[np.ndarray, Tensor]:
    """Binary images (n, 784) ``uint8`` that the model draws, and the noise (n, D) of the latents it drew them from."""
    architecture, parameters = model.architecture, model.parameters
    generator = torch.Generator(device).manual_seed(model.spec.random_seed(seed, "annealed/images"))
    noise = torch.randn(images, sum(architecture.latents), generator=generator, device=device)
    latents = generate_latents(architecture, parameters, noise.split(architecture.latents, -1), generator)
    x = draw_pixels(architecture, parameters, latents, generator)
    found, _ = standardize(architecture, parameters, encode(architecture, parameters, x), latents)
    return x.to(torch.uint8).cpu().numpy(), torch.cat(found, -1)


@torch.no_grad()
def estimate(
    model: Model,
    x: np.ndarray,
    seeds: Sequence[int],
    settings: AnnealedSettings,
    device: torch.device,
    posterior: Tensor | None = None,
    progress: Callable[[int], object] = lambda images: None,
) -> Annealed:
    """Bounds on log p(x) of images under a model.

    Args:
        model: The model, on `device`.
        x: Binary images, (n, 784) ``uint8``.
        seeds: The seed of each image's chains, such as ``range(n)``; `write` has those of `image_seeds`.
        settings: Reads ``temperatures``, ``chains`` and ``leapfrogs``.
        device: Where to compute.
        posterior: The noise of a draw of each image's posterior, (n, D), for upper bounds.
        progress: Called with the number of images done since its last call.
    """
    betas = torch.linspace(0, 1, settings.temperatures + 1, device=device)
    moves = (2 if posterior is None else 3) * len(x) * settings.chains * settings.temperatures
    at = log_weights_at(model, moves * settings.leapfrogs, device)
    parts = []
    for some, new in batches(len(x), max(1, ROWS[device.type] // settings.chains)):
        exact = None if posterior is None else posterior[torch.from_numpy(some)]
        generators = image_generators([seeds[image] for image in some], device)
        found = _bounds(at(x[some]), sum(model.architecture.latents), betas, settings, generators, exact)
        parts.append([value[:new].double().cpu().numpy() for value in found])
        progress(new)
    return Annealed(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _bounds(
    log_weights: LogWeights,
    units: int,
    betas: Tensor,
    settings: AnnealedSettings,
    generators: Sequence[Generator],
    posterior: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The fields of `Annealed` for the images of one batch."""

    def start() -> Tensor:
        return draw_each(generators, settings.chains, units, betas.dtype)

    moves = find_steps(log_weights, start(), betas, settings.leapfrogs, generators)
    forward, acceptance = annealed_log_weights(log_weights, start(), moves, generators)
    upper = torch.full_like(acceptance, torch.nan)
    if posterior is not None:
        backward, _ = reverse_log_weights(log_weights, posterior.expand(settings.chains, -1, -1), moves, generators)
        upper = -importance_bound(-backward)
    return importance_bound(forward), upper, acceptance
