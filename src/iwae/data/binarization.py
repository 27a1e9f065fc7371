"""Pixels of 0..255 into zeros and ones: P(1) = v / 255, "expectations equal to the real values" (paper, section 5).

The rule of the authors' code is u <= v / 255 for a uniform u. What it must not become is v / 256, which a comparison of
pixels with random bytes would give: white pixels would then be black once in 256 draws, and the test images' mean
binarization entropy 46.83 instead of 45.53 nats, which is another data set.

The authors' own bits can be had too: their uniform numbers come from Theano's MRG_RandomStreams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iwae.data.mrg31k3p import Streams

if TYPE_CHECKING:  # tensors bring their methods along, and the workflow imports this without torch
    import torch

_CHUNK = 1000  # images drawn at once: 6 MB of uniform numbers
AUTHORS_SEED = 123
_AUTHORS_MINIBATCH = 20  # for each of which their code draws once


def binarize(pixels: np.ndarray, seed: int) -> np.ndarray:
    """One binarization of whole images, the same on every device and machine.

    Args:
        pixels: (n, D) ``uint8``, values v of 0..255.
        seed: Seed of numpy's legacy generator, whose stream of numbers is frozen.

    Returns:
        (n, D) ``uint8`` of 0 and 1; v = 0 never gives 1, v = 255 always.
    """
    generator = np.random.RandomState(seed)
    binary = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), _CHUNK):
        rows = slice(start, start + _CHUNK)
        # u is in [0, 1), so that < is exact at both ends; it differs from <= with probability 2^-53 elsewhere.
        binary[rows] = generator.random_sample(pixels[rows].shape) < pixels[rows] / 255.0
    return binary


def binarize_as_authors(pixels: np.ndarray) -> np.ndarray:
    """The binarization on which the authors' code measures log p(x): of MNIST's test images, that of the paper's nll.

    Args:
        pixels: (n, D) ``uint8``, values v of 0..255, in the order of the file: an image's bits depend on its place.

    Returns:
        (n, D) ``uint8`` of 0 and 1, the bits of ``T.le(srng.uniform(data.shape), data)`` for minibatches of 20.
    """
    streams, binary = Streams(AUTHORS_SEED), np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), _AUTHORS_MINIBATCH):
        rows = slice(start, start + _AUTHORS_MINIBATCH)
        data = (pixels[rows] / 255.0).astype(np.float32)
        binary[rows] = streams.uniform(data.size).reshape(data.shape) <= data
    return binary


def bernoulli_pixels(pixels: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """A binarization from 16 random bits a pixel, for the training step.

    Of the 65,536 equally likely draws, round(65536 v / 255) give 1, so P(1) differs from v / 255 by at most 2^-17;
    v = 0 never gives 1 and v = 255 always. As 65536 / 255 = 257 + 1 / 255, the number is 257 v, plus one if v > 127.

    Args:
        pixels: (..., D) ``uint8``, values v of 0..255.
        draws: The same shape, ``int16``, uniform over all its values.

    Returns:
        The same shape, ``float32`` of 0 and 1.
    """
    ones = 257 * pixels.int() + (pixels > 127)
    return (draws.int() < ones - 32768).float()
