"""A trained model with the binary images that it is measured on.

Images are binarized once and as a whole: an image has the same bits whichever subset is measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iwae import device as devices
from iwae.data import splits
from iwae.data.binarization import binarize
from iwae.errors import InputError
from iwae.files import atomic_path, write_rows
from iwae.models import store

ROWS = {"cpu": 1000, "cuda": 40_000}  # draws in one pass through the decoder: 1000 fit a core's caches


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        folder: The model's folder.
        model: The model, on `device`.
        train: The binary images it was trained on, (N, 784) ``uint8``.
        test: The binary test images, (n, 784) ``uint8``.
        images: The same images before they are binarized.
        device: Where to compute.
        provenance: Hashes of the data, and the machine, as manifests keep them.
    """

    folder: Path
    model: store.TrainedModel
    train: np.ndarray
    test: np.ndarray
    images: splits.Images
    device: torch.device
    provenance: dict[str, object]

    @classmethod
    def open(cls, folder: Path, data: Path, device: str = "auto", threads: int = 1) -> "Subject":
        """Read the model in `folder` and its data, and set up the device.

        Args:
            folder: The model's folder.
            data: The data folder.
            device: ``auto``, ``cpu`` or ``cuda``.
            threads: CPU threads.

        Raises:
            InputError: A file is missing or damaged, or the device is not there.
        """
        place = devices.choose_device(device)
        devices.configure(place, threads)
        devices.use_matmul(devices.fastest_matmul(place, ROWS[place.type]))
        model = store.load(folder, place)
        protocol = model.settings.protocol
        images = splits.load(model.spec.dataset, data, protocol.held_out, model.settings.train_images)
        # A model that saw one binarization of its training images is measured on that one.
        once = protocol.binarization == "once"
        train = binarize(images.train, model.settings.study_seed if once else protocol.test_binarization_seed + 1)
        test = binarize(images.test, protocol.test_binarization_seed)
        provenance = {"data_sha256": images.sha256, **devices.describe(place, threads)}
        return cls(Path(folder), model, train, test, images, place, provenance)

    def write_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows to a CSV file of the model's folder.

        Raises:
            InputError: A number among them is not finite, or is a tensor or an array; the file stays what it was.
        """
        for column, value in (entry for row in rows for entry in row.items()):
            if isinstance(value, torch.Tensor | np.ndarray):
                raise InputError(f"{name} has a {type(value).__name__} in its column {column}: write its .item().")
            if isinstance(value, float | np.floating) and not math.isfinite(value):
                raise InputError(
                    f"{name.removesuffix('.csv')} of {self.model.spec.name} has values that are not finite: the "
                    "weights are unusable or an optimisation did not converge; train it again or measure it with "
                    "other settings."
                )
        write_rows(self.folder / name, rows)

    def write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write arrays to a file of the model's folder; equal arrays give equal bytes, since no times are stamped."""
        # As a stream: numpy would append .npz to a temporary name.
        with atomic_path(self.folder / name) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
