import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iwae.data import idx
from iwae.errors import InputError

IMAGES = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)


@given(arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(1, 6), st.integers(1, 6))))
def test_round_trip(images):
    np.testing.assert_array_equal(idx.decode(idx.encode(images), "x"), images)


def test_header_is_that_of_the_format():
    assert idx.encode(IMAGES)[:16] == bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 7])


def test_file_round_trip_gives_writable_rows(tmp_path):
    path = tmp_path / "deep" / "images"
    idx.write_images(path, IMAGES)
    rows = idx.read_images(path, hashlib.sha256(idx.encode(IMAGES)).hexdigest())
    np.testing.assert_array_equal(rows, IMAGES.reshape(3, 35))
    assert rows.flags.writeable
    assert [file.name for file in path.parent.iterdir()] == ["images"]


@pytest.mark.parametrize("cut", [0, 15, 16, 16 + 3 * 35 - 1])
def test_truncated_file_is_refused(tmp_path, cut):
    path = tmp_path / "images"
    path.write_bytes(idx.encode(IMAGES)[:cut])
    with pytest.raises(InputError, match=rf"{path} .*it has {cut} bytes"):
        idx.read_images(path)


def test_bytes_too_many_are_refused():
    with pytest.raises(InputError, match="it has 122 bytes, its header promises 121"):
        idx.decode(idx.encode(IMAGES) + b"!", "x")


def test_other_magic_number_is_refused():
    with pytest.raises(InputError, match="its magic number is 2049, it must be 2051"):
        idx.decode(b"\0\0\x08\x01" + idx.encode(IMAGES)[4:], "labels")


def test_wrong_hash_is_refused_with_both_hashes(tmp_path):
    path = tmp_path / "images"
    idx.write_images(path, IMAGES)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InputError, match=f"{path} .*{found}.*{'0' * 64}"):
        idx.read_images(path, "0" * 64)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path / 'nothing'} cannot be read"):
        idx.read_images(tmp_path / "nothing")


@pytest.mark.parametrize("images", [IMAGES.astype(float), IMAGES.reshape(3, 35)])
def test_only_stacks_of_bytes_are_written(images):
    with pytest.raises(InputError, match="must be uint8"):
        idx.encode(images)
