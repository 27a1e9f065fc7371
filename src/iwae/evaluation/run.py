"""The verbs that measure a trained model: each writes its results to the model's folder and says so in the manifest.

Images are binarized once and as a whole: an image has the same bits whichever subset is measured.
"""

import csv
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iwae import device as devices
from iwae.data import splits
from iwae.data.binarization import binarize
from iwae.errors import InputError
from iwae.evaluation import activity as activities
from iwae.evaluation import chopped as choppings
from iwae.evaluation import likelihood as likelihoods
from iwae.evaluation import pictures as drawings
from iwae.evaluation import posterior as posteriors
from iwae.evaluation import surgery as surgeries
from iwae.files import atomic_path, write_rows
from iwae.models import store
from iwae.progress import progress_bar
from iwae.study import manifest
from iwae.study.settings import ActivitySettings, ChoppedSettings, LikelihoodSettings, PicturesSettings, SurgerySettings


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
    run = Measurement.start(folder, data, device, threads)
    arrays: dict[str, np.ndarray] = {}
    rows: list[dict[str, object]] = []
    for split, x, wanted in (("test", run.test, settings.test_images), ("train", run.train, settings.train_images)):
        chosen = splits.evenly_spaced(min(wanted, len(x)), len(x))
        with progress_bar(len(chosen), f"{run.model.spec.name} likelihood, {split}", "image") as bar:
            found = likelihoods.evaluate(run.model, x[chosen], chosen, settings, split, run.device, bar.update)
        arrays[split] = found.log_likelihood.astype(np.float32)
        arrays[f"{split}_images"] = found.images
        arrays[f"{split}_ess"] = found.estimates.ess.astype(np.float32)
        rows += found.curve(split)
    _write_arrays(folder / "likelihood.npz", arrays)
    write_rows(folder / "likelihood.csv", rows)
    run.finish("likelihood", settings.as_dict(), ["likelihood.npz", "likelihood.csv"])


def activity(folder: Path, data: Path, settings: ActivitySettings, device: str = "auto", threads: int = 1) -> None:
    """Measure the activity A_u of every latent unit over the training images: ``activity.csv``.

    Arguments and errors as for `likelihood`.
    """
    run = Measurement.start(folder, data, device, threads)
    with progress_bar(len(run.train), f"{run.model.spec.name} activity", "image") as bar:
        layers = activities.measure(run.model, run.train, settings, run.device, bar.update)
    rows = [
        {"layer": number, "unit": unit, "activity": float(defined), "activity_authors": float(authors)}
        for number, layer in enumerate(layers, start=1)
        for unit, (defined, authors) in enumerate(zip(*layer, strict=True))
    ]
    write_rows(folder / "activity.csv", rows)
    run.finish("activity", settings.as_dict(), ["activity.csv"])


def chopped(folder: Path, data: Path, settings: ChoppedSettings, device: str = "auto", threads: int = 1) -> None:
    """Estimate log p(x) of test images with and without the inactive units: ``chopped.npz`` and ``chopped.csv``.

    Which units are inactive is read from ``activity.csv``, in the variant that the protocol names. Arguments and errors
    as for `likelihood`; the activity must have been measured.
    """
    run = Measurement.start(folder, data, device, threads)
    removed, measured = _inactive(folder, run.model)
    chosen = splits.evenly_spaced(min(settings.images, len(run.test)), len(run.test))
    with progress_bar(2 * len(chosen), f"{run.model.spec.name} chopped", "image") as bar:
        found = choppings.measure(run.model, run.test[chosen], chosen, removed, settings, run.device, bar.update)
    rows = [
        {"layer": number, "units": units, "removed": len(inactive)}
        for number, (units, inactive) in enumerate(zip(run.model.architecture.latents, removed, strict=True), start=1)
    ]
    _write_arrays(folder / "chopped.npz", found._asdict())
    write_rows(folder / "chopped.csv", rows)
    run.finish("chopped", settings.as_dict() | {"activity": measured}, ["chopped.npz", "chopped.csv"])


def surgery(folder: Path, data: Path, settings: SurgerySettings, device: str = "auto", threads: int = 1) -> None:
    """Compute the terms of the ELBO surgery on the training images: ``surgery.csv``.

    Arguments and errors as for `likelihood`.
    """
    run = Measurement.start(folder, data, device, threads)
    sizes = surgeries.sizes_of(settings, len(run.train))
    draws = sum(min(size, settings.samples) for size in sizes)
    with progress_bar(draws, f"{run.model.spec.name} surgery", "draw") as bar:
        rows = surgeries.measure(run.model, run.train, settings, run.device, bar.update)
    write_rows(folder / "surgery.csv", rows)
    run.finish("surgery", settings.as_dict(), ["surgery.csv"])


def pictures(folder: Path, data: Path, settings: PicturesSettings, device: str = "auto", threads: int = 1) -> None:
    """Draw samples and reconstructions, and posteriors where h1 has two units and nothing above: ``pictures.npz``.

    Arguments and errors as for `likelihood`.
    """
    run = Measurement.start(folder, data, device, threads)
    arrays = drawings.draw(run.model, run.test, settings, run.device)._asdict()
    if run.model.architecture.latents == (2,):
        first = run.train[: settings.posterior_images]
        drawn = posteriors.draw(run.model, first, settings.posterior_points, run.device)
        arrays |= {f"posterior_{name}": array for name, array in drawn._asdict().items()}
    _write_arrays(folder / "pictures.npz", arrays)
    run.finish("pictures", settings.as_dict(), ["pictures.npz"])


@dataclass(frozen=True)
class Measurement:
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
    def start(cls, folder: Path, data: Path, device: str, threads: int) -> "Measurement":
        """Read the model in `folder` and its data, and set up the device; arguments and errors as for `likelihood`."""
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

    def finish(self, section: str, settings: dict[str, Any], files: list[str]) -> None:
        """Enter the files, already written, in the manifest, with the settings that determine them."""
        seconds = {"wall_seconds": round(time.monotonic() - self.clock, 1)}
        provenance = self.provenance | seconds | manifest.code_provenance()
        manifest.record(self.folder, self.model.spec, section, settings, files, provenance)


def _inactive(folder: Path, model: store.TrainedModel) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The inactive units of each layer by ``activity.csv``, and the settings it was measured under."""
    path = manifest.checked_file(folder, "activity", "activity.csv")
    settings = manifest.read(folder)["activity"]["settings"]
    if not manifest.is_current(folder, "activity", settings):
        raise InputError(f"{path} was measured of other weights than those there: run the step 'activity' again.")
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    column, found = activities.COLUMNS[model.settings.protocol.activity], []
    for layer in range(1, model.architecture.layers + 1):
        activity = np.array([float(row[column]) for row in rows if int(row["layer"]) == layer])
        found.append(activities.inactive(activity))
    return found, settings


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # As a stream: numpy would append .npz to a temporary name. It stamps no times, so equal arrays give equal bytes.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
