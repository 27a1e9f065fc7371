import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iwae.data import mnist as mnist_module
from iwae.data.idx import decode
from iwae.data.splits import evenly_spaced, load
from iwae.errors import InputError


@pytest.mark.parametrize("held_out", [0, 400])
def test_last_training_images_are_held_out(mnist, held_out):
    images = load("mnist", mnist, held_out)
    pool = decode((mnist / "mnist" / mnist_module.TRAIN).read_bytes(), "training images").reshape(-1, 784)
    np.testing.assert_array_equal(images.train, pool[: 60_000 - held_out])
    np.testing.assert_array_equal(images.validation, pool[60_000 - held_out :])
    assert images.validation.shape == (held_out, 784)
    assert images.test.shape == (10_000, 784)
    assert images.sha256 == mnist_module.SHA256


def test_training_images_are_the_first(mnist):
    images = load("mnist", mnist, 400, 123)
    everything = load("mnist", mnist, 400)
    np.testing.assert_array_equal(images.train, everything.train[:123])
    np.testing.assert_array_equal(images.validation, everything.validation)
    torch.from_numpy(images.train)  # writable memory, or torch would warn


@pytest.mark.parametrize(
    ("held_out", "train_images", "message"),
    [
        (400, 59_601, "train_images = 59601 is impossible: with 400 held out, MNIST has 59600"),
        (400, 0, "train_images = 0 is impossible"),
        (60_000, None, "held_out = 60000 is impossible: MNIST has 60000 images"),
        (-1, None, "held_out = -1 is impossible"),
    ],
)
def test_impossible_numbers_are_named(mnist, held_out, train_images, message):
    with pytest.raises(InputError, match=message):
        load("mnist", mnist, held_out, train_images)


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.full((5, 28, 28), 255, np.uint8), r"uint8 \(5, 28, 28\) of 255 to 255: images must be"),
        (np.full((5, 784), 0.5), r"float64 \(5, 784\) of 0.5 to 0.5: images must be"),
        (np.eye(5, 784, dtype=np.uint8), r"uint8 \(5, 784\) of 0 to 1: images must be"),
        (np.zeros((5, 784), np.uint8), "5 images to train on: its entry says 3."),
    ],
    ids=["squares", "fractions", "zeros and ones", "more than there are"],
)
def test_a_reader_that_gives_other_images_is_refused(enter, tmp_path, images, found):
    enter("toy", {"file": lambda content, name: None}, {}, lambda contents: (images, images))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "file").touch()
    with pytest.raises(InputError, match=f"Toy was read as {found}"):
        load("toy", tmp_path, 0)


def test_damaged_file_is_refused_on_reading(mnist, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / mnist_module.TEST).symlink_to(mnist / "mnist" / mnist_module.TEST)
    content = bytearray((mnist / "mnist" / mnist_module.TRAIN).read_bytes())
    content[-1] ^= 1
    (tmp_path / "mnist" / mnist_module.TRAIN).write_bytes(content)
    expected = f"{mnist_module.TRAIN} is not the published file.*ba891046.*; delete it and fetch it again"
    with pytest.raises(InputError, match=expected):
        load("mnist", tmp_path, 400)


def test_missing_data_says_what_to_do(tmp_path):
    command = f"python -m iwae fetch --dataset omniglot --output {tmp_path}"
    with pytest.raises(InputError, match=f"fetch the data first, with `{command}`.$"):
        load("omniglot", tmp_path, 400)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_indices_are_spread_evenly(n, total):
    n, total = sorted((n, total))
    chosen = evenly_spaced(n, total)
    assert chosen.dtype == np.int64
    assert len(chosen) == n
    assert chosen[0] == 0
    gaps = np.diff(np.append(chosen, total))
    assert set(gaps) <= {total // n, -(-total // n)}


def test_all_where_there_are_no_more():
    for most in (7, 8):
        np.testing.assert_array_equal(evenly_spaced(most, 7), np.arange(7))
