import numpy as np
import pytest
import torch
from scipy import stats

from iwae.data import binarization
from iwae.data.binarization import bernoulli_pixels, binarize, binarize_as_authors
from iwae.data.mrg31k3p import Streams
from iwae.data.splits import load

VALUES = np.arange(256, dtype=np.uint8)


def test_mean_of_draws_is_the_pixel_value_over_255():
    draws = 30_000
    mean = binarize(np.tile(VALUES, (draws, 1)), seed=5).mean(0)
    p = VALUES / 255
    assert (mean[0], mean[255]) == (0, 1)
    # Five standard errors for each of 254 values: a right sampler fails once in some 7000 seeds.
    np.testing.assert_array_less(abs(mean - p)[1:255], 5 * np.sqrt(p * (1 - p) / draws)[1:255])
    # The mean over all values is sharper: it tells v / 255 from v / 256, which is lower by 0.00195.
    assert abs((mean - p).mean()) < 5 * np.sqrt((p * (1 - p)).sum() / draws) / 256 < 0.0009


def test_result_depends_on_the_seed_alone(monkeypatch):
    pixels = np.random.RandomState(0).randint(0, 256, (53, 11)).astype(np.uint8)
    whole = binarize(pixels, seed=7)
    assert whole.dtype == np.uint8
    assert (whole != binarize(pixels, seed=8)).any()
    monkeypatch.setattr(binarization, "_CHUNK", 10)
    np.testing.assert_array_equal(binarize(pixels, seed=7), whole)


def test_uniform_numbers_are_those_of_theano():
    """As ``MRG_RandomStreams(123).uniform`` gave them for two arrays of (20, 784), drawn one after the other."""
    streams = Streams(123)
    first, second = streams.uniform(15_680), streams.uniform(15_680)
    # The last of each is the second number of its stream.
    assert first[[0, 1, 2, 15_679]].tolist() == pytest.approx([0.23648803, 0.5712325, 0.5177341, 0.40539783], rel=1e-7)
    assert second[[0, 1, 2, 15_679]].tolist() == pytest.approx([0.44241437, 0.671369, 0.17403854, 0.8560637], rel=1e-7)
    assert first.dtype == np.float32 and first.min() > 0 and first.max() < 1


def test_the_authors_bits_are_a_binarization(mnist):
    test = load("mnist", mnist, 400).test[:2000]
    binary = binarize_as_authors(test)
    assert not binary[test == 0].any() and binary[test == 255].all()
    # Five standard errors of the mean over all pixels between black and white.
    grey = (test > 0) & (test < 255)
    p = test[grey] / 255
    assert abs((binary[grey] - p).sum()) < 5 * np.sqrt((p * (1 - p)).sum())
    # An image's bits depend on its place alone.
    np.testing.assert_array_equal(binarize_as_authors(test[:50]), binary[:50])


def test_every_draw_of_every_value(device):
    draws = torch.arange(-32768, 32768, device=device).to(torch.int16)[:, None].expand(65536, 256)
    pixels = torch.arange(256, device=device).to(torch.uint8).expand(65536, 256)
    binary = bernoulli_pixels(pixels, draws)
    assert binary.dtype == torch.float32
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    ones = binary.sum(0, dtype=torch.float64).cpu()
    values = torch.arange(256, dtype=torch.float64)
    assert torch.equal(ones, torch.round(values * 65536 / 255))


def test_entropy_of_the_test_images_is_the_published_rules(mnist):
    """It tells which data set a likelihood is about: pixels that are 1 with probability v/255."""
    p = np.bincount(load("mnist", mnist, 400).test.ravel(), minlength=256) / 10_000, np.arange(256) / 255
    entropy = sum(count * stats.entropy([value, 1 - value]) for count, value in zip(*p, strict=True))
    assert entropy == pytest.approx(45.534, abs=0.0005)
