"""Parameters, noise and images drawn for the tests of models, in float64."""

import numpy as np
import pytest
import torch

from iwae.models.architecture import PIXELS
from iwae.models.initialization import initialize
from iwae.study.protocol import Protocol

K, B = 3, 5


@pytest.fixture(scope="session")
def train():
    """Eleven training images."""
    return np.random.default_rng(0).integers(0, 256, (11, PIXELS), dtype=np.uint8)


@pytest.fixture(scope="session")
def parameters_of(device, train):
    """A function from an architecture to parameters of independent draws, biases included."""

    def draw(architecture):
        spread = 0.02 if architecture.decoder.gated else 0.1  # gated layers have no bounds
        start = initialize(architecture, Protocol(initialization="independent"), 0, train)
        generator = torch.Generator().manual_seed(1)
        noise = {
            name: torch.randn(value.shape, generator=generator, dtype=torch.float64) for name, value in start.items()
        }
        return {name: (value.double() + spread * noise[name]).to(device) for name, value in start.items()}

    return draw


@pytest.fixture(scope="session")
def noise_of(device):
    """A function from an architecture to noise (K, B, D) for each stochastic layer."""

    def draw(architecture):
        generator = torch.Generator().manual_seed(2)
        shapes = [(K, B, units) for units in architecture.latents]
        return [torch.randn(shape, generator=generator, dtype=torch.float64).to(device) for shape in shapes]

    return draw


@pytest.fixture(scope="session")
def images(device):
    """A function that gives binary images (B, 784)."""
    return lambda: (torch.rand(B, PIXELS, generator=torch.Generator().manual_seed(3)) < 0.3).double().to(device)
