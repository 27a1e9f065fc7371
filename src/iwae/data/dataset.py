"""What a data set is to this library: named files with known contents, sources for them, and a reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Source = Callable[[Path], dict[str, bytes]]
"""Returns the contents of a data set's files by name; it may use the empty temporary folder that it is given."""


@dataclass(frozen=True)
class Dataset:
    """A data set.

    Attributes:
        title: Its name in messages.
        sha256: SHA-256 of each of its files, by the file's name below ``data/<dataset>/``.
        sources: Where the files can be had without the user's help, in the order in which they are tried.
        from_folder: Reads the files from a folder that the user names, in whatever packing is usual.
        read: Reads the verified files in ``data/<dataset>/`` into the images (N, 784) ``uint8`` for training and held
            out for validation, in the order in which they are split, and the test images.
        train_images: How many images it has for training and validation together.
    """

    title: str
    sha256: Mapping[str, str]
    sources: Mapping[str, Source]
    from_folder: Source
    read: Callable[[Path], tuple[np.ndarray, np.ndarray]]
    train_images: int
