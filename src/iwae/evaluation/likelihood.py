"""log p(x) by importance sampling: L_S of each image, the curve of L_k for k up to S, effective sample sizes.

The estimator, `estimate`, takes any function that draws log weights; `evaluate` gives it a model's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from iwae.bounds import effective_sample_size, nested_bounds
from iwae.device import compile_function
from iwae.errors import InputError
from iwae.evaluation.noise import BLOCK, image_seeds, noise_chunks
from iwae.evaluation.weights import Encoded, encode, log_weights
from iwae.models.store import TrainedModel
from iwae.settings import LikelihoodSettings

DrawLogWeights = Callable[[int, int], Tensor]
"""Draws the log weights (S, stop - start) of the images start..stop-1."""

ROWS = {"cpu": 1000, "cuda": 40_000}  # draws in one pass through the decoder: 1000 fit a core's caches
_GROUP = 2**20  # log weights held at once, 8 MB
_WORTH_COMPILING = 200_000  # draws; compiling takes as long as some of them


@dataclass(frozen=True)
class Likelihood:
    """Estimates for n images, in nats.

    Attributes:
        images: Indices of the images in their split, (n,) ``int32``.
        ks: The k of each row of `bounds`, ascending; the last is the number of samples S.
        bounds: An unbiased estimate of each image's L_k, (len(ks), n) ``float64``.
        ess: Effective sample size of each image's S weights, (n,) ``float64``.
    """

    images: np.ndarray
    ks: tuple[int, ...]
    bounds: np.ndarray
    ess: np.ndarray

    @property
    def log_likelihood(self) -> np.ndarray:
        """L_S of each image, (n,)."""
        return self.bounds[-1]

    def curve(self, split: str) -> list[dict[str, object]]:
        """The rows of ``likelihood.csv``: the mean of L_k over the images and its standard error over them."""
        means, deviations, n = self.bounds.mean(1), self.bounds.std(1, ddof=1), len(self.images)
        return [
            {"split": split, "k": k, "bound": float(mean), "se_images": float(deviation / n**0.5), "images": n}
            for k, mean, deviation in zip(self.ks, means, deviations, strict=True)
        ]


def curve_sizes(samples: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50, ... as far as they divide `samples`, and `samples` itself."""
    steps = (digit * 10**power for power in range(len(str(samples))) for digit in (1, 2, 5))
    return tuple(sorted({k for k in steps if samples % k == 0} | {samples}))


@torch.inference_mode()
def estimate(draw: DrawLogWeights, images: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Estimates from log weights, reduced in float64, as many images at a time as fit a few megabytes.

    Args:
        draw: Draws the log weights of some of the images.
        images: Number of images n.
        samples: Number S of log weights of each image.

    Returns:
        L_k for each k of `curve_sizes`, (len(ks), n), and effective sample sizes, (n,), both ``float64``.
    """
    ks, bounds, ess = curve_sizes(samples), [], []
    group = max(1, _GROUP // samples)
    for start in range(0, images, group):
        log_w = draw(start, min(start + group, images)).double()
        bounds.append(torch.stack([nested_bounds(log_w, k) for k in ks]).cpu())
        ess.append(effective_sample_size(log_w).cpu())
    return torch.cat(bounds, dim=1).numpy(), torch.cat(ess).numpy()


def evaluate(
    model: TrainedModel,
    x: np.ndarray,
    images: np.ndarray,
    settings: LikelihoodSettings,
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
        InputError: An image's log weights are not finite.
    """
    seeds = image_seeds(model.spec, settings.seed, f"likelihood/{split}", images.tolist())
    draw = model_log_weights(model, x, seeds, settings.samples, device, ROWS[device.type], progress)
    bounds, ess = estimate(draw, len(x), settings.samples)
    # L_1 is the mean of all log weights: it is finite only if they all are.
    broken = np.flatnonzero(~np.isfinite(bounds).all(0))
    if len(broken):
        raise InputError(
            f"{model.spec.name} gives {split} image {images[broken[0]]} a log-likelihood that is not a finite number: "
            "its weights are unusable; train it again."
        )
    return Likelihood(images.astype(np.int32), curve_sizes(settings.samples), bounds, ess)


def model_log_weights(
    model: TrainedModel,
    x: np.ndarray,
    seeds: list[int],
    samples: int,
    device: torch.device,
    rows: int,
    progress: Callable[[int], object] = lambda images: None,
) -> DrawLogWeights:
    """A model's log weights of S = `samples` draws for images x (n, 784) ``uint8`` with `seeds`, `rows` at a time.

    Every chunk has the same shape, padded where images or samples run out, as the function is compiled for one shape.
    """
    step = min(samples, max(BLOCK, rows // BLOCK * BLOCK))
    width = max(1, rows // step)
    compute = compile_function(log_weights) if len(x) * samples >= _WORTH_COMPILING else log_weights

    def draw(start: int, stop: int) -> Tensor:
        binary = torch.from_numpy(x[start:stop]).to(device).float()
        encoded = encode(model.architecture, model.parameters, binary)
        log_w = torch.empty(samples, stop - start, device=device)
        for first in range(0, stop - start, width):
            columns = slice(first, min(first + width, stop - start))
            some = Encoded(*(_pad(part[columns], 0, width) for part in encoded))
            chunks = noise_chunks(seeds[start:stop][columns], samples, step, model.architecture.latents, device)
            for index, noise in enumerate(chunks):
                padded = [_pad(_pad(layer, 0, step), 1, width) for layer in noise]
                computed = compute(model.architecture, model.parameters, some, padded)
                target = log_w[index * step : (index + 1) * step, columns]
                target.copy_(computed[: target.shape[0], : target.shape[1]])
            progress(columns.stop - first)
        return log_w

    return draw


def _pad(tensor: Tensor, axis: int, size: int) -> Tensor:
    """`tensor` with zeros appended along `axis` up to `size`."""
    missing = size - tensor.shape[axis]
    return pad(tensor, (0, 0) * (tensor.dim() - 1 - axis) + (0, missing)) if missing else tensor
