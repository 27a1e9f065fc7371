"""OMNIGLOT's reader on small files of the same form; the published file cannot be fetched everywhere."""

import dataclasses
import io
import logging
import sys

import numpy as np
import pytest

from iwae.data import omniglot
from iwae.data.checks import by_git_blob, git_blob, sha256
from iwae.data.splits import load
from iwae.errors import InputError
from iwae.study.registry import DATASETS

N, M = 11, 5
scipy_io = pytest.importorskip("scipy.io")


def mat(**arrays):
    """A MATLAB file as MATLAB 5 wrote them."""
    stream = io.BytesIO()
    scipy_io.savemat(stream, arrays, format="5", do_compression=True)
    return stream.getvalue()


def upright(n, seed):
    """`n` images (n, 28, 28) of values v of 0..255, each different from its transpose."""
    return np.random.RandomState(seed).randint(0, 256, (n, 28, 28))


def stored(images):
    """The array of the file: one image a column, each stored column by column, in [0, 1]."""
    return np.stack([image.flatten(order="F") for image in images], axis=1) / 255


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(omniglot, "IMAGES", {"data": N, "testdata": M})


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Puts a file into the data folder and makes its digest the right one."""

    def install(content):
        checks = {omniglot.FILE: by_git_blob(git_blob(content))}
        entry = dataclasses.replace(DATASETS["omniglot"], images=N)
        monkeypatch.setitem(DATASETS, "omniglot", entry)
        monkeypatch.setattr(omniglot, "OMNIGLOT", dataclasses.replace(omniglot.OMNIGLOT, entry=entry, checks=checks))
        (tmp_path / "omniglot").mkdir()
        (tmp_path / "omniglot" / omniglot.FILE).write_bytes(content)
        return tmp_path

    return install


def read(train, test):
    return omniglot.read({omniglot.FILE: mat(data=train, testdata=test)})


def test_training_images_are_permuted_once_as_the_authors_do():
    values, order = stored(upright(N, 0)), np.random.RandomState(123).permutation(N)
    train, test = read(values, stored(upright(M, 1)))
    assert (order != np.arange(N)).any()
    transposed = np.reshape(values.T.reshape(N, 28, 28), (N, 784), order="F")  # the formula of the authors' code
    np.testing.assert_array_equal(train, np.rint(255 * transposed[order]))
    np.testing.assert_array_equal(test, upright(M, 1).reshape(M, 784))
    assert train.dtype == test.dtype == np.uint8
    assert train.flags.writeable
    assert train.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_steps_of_1_255_are_read_without_a_warning(caplog, dtype):
    grey = np.resize(np.arange(256), (M, 28, 28))
    _, test = read(stored(upright(N, 0)).astype(dtype), stored(grey).astype(dtype))
    np.testing.assert_array_equal(test, grey.reshape(M, 784))
    assert not caplog.records


def test_other_values_are_rounded_to_the_nearest_with_a_warning(caplog):
    values = stored(upright(M, 1))
    values[7, 2] = 100.4 / 255
    with caplog.at_level(logging.WARNING):
        _, test = read(stored(upright(N, 0)), values)
    assert test.reshape(M, 28, 28)[2, 7, 0] == 100
    assert [record.getMessage() for record in caplog.records] == [
        "chardata.mat: the array 'testdata' was rounded to steps of 1/255, by up to 0.0016"
    ]


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan])
def test_values_that_are_no_probabilities_are_refused(value):
    values = stored(upright(N, 0))
    values[3, 4] = value
    with pytest.raises(InputError, match=r"the array 'data' has values from .* they must be in \[0, 1\]"):
        read(values, stored(upright(M, 1)))


@pytest.mark.parametrize("shape", [(N, 784), (784, N + 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match=rf"'data' has the shape \({shape[0]}, {shape[1]}\), it must have \(784, 11\)"):
        read(np.zeros(shape), stored(upright(M, 1)))


def test_missing_array_is_named():
    with pytest.raises(InputError, match=r"chardata\.mat holds no array 'testdata'"):
        omniglot.read({omniglot.FILE: mat(data=stored(upright(N, 0)))})


def test_wrong_digest_is_refused_before_the_file_is_read(monkeypatch, install):
    data = install(mat(data=stored(upright(N, 0)), testdata=stored(upright(M, 1))))
    path = data / "omniglot" / omniglot.FILE
    path.write_bytes(path.read_bytes() + b"!")
    monkeypatch.setattr(scipy_io, "loadmat", lambda *_, **__: pytest.fail("the file was read"))
    with pytest.raises(InputError, match=f"{path} is not the published file: its git blob SHA-1 is"):
        load("omniglot", data, 2)


def test_published_digest_is_asked_for():
    with pytest.raises(InputError, match="it must be 016a3536ffe5e1d38e42563a18d7a78bfaf643ec"):
        omniglot.OMNIGLOT.checks[omniglot.FILE](b"", omniglot.FILE)


def test_images_are_split_and_the_file_has_its_sha256(install):
    content = mat(data=stored(upright(N, 0)), testdata=stored(upright(M, 1)))
    images = load("omniglot", install(content), held_out=4)
    permuted = upright(N, 0)[np.random.RandomState(123).permutation(N)].reshape(N, 784)
    np.testing.assert_array_equal(images.train, permuted[:-4])
    np.testing.assert_array_equal(images.validation, permuted[-4:])
    assert images.sha256 == {omniglot.FILE: sha256(content)}


def test_missing_scipy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(InputError, match="install scipy to use OMNIGLOT"):
        omniglot.read({omniglot.FILE: b""})
