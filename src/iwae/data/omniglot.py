"""OMNIGLOT as the authors published it: characters of 28 x 28 grey pixels in one MATLAB file.

The file cannot be rebuilt from the raw drawings of Omniglot, so it must be theirs: it is known by the name that git has
for it in their repository, and nothing reads it before that is verified.
"""

import io
import logging
from collections.abc import Mapping

import numpy as np

from iwae.data.checks import by_git_blob
from iwae.data.dataset import Dataset
from iwae.data.download import from_web
from iwae.errors import InputError
from iwae.study.registry import DATASETS

(FILE,) = DATASETS["omniglot"].files
# Images of each array in the file, which holds one a column.
IMAGES = {"data": DATASETS["omniglot"].images, "testdata": 8_070}

_BLOB = "016a3536ffe5e1d38e42563a18d7a78bfaf643ec"
_ADDRESS = "https://raw.githubusercontent.com/yburda/iwae/master/datasets/OMNIGLOT"
_LONGEST = 2**28  # bytes: more than all of its numbers take uncompressed
_SIDE = 28  # pixels
_ORDER_SEED = 123  # of the one permutation of the training images (authors' code, class DatasetTheano)
_MOST_ROUNDING = 1e-3  # of a probability, without a warning; values in steps of 1/255 have none

_log = logging.getLogger(__name__)


def read(contents: Mapping[str, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The 24,345 training images, permuted as the authors do, and the 8,070 test images, (n, 784) ``uint8``.

    Raises:
        InputError: The file does not hold what it should.
    """
    arrays = _arrays(contents[FILE])
    train, test = (_images(arrays, key) for key in IMAGES)
    return train[np.random.RandomState(_ORDER_SEED).permutation(len(train))], test


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    try:
        # Imported here because only this reader needs it, and machines that train may not have it.
        from scipy.io import loadmat
    except ImportError as error:
        raise InputError(f"{FILE} is a MATLAB file, which scipy reads: install scipy to use OMNIGLOT.") from error
    return loadmat(io.BytesIO(content), variable_names=list(IMAGES))


def _images(arrays: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    """The images (n, 784) ``uint8`` of the array `key` (784, n), whose columns are images stored column by column."""
    if key not in arrays:
        raise InputError(f"{FILE} holds no array {key!r}.")
    values, shape = arrays[key], (_SIDE * _SIDE, IMAGES[key])
    if values.shape != shape:
        raise InputError(f"{FILE}: the array {key!r} has the shape {values.shape}, it must have {shape}.")
    columns = _bytes(values, key).T.reshape(-1, _SIDE, _SIDE)  # (image, column, row)
    return columns.transpose(0, 2, 1).reshape(-1, _SIDE * _SIDE)


def _bytes(values: np.ndarray, key: str) -> np.ndarray:
    """Real values p of 0..1 as ``uint8`` v of the same shape, v / 255 the nearest to p."""
    lowest, highest = values.min(), values.max()
    if not 0 <= lowest <= highest <= 1:  # NaN is not either
        raise InputError(f"{FILE}: the array {key!r} has values from {lowest} to {highest}, they must be in [0, 1].")
    rounded = np.rint(255 * values)
    rounding = float(np.abs(rounded / 255 - values).max())
    if rounding > _MOST_ROUNDING:
        _log.warning("%s: the array %r was rounded to steps of 1/255, by up to %.2g", FILE, key, rounding)
    return rounded.astype(np.uint8)


OMNIGLOT = Dataset(
    DATASETS["omniglot"],
    checks={FILE: by_git_blob(_BLOB)},
    sources={"the authors' repository": from_web(_ADDRESS, [FILE], _LONGEST)},
    read=read,
)
