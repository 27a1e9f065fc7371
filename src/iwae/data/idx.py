"""The IDX format of MNIST's image files, uncompressed: four big-endian 32-bit words, then one byte a pixel.

The words are 2051 (the magic number of three-dimensional unsigned bytes), the number of images, of rows and of columns.
"""

import struct

import numpy as np

from iwae.errors import InputError

_MAGIC = 0x00000803
_HEADER = struct.Struct(">4I")


def encode(images: np.ndarray) -> bytes:
    """The IDX file that holds `images` (n, rows, columns) ``uint8``."""
    if images.dtype != np.uint8 or images.ndim != 3:
        raise InputError(f"IDX images must be uint8 (n, rows, columns), not {images.dtype} {images.shape}.")
    return _HEADER.pack(_MAGIC, *images.shape) + images.tobytes()


def decode(content: bytes, name: str) -> np.ndarray:
    """The images (n, rows, columns) ``uint8`` in an IDX file.

    Args:
        content: The whole file.
        name: What messages call it.

    Raises:
        InputError: It is not an IDX file of images, or has bytes too few or too many.
    """
    if len(content) < _HEADER.size:
        raise InputError(f"{name} is not an IDX file of images: it has {len(content)} bytes, fewer than a header.")
    magic, *shape = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        raise InputError(f"{name} is not an IDX file of images: its magic number is {magic}, it must be {_MAGIC}.")
    expected = _HEADER.size + shape[0] * shape[1] * shape[2]
    if len(content) != expected:
        raise InputError(f"{name} is damaged: it has {len(content)} bytes, its header promises {expected}.")
    # A copy, because arrays over `bytes` are read-only and torch warns of sharing their memory.
    return np.frombuffer(content, np.uint8, offset=_HEADER.size).reshape(shape).copy()
