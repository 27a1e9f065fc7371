"""Trained models on disk: reading a model's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from iwae.errors import InputError
from iwae.models.architecture import Architecture
from iwae.study import manifest
from iwae.study.protocol import Protocol
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec


@dataclass(frozen=True)
class TrainedModel:
    """A trained model as read from its folder.

    Attributes:
        spec: Which model it is.
        settings: What it was trained with.
        architecture: Its architecture.
        parameters: Its parameters by name, float32.
    """

    spec: ModelSpec
    settings: TrainingSettings
    architecture: Architecture
    parameters: dict[str, Tensor]


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
    settings = _settings(content, Path(folder) / manifest.NAME)
    architecture = Architecture.of(spec, settings.protocol)
    found = {name: tuple(tensor.shape) for name, tensor in parameters.items() if tensor.dtype == torch.float32}
    if found != architecture.parameter_shapes:
        wrong = sorted(set(found.items()) ^ set(architecture.parameter_shapes.items()))[0][0]
        raise InputError(f"{path} is not a model with {spec.layers} stochastic layers: its tensor {wrong} is amiss.")
    return TrainedModel(spec, settings, architecture, parameters)


def _settings(content: dict[str, Any], path: Path) -> TrainingSettings:
    try:
        recorded = content["training"]["settings"]
        return TrainingSettings(**{**recorded, "protocol": Protocol(**recorded["protocol"])})
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} does not describe a training that this version knows ({error!r}).") from error
