"""log p(x) by importance sampling: L_S of each image, the curve of L_k for k up to S and how far its estimates spread.

The estimator, `estimate`, takes any function that draws log weights; `evaluate` gives it a model's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from iwae.bounds import effective_sample_size, mean_absolute_deviation, nested_bounds
from iwae.data import splits
from iwae.device import compile_function
from iwae.errors import InputError
from iwae.evaluation.noise import BLOCK, image_seeds, noise_chunks
from iwae.evaluation.pixels import as_tensor
from iwae.evaluation.subject import ROWS, Subject
from iwae.evaluation.weights import encode, log_weights
from iwae.models.model import Model, prior_density
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study.measurements import ChoppedSettings, LikelihoodSettings, RebinarizedSettings

DrawLogWeights = Callable[[int, int], Tensor]
"""Draws the log weights (S, stop - start) of the images start..stop-1."""

_GROUP = 2**20  # log weights held at once, 8 MB
_WORTH_COMPILING = 200_000  # draws; compiling takes as long as some of them
_LEAST_GROUPS = 20  # estimates of an image's L_k needed to state their deviation


class Estimates(NamedTuple):
    """What the log weights of n images say, in nats, ``float64``.

    Attributes:
        bounds: An unbiased estimate of L_k for each k of `curve_sizes`, (len(ks), n).
        deviations: Mean absolute deviation of log Z^_k, the estimate of L_k from k weights, (len(ks), n); NaN where the
            S weights hold fewer than 20 such estimates.
        ess: Effective sample sizes, (n,).
    """

    bounds: np.ndarray
    deviations: np.ndarray
    ess: np.ndarray


@dataclass(frozen=True)
class Likelihood:
    """Estimates for n images, in nats.

    Attributes:
        images: Indices of the images in their split, (n,) ``int32``.
        ks: The k of each row of `bounds`, ascending; the last is the number of samples S.
        estimates: The estimates for those images and k.
    """

    images: np.ndarray
    ks: tuple[int, ...]
    estimates: Estimates

    @property
    def log_likelihood(self) -> np.ndarray:
        """L_S of each image, (n,) ``float64``."""
        return self.estimates.bounds[-1]

    def curve(self, split: str) -> list[dict[str, object]]:
        """The rows of ``likelihood.csv``: means over the images, with the bound's standard error over them."""
        n = len(self.images)
        return [
            {
                "split": split,
                "k": k,
                "bound": float(bounds.mean()),
                "se_images": float(bounds.std(ddof=1) / n**0.5),
                "images": n,
                "deviation": None if np.isnan(deviations).any() else float(deviations.mean()),
            }
            for k, bounds, deviations in zip(self.ks, self.estimates.bounds, self.estimates.deviations, strict=True)
        ]


def curve_sizes(samples: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50, ... as far as they divide `samples`, and `samples` itself."""
    steps = (digit * 10**power for power in range(len(str(samples))) for digit in (1, 2, 5))
    return tuple(sorted({k for k in steps if samples % k == 0} | {samples}))


@torch.no_grad()  # not inference mode, in which nobody who draws can ask for a gradient, as HMC does
def estimate(draw: DrawLogWeights, images: int, samples: int) -> Estimates:
    """Estimates from log weights, reduced in float64, as many images at a time as fit a few megabytes.

    Args:
        draw: Draws the log weights of some of the images.
        images: Number of images n.
        samples: Number S of log weights of each image.

    Raises:
        InputError: What is drawn has another shape.
    """
    ks = curve_sizes(samples)
    found = Estimates(np.empty((len(ks), images)), np.empty((len(ks), images)), np.empty(images))
    group = max(1, _GROUP // samples)
    for start in range(0, images, group):
        some = slice(start, min(start + group, images))
        log_w = draw(some.start, some.stop).double()
        if log_w.shape != (samples, some.stop - some.start):
            raise InputError(
                f"log weights {tuple(log_w.shape)} are impossible: of {some.stop - some.start} images with {samples} "
                f"samples they must be {(samples, some.stop - some.start)}."
            )
        for row, k in enumerate(ks):
            each = nested_bounds(log_w, k)
            found.bounds[row, some] = each.mean(0).cpu()
            found.deviations[row, some] = mean_absolute_deviation(each).cpu() if len(each) >= _LEAST_GROUPS else np.nan
        found.ess[some] = effective_sample_size(log_w).cpu()
    return found


def evaluate(
    model: TrainedModel,
    x: np.ndarray,
    images: np.ndarray,
    settings: LikelihoodSettings | ChoppedSettings | RebinarizedSettings,
    split: str,
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> Likelihood:
    """Estimate log p(x) of images under a model.

    Args:
        model: The model, on `device`.
        x: Binary images, (n, 784) ``uint8``.
        images: Their indices in the split, (n,); an image's draws are seeded by its index.
        settings: Reads ``samples`` and ``seed``.
        split: ``test`` or ``train``; it seeds the draws and stands in messages.
        device: Where to compute.
        progress: Called with the number of images done since its last call.

    Raises:
        InputError: The images are not binary, or not as many as their indices, or the log weights of one not finite.
    """
    seeds = image_seeds(model.spec, settings.seed, f"likelihood/{split}", images.tolist())
    draw = model_log_weights(model, x, seeds, settings.samples, device, ROWS[device.type], progress)
    estimates = estimate(draw, len(x), settings.samples)
    # L_1 is the mean of all log weights: it is finite only if they all are.
    broken = np.flatnonzero(~np.isfinite(estimates.bounds).all(0))
    if len(broken):
        raise InputError(
            f"{model.spec.name} gives {split} image {images[broken[0]]} a log-likelihood that is not a finite number: "
            "its weights are unusable; train it again."
        )
    return Likelihood(images.astype(np.int32), curve_sizes(settings.samples), estimates)


def model_log_weights(
    model: Model,
    x: np.ndarray,
    seeds: list[int],
    samples: int,
    device: torch.device,
    rows: int,
    progress: Callable[[int], object] = lambda images: None,
) -> DrawLogWeights:
    """A model's log weights of S = `samples` draws for images x (n, 784) ``uint8`` with `seeds`, `rows` at a time.

    Every chunk has the same shape, padded where images or samples run out, as the function is compiled for one shape.

    Raises:
        InputError: There are not as many seeds as images.
    """
    if len(seeds) != len(x):
        raise InputError(f"{len(seeds)} images have seeds, but there are {len(x)}: each needs one.")
    step = min(samples, max(BLOCK, rows // BLOCK * BLOCK))
    width = max(1, rows // step)
    prior, kind = prior_density(model.architecture, model.parameters), next(iter(model.parameters.values())).dtype
    compute = compile_function(log_weights, device) if len(x) * samples >= _WORTH_COMPILING else log_weights

    def draw(start: int, stop: int) -> Tensor:
        binary = as_tensor(x[start:stop], device, kind)
        encoded = encode(model.architecture, model.parameters, binary)
        log_w = torch.empty(samples, stop - start, dtype=kind, device=device)
        for first in range(0, stop - start, width):
            columns = slice(first, min(first + width, stop - start))

            def padded_part(part: Tensor, columns: slice = columns) -> Tensor:
                return _pad(part[columns], 0, width)

            some = encoded.map(padded_part)
            chunks = noise_chunks(seeds[start:stop][columns], samples, step, model.architecture.latents, device)
            for index, noise in enumerate(chunks):
                padded = [_pad(_pad(layer, 0, step), 1, width) for layer in noise]
                computed = compute(model.architecture, model.parameters, prior, some, padded)
                target = log_w[index * step : (index + 1) * step, columns]
                target.copy_(computed[: target.shape[0], : target.shape[1]])
            progress(columns.stop - first)
        return log_w

    return draw


def _pad(tensor: Tensor, axis: int, size: int) -> Tensor:
    """`tensor` with zeros appended along `axis` up to `size`."""
    missing = size - tensor.shape[axis]
    return pad(tensor, (0, 0) * (tensor.dim() - 1 - axis) + (0, missing)) if missing else tensor


def write(subject: Subject, settings: LikelihoodSettings) -> None:
    """Estimate log p(x) of test and training images: ``likelihood.npz`` and ``likelihood.csv``.

    The arrays are, for each split (``test``, ``train``), L_S of each image, in nats, by the split's name; the images'
    indices, ``{split}_images``; and their effective sample sizes, ``{split}_ess``.

    Raises:
        InputError: The model gives a likelihood that is not finite.
    """
    arrays: dict[str, np.ndarray] = {}
    rows: list[dict[str, object]] = []
    wanted = {"test": (subject.test, settings.test_images), "train": (subject.train, settings.train_images)}
    for split, (x, most) in wanted.items():
        chosen = splits.evenly_spaced(most, len(x))
        with progress_bar(len(chosen), f"{subject.model.spec.name} likelihood, {split}", "image") as bar:
            found = evaluate(subject.model, x[chosen], chosen, settings, split, subject.device, bar.update)
        arrays[split] = found.log_likelihood.astype(np.float32)
        arrays[f"{split}_images"] = found.images
        arrays[f"{split}_ess"] = found.estimates.ess.astype(np.float32)
        rows += found.curve(split)
    subject.write_arrays("likelihood.npz", arrays)
    subject.write_rows("likelihood.csv", rows)
