"""Random numbers: each image has a generator of its own, so its draws depend on no other image and on no chunk size."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from iwae.study.specification import ModelSpec

BLOCK = 1000  # samples of one image drawn by one call: what a generator returns depends on how much is asked for


def image_seeds(spec: ModelSpec, study_seed: int, purpose: str, images: Sequence[int]) -> list[int]:
    """The seed of each image's generator: it depends on the model, the study's seed, the purpose and the image."""
    return [spec.random_seed(study_seed, f"{purpose}/{image}") for image in images]


def noise_chunks(
    seeds: Sequence[int], samples: int, step: int, latents: Sequence[int], device: torch.device
) -> Iterator[list[Tensor]]:
    """Standard Gaussian draws for some images, `step` samples at a time.

    Args:
        seeds: The seed of each of B images.
        samples: Samples of each image in all.
        step: Samples of each image in one chunk; `samples` or a multiple of `BLOCK`, or the draws would depend on it.
        latents: Units D of each stochastic layer.
        device: Where to draw; CPU and GPU draw different numbers.

    Yields:
        For each layer a float32 tensor (step, B, D); the last chunk may have fewer samples.
    """
    generators = image_generators(seeds, device)
    for start in range(0, samples, step):
        count = min(step, samples - start)
        draws = [_draw(generator, count, latents) for generator in generators]
        yield [torch.stack(layer, dim=1) for layer in zip(*draws, strict=True)]


def _draw(generator: torch.Generator, count: int, latents: Sequence[int]) -> list[Tensor]:
    blocks = []
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        blocks.append([torch.randn(size, units, generator=generator, device=generator.device) for units in latents])
    return [torch.cat(layer) for layer in zip(*blocks, strict=True)]


def image_generators(seeds: Sequence[int], device: torch.device) -> list[torch.Generator]:
    """A generator for each image."""
    return [torch.Generator(device).manual_seed(seed) for seed in seeds]


def draw_each(generators: Sequence[torch.Generator], samples: int, units: int, kind: torch.dtype) -> Tensor:
    """Standard Gaussian draws, each image's from its own generator, (samples, B, units) of type `kind`.

    They are drawn in float32 whatever the type, so that they are the same numbers.
    """
    draws = [torch.randn(samples, units, generator=each, device=each.device) for each in generators]
    return torch.stack(draws, dim=1).to(kind)
