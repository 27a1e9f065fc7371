"""Small images and stacks for the tests of training."""

import numpy as np
import pytest
import torch

from iwae.data.splits import Images
from iwae.models.architecture import Architecture
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import state as training_states
from iwae.training.engine import Stack


def random_images(train=40, validation=6, test=4):
    """Grey images that differ from pixel to pixel, so that mistakes of layout show."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(train + validation + test, 784), dtype=np.uint8)
    return Images(pixels[:train], pixels[train : train + validation], pixels[train + validation :], {"images": "0"})


@pytest.fixture
def images():
    return random_images()


@pytest.fixture
def build_stack(images, device):
    """A function from names to a stack, uncompiled unless told otherwise."""

    def build(names, settings=None, compile_step=lambda step: step):
        settings = settings or TrainingSettings(batch_size=5)
        specs = [ModelSpec.parse(name) for name in names]
        states = [training_states.fresh(spec, settings, images.train, device) for spec in specs]
        architecture = Architecture.of(specs[0], settings.protocol)
        return Stack(specs, states, architecture, settings.protocol, device, compile_step)

    return build


@pytest.fixture
def run_blocks(images, device):
    """A function that makes blocks of updates of a stack and returns their bounds, (T, M)."""

    def run(stack, steps=8, batch=5, kl_weights=None, blocks=2):
        pixels = torch.from_numpy(images.train).to(device)
        index = torch.arange(steps * batch, device=device).view(steps, 1, batch).expand(-1, len(stack.specs), -1)
        block = stack.block(pixels, steps, batch)
        rates = np.full(len(index), 1e-3)
        starts = range(1, 1 + blocks * steps, steps)
        return torch.cat([block.run(index, first, rates, kl_weights).clone() for first in starts])

    return run
