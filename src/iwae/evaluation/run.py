"""The verbs that measure a trained model: each writes its results to the model's folder and says so in the manifest.

Images are binarized once and as a whole: an image has the same bits whichever subset is measured.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from iwae import device as devices
from iwae import manifest
from iwae.data import splits
from iwae.data.binarization import binarize
from iwae.evaluation import activity as activities
from iwae.evaluation import likelihood as likelihoods
from iwae.evaluation import pictures as drawings
from iwae.evaluation import surgery as surgeries
from iwae.files import atomic_path, write_rows
from iwae.models import store
from iwae.progress import progress_bar
from iwae.settings import ActivitySettings, LikelihoodSettings, PicturesSettings, Settings, SurgerySettings


def likelihood(folder: Path, data: Path, settings: LikelihoodSettings, device: str = "auto", threads: int = 1) -> None:
    """Estimate log p(x) of test and training images: ``likelihood.npz`` and ``likelihood.csv``.

    Args:
        folder: The model's folder.
        data: The data folder.
        settings: What to compute.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads.

    Raises:
        InputError: A file is missing or damaged, or the model gives a likelihood that is not finite.
    """
    run = _Run.start(folder, data, device, threads)
    arrays: dict[str, np.ndarray] = {}
    rows: list[dict[str, object]] = []
    for split, x, wanted in (("test", run.test, settings.test_images), ("train", run.train, settings.train_images)):
        chosen = splits.evenly_spaced(min(wanted, len(x)), len(x))
        with progress_bar(len(chosen), f"{run.model.spec.name} likelihood, {split}", "image") as bar:
            found = likelihoods.evaluate(run.model, x[chosen], chosen, settings, split, run.device, bar.update)
        arrays[split] = found.log_likelihood.astype(np.float32)
        arrays[f"{split}_images"] = found.images
        arrays[f"{split}_ess"] = found.ess.astype(np.float32)
        rows += found.curve(split)
    _write_arrays(folder / "likelihood.npz", arrays)
    write_rows(folder / "likelihood.csv", rows)
    run.finish("likelihood", settings, ["likelihood.npz", "likelihood.csv"])


def activity(folder: Path, data: Path, settings: ActivitySettings, device: str = "auto", threads: int = 1) -> None:
    """Measure the activity A_u of every latent unit over the training images: ``activity.csv``.

    Arguments and errors as for `likelihood`.
    """
    run = _Run.start(folder, data, device, threads)
    with progress_bar(len(run.train), f"{run.model.spec.name} activity", "image") as bar:
        layers = activities.measure(run.model, run.train, settings, run.device, bar.update)
    rows = [
        {"layer": number, "unit": unit, "activity": float(defined), "activity_authors": float(authors)}
        for number, layer in enumerate(layers, start=1)
        for unit, (defined, authors) in enumerate(zip(*layer, strict=True))
    ]
    write_rows(folder / "activity.csv", rows)
    run.finish("activity", settings, ["activity.csv"])


def surgery(folder: Path, data: Path, settings: SurgerySettings, device: str = "auto", threads: int = 1) -> None:
    """Compute the terms of the ELBO surgery on the training images: ``surgery.csv``.

    Arguments and errors as for `likelihood`.
    """
    run = _Run.start(folder, data, device, threads)
    sizes = surgeries.sizes_of(settings, len(run.train))
    draws = sum(min(size, settings.samples) for size in sizes)
    with progress_bar(draws, f"{run.model.spec.name} surgery", "draw") as bar:
        rows = surgeries.measure(run.model, run.train, settings, run.device, bar.update)
    write_rows(folder / "surgery.csv", rows)
    run.finish("surgery", settings, ["surgery.csv"])


def pictures(folder: Path, data: Path, settings: PicturesSettings, device: str = "auto", threads: int = 1) -> None:
    """Draw samples and reconstructions: ``pictures.npz``.

    Arguments and errors as for `likelihood`.
    """
    run = _Run.start(folder, data, device, threads)
    drawn = drawings.draw(run.model, run.test, settings, run.device)
    _write_arrays(folder / "pictures.npz", drawn._asdict())
    run.finish("pictures", settings, ["pictures.npz"])


@dataclass(frozen=True)
class _Run:
    """A verb at work: the model, the binary images, and what its manifest will say.

    Attributes:
        folder: The model's folder.
        model: The model, on `device`.
        train: The binary images it was trained on, (N, 784) ``uint8``.
        test: The binary test images, (n, 784) ``uint8``.
        device: Where to compute.
        provenance: What is known at the start of where the results come from.
        clock: `time.monotonic` at the start.
    """

    folder: Path
    model: store.TrainedModel
    train: np.ndarray
    test: np.ndarray
    device: torch.device
    provenance: dict[str, object]
    clock: float

    @classmethod
    def start(cls, folder: Path, data: Path, device: str, threads: int) -> "_Run":
        clock, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
        place = devices.choose_device(device)
        devices.configure(place, threads)
        devices.use_products(devices.fastest_products(place, likelihoods.ROWS[place.type]))
        model = store.load(folder, place)
        protocol = model.settings.protocol
        images = splits.load(model.spec.dataset, data, protocol.held_out, model.settings.train_images)
        # A model that saw one binarization of its training images is measured on that one.
        once = protocol.binarization == "once"
        train = binarize(images.train, model.settings.study_seed if once else protocol.test_binarization_seed + 1)
        test = binarize(images.test, protocol.test_binarization_seed)
        provenance = {"started": started, "data_sha256": images.sha256, **devices.describe(place, threads)}
        return cls(folder, model, train, test, place, provenance, clock)

    def finish(self, section: str, settings: Settings, files: list[str]) -> None:
        """Enter the files, already written, in the manifest."""
        seconds = {"wall_seconds": round(time.monotonic() - self.clock, 1)}
        provenance = self.provenance | seconds | manifest.code_provenance()
        manifest.record(self.folder, self.model.spec, section, settings.as_dict(), files, provenance)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # As a stream: numpy would append .npz to a temporary name. It stamps no times, so equal arrays give equal bytes.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
