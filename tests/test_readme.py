"""The README's code does what it says, and its commands exist."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from iwae.models import store
from iwae.models.architecture import Architecture
from iwae.models.initialization import initialize
from iwae.models.model import log_weights
from iwae.study import manifest
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The folder that the README names, with an untrained model in it, below the working directory."""
    spec, settings = ModelSpec("mnist", 1, "iwae", 50, 0), TrainingSettings()
    folder = tmp_path / "results/efficient" / spec.name
    folder.mkdir(parents=True)
    train = np.random.default_rng(0).integers(0, 256, (20, 784), dtype=np.uint8)
    save_file(initialize(Architecture.paper(1), settings.protocol, 0, train), folder / manifest.WEIGHTS)
    manifest.record(folder, spec, "training", settings.as_dict(), [manifest.WEIGHTS], {})
    monkeypatch.chdir(tmp_path)
    return store.load(folder)


def test_the_library_s_lines_run(model, capsys):
    exec(BLOCKS[0], {})
    assert "tensor([" in capsys.readouterr().out


def test_numpy_s_lines_are_the_library_s_log_weights(model):
    names = {}
    exec(BLOCKS[1], names)
    noise = [torch.from_numpy(names["eps"])[:, None]]
    expected = log_weights(model.architecture, model.parameters, torch.zeros(1, 784), noise)[:, 0]
    np.testing.assert_allclose(names["log_w"], expected.numpy(), rtol=1e-5)


def test_the_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_the_files_it_links_to_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links and all((ROOT / link.partition("#")[0]).exists() for link in links)
