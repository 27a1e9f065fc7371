"""What the inactive units are worth: log p(x) of test images with them and without them (paper, section 5).

A removed unit keeps its place: given anything, q and p make it standard Gaussian noise, and no network reads it. Its
terms in log p(h) - log q(h|x) are then equal, and what is left are the log weights of a network without it. The units
that stay see the same noise in all models, so the differences of the estimates have a small error.

A unit that tells nothing of the image may still stand at a mean that is not 0, which the networks that read it use as
part of their biases: in the lower of two layers p follows it there. So units are also held at their means.
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
from iwae.models.architecture import Architecture
from iwae.models.networks import Parameters
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study import manifest
from iwae.study.measurements import ACTIVITY_COLUMNS, ChoppedSettings


class Chopped(NamedTuple):
    """Estimates of log p(x) of n test images from the same samples, in nats.

    Attributes:
        images: Indices of the images in the test set, (n,) ``int32``.
        whole: L_S with all units, (n,) ``float32``.
        chopped: L_S without the removed ones, (n,) ``float32``.
        held: L_S without them, their means left to what reads them, (n,) ``float32``.
    """

    images: np.ndarray
    whole: np.ndarray
    chopped: np.ndarray
    held: np.ndarray


def measure(
    model: TrainedModel,
    x: np.ndarray,
    images: np.ndarray,
    removed: Sequence[np.ndarray],
    means: Sequence[np.ndarray],
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
        means: The mean of every unit over the training images, likewise.
        settings: Reads ``samples`` and ``seed``.
        device: Where to compute.
        progress: Called with the number of images done since its last call; each is done three times.

    Raises:
        InputError: An image's log weights are not finite.
    """
    models = (model, _without(model, removed), _without(model, removed, means))
    found = (likelihood.evaluate(each, x, images, settings, "test", device, progress) for each in models)
    return Chopped(images.astype(np.int32), *(each.log_likelihood.astype(np.float32) for each in found))


def _without(model: TrainedModel, *arguments: Sequence[np.ndarray]) -> TrainedModel:
    return replace(model, parameters=without(model.architecture, model.parameters, *arguments))


def without(
    architecture: Architecture,
    parameters: Parameters,
    removed: Sequence[np.ndarray],
    means: Sequence[np.ndarray] | None = None,
) -> dict[str, Tensor]:
    """The parameters of a model of the same shape in which some units are noise that nothing reads.

    Args:
        architecture: The model's architecture.
        parameters: The model's parameters, which stay as they are.
        removed: Indices of the units to remove, layer by layer from h1 up.
        means: Values at which the units are held, (D,) for each layer: what a layer that reads them computes of these
            goes into its bias.
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
                if means is not None:
                    at = torch.from_numpy(means[architecture.variables.index(variable)][some])
                    weight = parameters[f"{layer}.weight"]
                    chopped[f"{layer}.bias"] = chopped[f"{layer}.bias"] + at.to(weight) @ weight[some]
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

    Which units are inactive is read from ``activity.csv``, by the estimate that the protocol names.

    Raises:
        InputError: The activity of these weights has not been measured, or a likelihood is not finite.
    """
    model, removed = subject.model, _inactive(subject)
    chosen = splits.evenly_spaced(settings.images, len(subject.test))
    # A mean over so many images needs no more than one sample of each.
    posteriors = activity.posterior_means(model, subject.train, 1, (settings.seed, "chopped/means"), subject.device)
    means = [layer.mean.mean(0).numpy() for layer in posteriors]
    with progress_bar(len(Chopped._fields[1:]) * len(chosen), f"{model.spec.name} chopped", "image") as bar:
        found = measure(model, subject.test[chosen], chosen, removed, means, settings, subject.device, bar.update)
    rows = [
        {"layer": number, "units": units, "removed": len(inactive)}
        for number, (units, inactive) in enumerate(zip(model.architecture.latents, removed, strict=True), start=1)
    ]
    subject.write_arrays("chopped.npz", found._asdict())
    subject.write_rows("chopped.csv", rows)


def _inactive(subject: Subject) -> list[np.ndarray]:
    """The inactive units of each layer by ``activity.csv``."""
    path = manifest.checked_file(subject.folder, "activity", "activity.csv")
    settings = manifest.read(subject.folder)["activity"]["settings"]
    if not manifest.is_current(subject.folder, "activity", settings):
        raise InputError(
            f"{path} was measured of other weights than those there: run `python -m iwae measure --model "
            f"{subject.folder} --sections activity` again."
        )
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    column, found = ACTIVITY_COLUMNS[subject.model.settings.protocol.activity], []
    for layer in range(1, subject.model.architecture.layers + 1):
        values = np.array([float(row[column]) for row in rows if int(row["layer"]) == layer])
        found.append(activity.inactive(values))
    return found
