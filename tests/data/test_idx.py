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


@pytest.mark.parametrize("size", [0, 15, 16, 120, 122])
def test_a_file_of_another_length_is_refused(size):
    with pytest.raises(InputError, match=rf"images .*it has {size} bytes, .* (header|promises 121)\.$"):
        idx.decode((idx.encode(IMAGES) + b"!")[:size], "images")


def test_other_magic_number_is_refused():
    with pytest.raises(InputError, match="its magic number is 2049, it must be 2051"):
        idx.decode(b"\0\0\x08\x01" + idx.encode(IMAGES)[4:], "labels")


@pytest.mark.parametrize("images", [IMAGES.astype(float), IMAGES.reshape(3, 35)])
def test_only_stacks_of_bytes_are_written(images):
    with pytest.raises(InputError, match="must be uint8"):
        idx.encode(images)
