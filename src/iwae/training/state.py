"""The state of one model in training, and its file: all that is needed to go on with the same bits."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from iwae.errors import InputError
from iwae.files import atomic_path
from iwae.models.architecture import Architecture
from iwae.models.initialization import initialize
from iwae.study.protocol import Protocol
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training.adam import initial_second_moment

_GROUPS = ("parameters", "first", "second")
# The other fields, with their names in the file: one was renamed since.
_SAME = ("updates", "steps", "bound_sum", "seconds", "pass_seconds", "curve", "moves", "weights")
_SCALARS = {name: name for name in _SAME} | {"matmul_backend": "products"}


@dataclass
class ModelState:
    """One model in training, at the boundary of a block of updates.

    Attributes:
        parameters: Parameters by name.
        first: First moments by parameter.
        second: Second moments by parameter.
        generator: State of the generator of its draws, uint8, on the CPU.
        device: The kind of device whose generator that is, ``cpu`` or ``cuda``.
        updates: Updates made so far.
        steps: Adam's steps before them, made by the model that this one was continued from.
        bound_sum: Sum of the minibatches' bounds since the pass began, in nats.
        matmul_backend: How the CPU multiplies matrices (`iwae.device.fastest_matmul`): another way rounds otherwise.
        seconds: Wall time of training so far.
        pass_seconds: The part of it since the pass began.
        curve: Rows of the learning curve, one a pass.
        moves: Where it went on on another kind of device: the updates before that, and the kind that had made them.
        weights: SHA-256 of the file of weights that has the parameters in its place; empty where they are here.
    """

    parameters: dict[str, Tensor]
    first: dict[str, Tensor]
    second: dict[str, Tensor]
    generator: Tensor
    device: str
    updates: int = 0
    steps: int = 0
    bound_sum: float = 0.0
    matmul_backend: str = "default"
    seconds: float = 0.0
    pass_seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    weights: str = ""

    def move(
        self, spec: ModelSpec, settings: TrainingSettings, device: torch.device | str, matmul_backend: str
    ) -> None:
        """Let it go on on another kind of device, of which no generator can take over the state of this one's."""
        self.moves.append({"updates": self.updates, "device": self.device})
        self.generator = _seeded(spec, settings, device, f"training/{self.updates}")
        self.device, self.matmul_backend = torch.device(device).type, matmul_backend


def fresh(
    spec: ModelSpec,
    settings: TrainingSettings,
    train: np.ndarray,
    device: torch.device | str,
    matmul_backend: str = "default",
) -> ModelState:
    """A model's state before its first update; `train` are the training images, uint8 (N, 784)."""
    protocol = settings.protocol
    parameters = initialize(Architecture.of(spec, protocol), protocol, spec.seed, train)
    first, second = _initial_moments(protocol, parameters)
    return ModelState(
        parameters=parameters,
        first=first,
        second=second,
        generator=_seeded(spec, settings, device),
        device=torch.device(device).type,
        matmul_backend=matmul_backend,
    )


def warm_start(
    spec: ModelSpec, settings: TrainingSettings, origin: ModelState, device: torch.device | str, matmul_backend: str
) -> ModelState:
    """A model's state before its first update, where it goes on from the trained model `origin` (paper, Table 2).

    Adam's moments and steps are carried over, as in the authors' code, unless the protocol resets them at each stage.
    """
    first, second, steps = dict(origin.first), dict(origin.second), origin.steps + origin.updates
    if settings.protocol.optimizer_state == "reset":
        (first, second), steps = _initial_moments(settings.protocol, origin.parameters), 0
    return ModelState(
        parameters=dict(origin.parameters),
        first=first,
        second=second,
        generator=_seeded(spec, settings, device),
        device=torch.device(device).type,
        steps=steps,
        matmul_backend=matmul_backend,
    )


def _initial_moments(protocol: Protocol, parameters: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Adam's first and second moments before its first step."""
    first = {name: torch.zeros_like(value) for name, value in parameters.items()}
    return first, {name: initial_second_moment(protocol, value) for name, value in parameters.items()}


def _seeded(
    spec: ModelSpec, settings: TrainingSettings, device: torch.device | str, purpose: str = "training"
) -> Tensor:
    """The state of a generator seeded for a model's training."""
    return torch.Generator(device).manual_seed(spec.random_seed(settings.study_seed, purpose)).get_state()


def settings_key(spec: ModelSpec, settings: TrainingSettings, data: dict[str, str], device: str) -> str:
    """What a state belongs to: model, settings but for the number of stages, data and kind of device.

    The number of stages is left out so that a schedule can be extended, unless the model begins where the schedule of
    another one ended; the device is in because the generators of CPU and CUDA are different ones: a state of another
    kind's key goes on only by `ModelState.move`.
    """
    fixed = {**settings.as_dict(), "stages": settings.stages if spec.origin else None}
    content = json.dumps([spec.name, fixed, data, device], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def save(path: Path, key: str, state: ModelState) -> None:
    """Write `state` to `path`, atomically."""
    tensors = {
        f"{group}.{name}": tensor.contiguous() for group in _GROUPS for name, tensor in getattr(state, group).items()
    }
    tensors["generator"] = state.generator
    scalars = json.dumps({on_disk: getattr(state, name) for name, on_disk in _SCALARS.items()})
    metadata = {"key": key, "scalars": scalars, "sha256": _digest(tensors, scalars)}
    write_tensors(path, tensors, metadata)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a file of tensors, atomically.

    Raises:
        InputError: It cannot be written, as on a full disk; what was there before stays.
    """
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:  # which is no OSError
            raise InputError(f"{path} cannot be written ({error}): the same command goes on once it can.") from error


def load(path: Path, keys: Mapping[str, str]) -> ModelState | None:
    """The state at `path`, or None where there is no such file.

    Args:
        path: The file.
        keys: For each kind of device the key of what it would have written (`settings_key`).

    Raises:
        InputError: The file is damaged, or is the state of another model, of other settings or data.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    device = next((device for device, key in keys.items() if key == metadata.get("key")), None)
    if device is None:
        raise InputError(
            f"{path} was written with other settings or data than are asked for now: "
            "name another study, go back to its settings, or delete the file to start again."
        )
    if metadata.get("sha256") != _digest(tensors, metadata.get("scalars", "")):
        raise _damaged(path, "its SHA-256 is another")
    groups: dict[str, Any] = {group: {} for group in _GROUPS}
    for name, tensor in tensors.items():
        group, _, parameter = name.partition(".")
        if parameter:
            groups[group][parameter] = tensor
    found = json.loads(metadata["scalars"])
    scalars = {name: found[on_disk] for name, on_disk in _SCALARS.items() if on_disk in found}
    return ModelState(**groups, generator=tensors["generator"], device=device, **scalars)


def _digest(tensors: dict[str, Tensor], scalars: str) -> str:
    """The SHA-256 of all that a state holds: a bit that flips on the disk would else go on into the results."""
    digest = hashlib.sha256(scalars.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is damaged ({reason}): delete it to train the model from the start.")
