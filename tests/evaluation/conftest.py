"""Small models with random parameters, and random binary images."""

import dataclasses

import numpy as np
import pytest

from iwae.models.architecture import PIXELS, Architecture
from iwae.models.initialization import initialize
from iwae.models.store import TrainedModel
from iwae.protocol import Protocol
from iwae.settings import TrainingSettings
from iwae.specification import ModelSpec


@pytest.fixture(scope="session")
def model_of(device):
    """A function from a number of layers to an untrained model on the tests' device."""

    def build(layers: int) -> TrainedModel:
        protocol = Protocol(initialization="independent")
        train = np.random.default_rng(0).integers(0, 256, (11, PIXELS), dtype=np.uint8)
        parameters = initialize(Architecture(layers), protocol, 0, train)
        parameters["q1.mean.weight"] *= 0.7  # posteriors of different images overlap, but not wholly
        on_device = {name: value.to(device) for name, value in parameters.items()}
        spec = ModelSpec("mnist", layers, "iwae", 5, 0)
        return TrainedModel(spec, TrainingSettings(protocol), Architecture(layers), on_device)

    return build


@pytest.fixture(scope="session")
def doubled():
    """A function from a model to the same model in float64."""

    def double(model: TrainedModel) -> TrainedModel:
        return dataclasses.replace(model, parameters={name: p.double() for name, p in model.parameters.items()})

    return double


@pytest.fixture(scope="session")
def binary():
    """A function from a number n to binary images (n, 784), each brighter or darker than the others."""

    def draw(n: int) -> np.ndarray:
        generator = np.random.default_rng(1)
        return (generator.random((n, PIXELS)) < generator.uniform(0.05, 0.6, (n, 1))).astype(np.uint8)

    return draw
