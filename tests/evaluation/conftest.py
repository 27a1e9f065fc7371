"""Small models with random parameters, in memory and in folders, and random images."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from iwae.data import splits
from iwae.models.architecture import PIXELS, Architecture
from iwae.models.initialization import initialize
from iwae.models.store import TrainedModel
from iwae.study import manifest
from iwae.study.protocol import Protocol
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec


@pytest.fixture(scope="session")
def model_named(device):
    """A function from a model's name to that model, untrained, on the tests' device."""

    def build(name: str, scale: str = "log-deviation") -> TrainedModel:
        protocol, spec = Protocol(initialization="independent", scale=scale), ModelSpec.parse(name)
        architecture = Architecture.of(spec, protocol)
        train = np.random.default_rng(0).integers(0, 256, (11, PIXELS), dtype=np.uint8)
        parameters = initialize(architecture, protocol, 0, train)
        parameters["q1.mean.weight"] *= 0.7  # posteriors of different images overlap, but not wholly
        on_device = {name: value.to(device) for name, value in parameters.items()}
        return TrainedModel(architecture, on_device, spec, TrainingSettings(protocol))

    return build


@pytest.fixture(scope="session")
def model_of(model_named):
    """The same for the paper's architectures."""

    def build(layers: int, scale: str = "log-deviation", latents: int | None = None) -> TrainedModel:
        return model_named(f"mnist/l{layers}-iwae-k5{f'-z{latents}' if latents else ''}/seed0", scale)

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


@pytest.fixture(scope="session")
def record_model():
    """A function that writes a model to a folder, as training does."""

    def record(folder: Path, model: TrainedModel) -> None:
        save_file({name: value.cpu() for name, value in model.parameters.items()}, folder / manifest.WEIGHTS)
        manifest.record(folder, model.spec, "training", model.settings.as_dict(), [manifest.WEIGHTS], {})

    return record


@pytest.fixture
def images(monkeypatch):
    """Nine training images and eleven test images, which every data set has from now on."""
    pixels = np.random.default_rng(2).integers(0, 256, (20, PIXELS), dtype=np.uint8)
    found = splits.Images(pixels[:9], pixels[9:9], pixels[9:], {"file": "hash"})
    monkeypatch.setattr(splits, "load", lambda dataset, data, held_out, train_images: found)
    return found


@pytest.fixture
def folder(tmp_path, model_of, record_model, images):
    """The folder of a model with two layers."""
    record_model(tmp_path, model_of(2))
    return tmp_path
