"""One model to be trained: what its name, its study's settings and the data say of it, and its training state."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from iwae.data.splits import Images
from iwae.device import fastest_matmul
from iwae.errors import InputError
from iwae.files import sha256
from iwae.study import manifest
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import state as states
from iwae.training.schedule import Schedule
from iwae.training.state import ModelState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Task:
    """A model to be trained.

    Attributes:
        spec: Which model.
        settings: What it is trained with, as this model has them (`TrainingSettings.for_model`).
        images: What it is trained on.
        device: Where.
        checkpoint: The file of its training state.
        folder: The model's folder.
        origin: The model that it is continued from, None if it begins with its initialisation.
    """

    spec: ModelSpec
    settings: TrainingSettings
    images: Images
    device: torch.device
    checkpoint: Path
    folder: Path
    origin: "Task | None"

    @property
    def is_trained(self) -> bool:
        """Whether its training state is there, at its schedule's end."""
        state = self.load()
        return state is not None and self.is_at_end(state)

    def is_at_end(self, state: ModelState) -> bool:
        """Whether a state of it is at its schedule's end."""
        return state.updates == self._updates

    @property
    def _updates(self) -> int:
        return Schedule.of(self.settings, len(self.images.train), warm_start=self.origin is not None).updates

    @property
    def _keys(self) -> dict[str, str]:
        kinds = ("cpu", "cuda")
        return {kind: states.settings_key(self.spec, self.settings, self.images.sha256, kind) for kind in kinds}

    @property
    def weights(self) -> Path:
        """The file of its weights, once it is trained."""
        return self.folder / manifest.WEIGHTS

    def load(self) -> ModelState | None:
        """Its training state, None where there is none yet, or no longer as its folder was deleted.

        Raises:
            InputError: The file is not its own or beyond its schedule's end, the weights are not those of its state, or
                the manifest of a trained model is lost.
        """
        state, known = states.load(self.checkpoint, self._keys), (self.folder / manifest.NAME).is_file()
        if state is None or (state.weights and not known and not self.weights.is_file()):
            return None
        if state.updates > self._updates:  # the key leaves out the number of stages
            raise InputError(
                f"{self.checkpoint} stands at update {state.updates:,}, beyond the {self._updates:,} that are asked "
                "for: ask for as many stages as before, or delete it to train the model from the start."
            )
        if not state.weights:
            return state
        if not known:
            raise InputError(
                f"{self.folder} has lost its {manifest.NAME}: restore it, or delete the folder to train the model "
                "again."
            )
        if not self.weights.is_file() or sha256(self.weights) != state.weights:
            raise InputError(
                f"{self.checkpoint} goes on from weights that are not in {self.weights}: restore them, or delete it "
                f"and {self.folder} to train the model from the start."
            )
        return replace(state, parameters=load_file(self.weights), weights="")

    def save(self, state: ModelState) -> None:
        """Write its training state."""
        states.save(self.checkpoint, self._keys[state.device], state)

    def save_moments(self, state: ModelState) -> None:
        """Write the training state of the trained model, the parameters being those of its folder."""
        self.save(replace(state, parameters={}, weights=sha256(self.weights)))

    def start(self) -> ModelState:
        """The state from which it is trained here: where its training stands, or before its first update.

        Raises:
            InputError: The model that it is continued from is not trained, or the file is not its own.
        """
        state = self.load()
        if state is None:
            return self._begin()
        if state.device != self.device.type and not self.is_at_end(state):
            _log.warning(
                "%s goes on on another kind of device (%s) than its %s updates so far (%s): with other random numbers.",
                *(self.spec.name, self.device.type, f"{state.updates:,}", state.device),
            )
            state.move(self.spec, self.settings, self.device, self._matmul_backend)
        return state

    @property
    def _matmul_backend(self) -> str:
        # Measured once and kept in the state: a resumed training multiplies as before, for the sake of its bits.
        return fastest_matmul(self.device, self.settings.batch_size * self.spec.k)

    def _begin(self) -> ModelState:
        if self.origin is None:
            return states.fresh(self.spec, self.settings, self.images.train, self.device, self._matmul_backend)
        origin = self.origin.final_state()
        return states.warm_start(self.spec, self.settings, origin, self.device, self._matmul_backend)

    def final_state(self) -> ModelState:
        """Its state at its schedule's end.

        Raises:
            InputError: It is not there.
        """
        state = self.load()
        if state is None or not self.is_at_end(state):
            reason = (
                "is gone: delete the model's folder to train it again, or turn off experiments.warm_starts"
                if state is None
                else f"stands at update {state.updates:,} of {self._updates:,}: train it to its end"
            )
            raise InputError(
                f"{self.spec.name} cannot be continued, since its training state {self.checkpoint} {reason}."
            )
        return state
