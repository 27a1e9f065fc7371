"""What others have set in the environment, and libraries beneath this one read, changes nothing that is computed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iwae.files import sha256

ROOT = Path(__file__).resolve().parents[1]
MODEL = "mnist/l1-iwae-k2/seed0"
KIND = {"PYTHONPATH": str(ROOT / "src"), "IWAE_PRODUCTS": "default", "TORCHDYNAMO_DISABLE": "1"}
NUMBERS = {
    "OMP_NUM_THREADS": "many",
    "MKL_NUM_THREADS": "-3",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
    "PYTORCH_CUDA_ALLOC_CONF": "nonsense:1",
    "TMPDIR": "/gone",
    "PYTHONOPTIMIZE": "2",
    "LC_ALL": "C",
}


def run(environment, *arguments):
    command = [sys.executable, "-m", "iwae", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | KIND | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def trained_and_measured(folder, data, environment):
    """The bits of a model that was trained for a few updates and measured."""
    common = ["--data", data, "--device", "cpu"]
    train = ["--models", MODEL, "--results", folder, "--checkpoints", folder / "states", "--train-images", 400]
    run(environment, "train", *train, "--stages", 1, *common)
    few = ["--likelihood-samples", 10, "--likelihood-test-images", 20, "--likelihood-train-images", 20]
    run(environment, "measure", "--model", folder / MODEL, "--sections", "likelihood", *few, *common)
    return [sha256(folder / MODEL / name) for name in ("model.safetensors", "likelihood.npz", "likelihood.csv")]


@pytest.mark.slow
def test_training_and_measuring(mnist, tmp_path):
    found = [trained_and_measured(tmp_path / str(len(other)), mnist, other) for other in ({}, NUMBERS)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "environment",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "MATPLOTLIBRC": "/gone/matplotlibrc"},
        {"MPLBACKEND": "TkAgg", "DISPLAY": ":7", "MPLCONFIGDIR": "/proc/no", "HOME": "/gone", "TMPDIR": "/gone"},
    ],
)
def test_drawing(tmp_path, environment):
    run(environment, "figure", "protocols", "--results", ROOT / "results/protocols", "--figures", tmp_path)
    assert (tmp_path / "protocols.csv").read_bytes() == (ROOT / "figures/protocols/protocols.csv").read_bytes()
