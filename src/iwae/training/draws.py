"""The random numbers of training, drawn in blocks, each model's from its own generator.

A model's draws therefore do not depend on the models trained beside it, and its generator's state at the boundary of a
block is all that is needed to go on from there.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from iwae.models.architecture import PIXELS, Architecture


class BlockDraws:
    """Buffers for the draws of one block of updates of a stack.

    The update is the first axis, so that what one update needs is contiguous and laid out alike whatever the length of
    the block: a compiled update would be compiled again for another layout.

    Attributes:
        bits: Draws for the binarization, int16 (T, M, B, 784), uniform over all 65,536 values.
        noise: Standard Gaussian draws, float32 (T, M, k, B, D), D the units of all stochastic layers, h1 first.
    """

    def __init__(
        self, architecture: Architecture, generators: Sequence[Generator], k: int, batch_size: int, steps: int
    ) -> None:
        device, models = generators[0].device, len(generators)
        self._generators = generators
        self._words = torch.empty(steps, models, batch_size, PIXELS // 4, dtype=torch.int64, device=device)
        self.bits = self._words.view(torch.int16)
        self.noise = torch.empty(steps, models, k, batch_size, sum(architecture.latents), device=device)

    def refill(self) -> None:
        """Draw the numbers of the next block."""
        for model, generator in enumerate(self._generators):
            # Four 16-bit draws at a time: several times faster than drawing each by itself. Both are drawn to
            # contiguous memory, since the values drawn depend on the layout.
            words, noise = self._words[:, model], self.noise[:, model]
            words.copy_(
                torch.empty(words.shape, dtype=words.dtype, device=words.device).random_(
                    -(2**63), None, generator=generator
                )
            )
            noise.copy_(torch.empty(noise.shape, device=noise.device).normal_(generator=generator))

    def refill_with_zeros(self) -> None:
        """Fill the buffers without touching the generators."""
        self._words.zero_()
        self.noise.zero_()


def pass_order(shuffle: bool, images: int, seed: int) -> Tensor:
    """The order in which a pass visits the training images, int64 (images,): the file's, or a permutation."""
    if not shuffle:
        return torch.arange(images)
    return torch.randperm(images, generator=Generator().manual_seed(seed))
