"""Trained models on disk: reading a model's folder."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from iwae.errors import InputError
from iwae.models.architecture import Architecture
from iwae.models.model import Model
from iwae.study import manifest
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec


@dataclass(frozen=True)
class TrainedModel(Model):
    """A trained model as read from its folder, its parameters in float32.

    Attributes:
        spec: Which model it is.
        settings: What it was trained with.
    """

    spec: ModelSpec
    settings: TrainingSettings


def load(folder: Path, device: torch.device | str = "cpu") -> TrainedModel:
    """The model in `folder`, its weights compared with the manifest's SHA-256 and the architecture's shapes.

    Raises:
        InputError: A file is missing, damaged, or not the one its manifest describes.
    """
    content = manifest.read(folder)
    path = manifest.checked_file(folder, "training", manifest.WEIGHTS)
    try:
        parameters = load_file(path, device=str(device))
    except SafetensorError as error:
        raise InputError(f"{path} is not a file of tensors ({error}): restore it or train the model again.") from error
    spec = ModelSpec(**content["model"])
    try:
        settings = TrainingSettings.of_dict(content["training"]["settings"])
    except (KeyError, TypeError, InputError) as error:
        known = Path(folder) / manifest.NAME
        raise InputError(f"{known} does not describe a training that this version knows ({error!r}).") from error
    architecture = Architecture.of(spec, settings.protocol)
    found = {name: tuple(tensor.shape) for name, tensor in parameters.items() if tensor.dtype == torch.float32}
    if found != architecture.parameter_shapes:
        needed = architecture.parameter_shapes
        wrong = sorted(set(found.items()) ^ set(needed.items()))[0][0]
        raise InputError(
            f"{path} is not {spec.name}: as float32 its tensor {wrong} has the shape {found.get(wrong)}, needed is "
            f"{needed.get(wrong)}."
        )
    return TrainedModel(architecture, parameters, spec, settings)
