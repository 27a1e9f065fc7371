"""What all tests share: the device they run on, and the real MNIST files, fetched once into the repository's data/."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

from iwae.data.sources import fetch
from iwae.device import configure
from iwae.errors import InputError

os.environ["MPLBACKEND"] = "Agg"  # whatever Jupyter or a desktop sets; the workflow's tests leave it to the library
ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="device of the tests that can run on any: cpu (default) or cuda")


def pytest_configure(config):
    if config.getoption("--device").startswith("cuda") and not torch.cuda.is_available():
        raise pytest.UsageError("--device cuda needs a CUDA device, and torch sees none: use --device cpu.")
    # One thread, as tensors are small: more only wait for each other.
    configure(torch.device(config.getoption("--device")), 1)
    # A slow or crowded machine is no fault of the code.
    hypothesis.settings.register_profile(
        "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("any machine")
    # PyTorch before 2.14 recommends TF32 when it compiles a product of float32 matrices, which here are meant to be.
    config.addinivalue_line("filterwarnings", "ignore:TensorFloat32 tensor cores:UserWarning")
    # Its compiler uses what it has deprecated: as an error that would mean that nothing can be compiled.
    config.addinivalue_line("filterwarnings", "ignore:.torch.jit.[a-z_]+. is deprecated:DeprecationWarning")


def pytest_ignore_collect(collection_path, config):
    """On another device nothing of the workflow: a machine with a GPU may have no Snakemake."""
    return config.getoption("--device") != "cpu" and collection_path.name == "workflow" or None


def pytest_collection_modifyitems(config, items):
    """On another device only what computes there."""
    if config.getoption("--device") != "cpu":
        others = [item for item in items if "device" not in item.fixturenames]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if "device" in item.fixturenames]


@pytest.fixture(scope="session")
def device(request):
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def refused():
    """A function that calls another, which must refuse its arguments, and gives the sentence in which it does."""

    def sentence(function, *arguments, **options):
        with pytest.raises(InputError) as caught:
            function(*arguments, **options)
        return str(caught.value)

    return sentence


@pytest.fixture(scope="session")
def mnist():
    """The data folder, with the real MNIST in it."""
    fetch("mnist", ROOT / "data")
    return ROOT / "data"
