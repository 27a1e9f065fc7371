"""Training, validation and test images of a data set, and evenly spaced choices among them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iwae.data.checks import sha256
from iwae.data.dataset import dataset_named
from iwae.errors import InputError


@dataclass(frozen=True)
class Images:
    """The images of a data set as they are split, rows of 784 pixels 0..255.

    Attributes:
        train: (N, 784) ``uint8``, in the data set's order.
        validation: (held_out, 784) ``uint8``, perhaps none.
        test: (n, 784) ``uint8``.
        sha256: SHA-256 of each file that was read, by the file's name.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    sha256: dict[str, str]


def load(dataset: str, data: Path, held_out: int | None, train_images: int | None = None) -> Images:
    """Read and split `dataset` from the data folder, its files verified.

    The last `held_out` of the images that are not for testing are the validation images, as in the authors' code; the
    first `train_images` of the rest are the training images.

    Args:
        dataset: The data set's name.
        data: The data folder, with the files in the data set's folder below it.
        held_out: Number of validation images, 0 or more; None for as many as the authors' code keeps.
        train_images: Number of training images, None for all that are not held out.

    Raises:
        InputError: The files are missing or damaged, hold fewer images than asked for, or are read as something else
            than the data set's entry says.
    """
    known = dataset_named(dataset)
    contents, title = known.contents(data), known.entry.title
    pool, test = known.read(contents)
    for images in (pool, test):
        if images.dtype != np.uint8 or images.shape[1:] != (784,) or images.max(initial=0) == 1:
            raise InputError(
                f"{title} was read as {images.dtype} {images.shape} of {images.min()} to {images.max()}: images must "
                "be uint8 (n, 784) of 0 to 255, zeros and ones as 0 and 255."
            )
    if len(pool) != known.entry.images:
        raise InputError(f"{title} was read as {len(pool)} images to train on: its entry says {known.entry.images}.")
    held_out = known.entry.held_out if held_out is None else held_out
    if not 0 <= held_out < len(pool):
        raise InputError(f"held_out = {held_out} is impossible: {title} has {len(pool)} images to train on.")
    left = len(pool) - held_out
    used = left if train_images is None else train_images
    if not 1 <= used <= left:
        raise InputError(f"train_images = {used} is impossible: with {held_out} held out, {title} has {left}.")
    hashes = {file: sha256(content) for file, content in contents.items()}
    return Images(pool[:used], pool[left:], test, hashes)


def evenly_spaced(most: int, total: int) -> np.ndarray:
    """Indices (n,) ``int64`` of `most` images, or of all that there are, evenly over `total`, each once, ascending."""
    n = min(most, total)
    return np.arange(n, dtype=np.int64) * total // n
