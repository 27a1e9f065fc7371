"""Reading a model's folder: what is refused, and in which words."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from iwae.errors import InputError
from iwae.models import store
from iwae.models.architecture import PIXELS, Architecture
from iwae.models.initialization import initialize
from iwae.study import manifest
from iwae.study.protocol import Protocol
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

SPEC = ModelSpec("mnist", 1, "iwae", 5, 0)


def parameters_of(layers):
    return initialize(Architecture.paper(layers), Protocol(), 0, np.zeros((2, PIXELS), np.uint8))


def record(folder, settings=None):
    manifest.record(folder, SPEC, "training", (settings or TrainingSettings()).as_dict(), [manifest.WEIGHTS], {})


@pytest.fixture
def folder(tmp_path):
    save_file(parameters_of(1), tmp_path / manifest.WEIGHTS)
    record(tmp_path)
    return tmp_path


def refusal(folder):
    with pytest.raises(InputError) as caught:
        store.load(folder)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


def test_a_model_is_read_back(folder, device):
    settings = TrainingSettings(Protocol(scale="log-variance"), stages=2, train_images=100)
    record(folder, settings)
    model = store.load(folder, device)
    assert (model.spec, model.settings, model.architecture) == (SPEC, settings, Architecture.paper(1, "log-variance"))
    for name, value in parameters_of(1).items():
        assert model.parameters[name].device.type == device.type
        assert torch.equal(model.parameters[name].cpu(), value)


def test_altered_weights(folder):
    content = bytearray((folder / manifest.WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / manifest.WEIGHTS).write_bytes(content)
    assert "not the file its manifest describes" in refusal(folder)


def test_weights_that_are_no_tensors(folder):
    (folder / manifest.WEIGHTS).write_bytes(b"nothing")
    record(folder)
    assert "is not a file of tensors" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("two layers", "p1.hidden1.bias has the shape (100,), needed is None"),
        ("shape", "px.logits.bias has the shape (10,), needed is (784,)"),
        ("missing", "q1.mean.bias has the shape None, needed is (50,)"),
    ],
)
def test_weights_of_another_architecture(folder, change, said):
    parameters = parameters_of(2 if change == "two layers" else 1)
    if change == "shape":
        parameters["px.logits.bias"] = torch.zeros(10)
    if change == "missing":
        del parameters["q1.mean.bias"]
    save_file(parameters, folder / manifest.WEIGHTS)
    record(folder)
    assert said in refusal(folder)


def test_settings_of_another_version_are_told_with_the_file_that_has_them(folder):
    path = folder / manifest.NAME
    path.write_text(path.read_text().replace('"loss": "sum"', '"loss": "max"'))
    assert refusal(folder).startswith(f"{path} does not describe a training that this version knows (")
