"""What the inactive units are worth: log p(x) of test images with them and without them (paper, section 5).

A removed unit keeps its place: given anything, q and p make it standard Gaussian noise, and no network reads it. Its
terms in log p(h) - log q(h|x) are then equal, and what is left are the log weights of a network without it. The units
that stay see the same noise in both models, so the difference of the two estimates has a small error.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.data import splits
from iwae.errors import InputError
from iwae.evaluation import activity, likelihood
from iwae.evaluation.subject import Subject
from iwae.files import write_rows
from iwae.models.architecture import Architecture
from iwae.models.networks import Parameters
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study import manifest
from iwae.study.measurements import ChoppedSettings


class Chopped(NamedTuple):
    """Estimates of log p(x) of n test images from the same samples, in nats.

    Attributes:
        images: Indices of the images in the test set, (n,) ``int32``.
        whole: L_S with all units, (n,) ``float32``.
        chopped: L_S without the removed ones, (n,) ``float32``.
    """

    images: np.ndarray
    whole: np.ndarray
    chopped: np.ndarray


def measure(
    model: TrainedModel,
    x: np.ndarray,
    images: np.ndarray,
    removed: Sequence[np.ndarray],
    settings: ChoppedSettings,
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> Chopped:
    """Estimate log p(x) of test images with all units and without some.

    The draws are those of `likelihood.evaluate`, so with its samples and seed `whole` is what it finds.

    Args:
        model: The model, on `device`.
        x: Binary test images, (n, 784) ``uint8``.
        images: Their indices in the test set, (n,).
        removed: Indices of the units to remove, layer by layer from h1 up.
        settings: Reads ``samples`` and ``seed``.
        device: Where to compute.
        progress: Called with the number of images done since its last call; each is done twice.

    Raises:
        InputError: An image's log weights are not finite.
    """
    models = (model, replace(model, parameters=without(model.architecture, model.parameters, removed)))
    whole, chopped = (
        likelihood.evaluate(each, x, images, settings, "test", device, progress).log_likelihood for each in models
    )
    return Chopped(images.astype(np.int32), whole.astype(np.float32), chopped.astype(np.float32))


def without(architecture: Architecture, parameters: Parameters, removed: Sequence[np.ndarray]) -> dict[str, Tensor]:
    """The parameters of a model of the same shape in which some units are noise that nothing reads.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters, which stay as they are.
        removed: Indices of the units to remove, layer by layer from h1 up.
    """
    chopped = dict(parameters)
    units = {name: some for name, some in zip(architecture.variables, removed, strict=True) if len(some)}
    for network in architecture.networks:
        # Zero heads predict mean 0 and log-deviation 0, whichever scale the second head has.
        for head in network.heads if network.drawn in units else ():
            _clear(chopped, f"{head}.weight", -1, units[network.drawn])
            _clear(chopped, f"{head}.bias", -1, units[network.drawn])
        for variable, some in units.items():
            for layer in network.readers(variable):
                _clear(chopped, f"{layer}.weight", 0, some)
    for name in architecture.prior.unit_parameters if len(removed[-1]) else ():
        _clear(chopped, name, -1, removed[-1])
    return chopped


def _clear(parameters: dict[str, Tensor], name: str, axis: int, units: np.ndarray) -> None:
    """Put a copy with zeros at `units` in the place of a parameter."""
    index = torch.from_numpy(units).to(parameters[name].device)
    parameters[name] = parameters[name].index_fill(axis, index, 0)


def write(subject: Subject, settings: ChoppedSettings) -> None:
    """Estimate log p(x) of test images with and without the inactive units: ``chopped.npz`` and ``chopped.csv``.

    Which units are inactive is read from ``activity.csv``, in the variant that the protocol names.

    Raises:
        InputError: The activity of these weights has not been measured, or a likelihood is not finite.
    """
    model, removed = subject.model, _inactive(subject)
    chosen = splits.evenly_spaced(min(settings.images, len(subject.test)), len(subject.test))
    with progress_bar(2 * len(chosen), f"{model.spec.name} chopped", "image") as bar:
        found = measure(model, subject.test[chosen], chosen, removed, settings, subject.device, bar.update)
    rows = [
        {"layer": number, "units": units, "removed": len(inactive)}
        for number, (units, inactive) in enumerate(zip(model.architecture.latents, removed, strict=True), start=1)
    ]
    subject.write_arrays("chopped.npz", found._asdict())
    write_rows(subject.folder / "chopped.csv", rows)


def _inactive(subject: Subject) -> list[np.ndarray]:
    """The inactive units of each layer by ``activity.csv``."""
    path = manifest.checked_file(subject.folder, "activity", "activity.csv")
    settings = manifest.read(subject.folder)["activity"]["settings"]
    if not manifest.is_current(subject.folder, "activity", settings):
        raise InputError(f"{path} was measured of other weights than those there: run the step 'activity' again.")
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    column, found = activity.COLUMNS[subject.model.settings.protocol.activity], []
    for layer in range(1, subject.model.architecture.layers + 1):
        values = np.array([float(row[column]) for row in rows if int(row["layer"]) == layer])
        found.append(activity.inactive(values))
    return found
