import numpy as np
import pytest

from iwae.data import idx, mnist_static
from iwae.data import mnist as mnist_module
from iwae.data.checks import sha256
from iwae.data.splits import load


def files(train, test):
    """The two files of MNIST with other images (n, 784)."""
    images = {mnist_module.TRAIN: train, mnist_module.TEST: test}
    return {name: idx.encode(rows.reshape(-1, 28, 28).astype(np.uint8)) for name, rows in images.items()}


@pytest.fixture(scope="module")
def static(mnist):
    return load("mnist-static", mnist, 10_000)


def test_split_is_that_of_the_fixed_binarization(static):
    assert [len(part) for part in (static.train, static.validation, static.test)] == [50_000, 10_000, 10_000]
    assert static.sha256 == mnist_module.SHA256


def test_bits_fit_the_grey_images_they_come_from(static, mnist):
    grey = load("mnist", mnist, 10_000)
    for part in ("train", "validation", "test"):
        bits, pixels = getattr(static, part), getattr(grey, part)
        assert bits.dtype == np.uint8
        assert set(np.unique(bits)) == {0, 255}
        assert not bits[pixels == 0].any()
        assert (bits[pixels == 255] == 255).all()
        assert (bits != pixels).any()
        # Five standard errors of the share of ones, whose variance is at most p (1 - p) / n.
        p, n = pixels.mean() / 255, pixels.size
        assert abs(bits.mean() / 255 - p) < 5 * np.sqrt(p * (1 - p) / n)


def test_bits_are_the_same_everywhere(static):
    """Measured models rest on these bits: a change of seeds or of the rule must not go unnoticed."""
    assert sha256(static.test.tobytes()) == "2832b29a29fba097b628a668f182be08e8c573a7b1367ddc1235872a7a090a1b"
    assert (
        sha256(np.concatenate([static.train, static.validation]).tobytes())
        == "66a6edd37d62f757bf24318c8c296aa245bca0cec944f122cd1e0c0b2e142886"
    )


def test_train_and_test_images_have_independent_noise():
    """Bits of two independent binarizations with P(1) = p agree with probability p^2 + (1 - p)^2."""
    p, n = 127 / 255, 200
    train, test = mnist_static.read(files(np.full((n, 784), 127), np.full((n, 784), 127)))
    expected = p**2 + (1 - p) ** 2
    error = np.sqrt(expected * (1 - expected) / (n * 784))
    for shift in range(3):
        agreement = (train == np.roll(test, shift, axis=0)).mean()
        assert abs(agreement - expected) < 5 * error
