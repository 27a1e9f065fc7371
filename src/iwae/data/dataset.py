"""What a data set is to this library: its entry in the registry, checks of its files, sources for them, a reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iwae.data.checks import Check
from iwae.errors import InputError
from iwae.study.registry import DATASETS, DatasetEntry, implementation

Source = Callable[[Path], Mapping[str, bytes]]
"""Returns the contents of a data set's files by name; it may use the empty temporary folder that it is given."""


@dataclass(frozen=True)
class Dataset:
    """A data set.

    Attributes:
        entry: Its title, folder and files.
        checks: How each of its files is known to be the right one, by the file's name.
        sources: Where the files can be downloaded, in the order in which they are tried; none if the user has them.
        read: Turns the verified contents of the files, by name, into the images (N, 784) ``uint8`` for training and
            held out for validation, in the order in which they are split, and the test images. Their pixels are v of
            0..255, P(1) = v / 255; those of binary images are 0 and 255.
    """

    entry: DatasetEntry
    checks: Mapping[str, Check]
    sources: Mapping[str, Source]
    read: Callable[[Mapping[str, bytes]], tuple[np.ndarray, np.ndarray]]

    def __post_init__(self) -> None:
        if {*self.checks} != {*self.entry.files}:
            raise InputError(
                f"{self.entry.title} checks {', '.join(self.checks) or 'none of its files'}: it must have a check of "
                f"{', '.join(self.entry.files)}, such as by_sha256(...)."
            )

    def contents(self, data: Path) -> dict[str, bytes]:
        """The verified contents of its files in the data folder `data`, by name.

        Raises:
            InputError: A file is missing, or is not the right one.
        """
        name = next(name for name, entry in DATASETS.items() if entry is self.entry)
        command = f"python -m iwae fetch --dataset {name} --output {data}"
        return {file: self._content(Path(data) / self.entry.folder / file, command) for file in self.entry.files}

    def _content(self, path: Path, command: str) -> bytes:
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = f"{path} cannot be read ({error.strerror}): fetch the data first, with `{command}`."
            raise InputError(reason) from error
        try:
            self.checks[path.name](content, str(path))
        except InputError as error:
            sentence = str(error).removesuffix(".")
            raise InputError(f"{sentence}; delete it and fetch it again, with `{command}`.") from error
        return content


def dataset_named(name: str) -> Dataset:
    """The data set called `name`; `InputError` where there is none."""
    if name not in DATASETS:
        raise InputError(f"data set {name!r} is unknown: use one of {', '.join(DATASETS)}.")
    return implementation(DATASETS[name].implementation)
