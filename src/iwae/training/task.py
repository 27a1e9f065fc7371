"""One model to be trained: what its name, its study's settings and the data say of it, and its training state."""

from dataclasses import dataclass
from pathlib import Path

import torch

from iwae.data.splits import Images
from iwae.device import fastest_matmul
from iwae.errors import InputError
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import state as states
from iwae.training.schedule import Schedule
from iwae.training.state import ModelState


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
        return state is not None and state.updates == self._updates

    @property
    def _updates(self) -> int:
        return Schedule.of(self.settings, len(self.images.train), warm_start=self.origin is not None).updates

    @property
    def _key(self) -> str:
        return states.settings_key(self.spec, self.settings, self.images.sha256, self.device.type)

    def load(self) -> ModelState | None:
        """Its training state, None where there is none yet; `InputError` where the file is not its own."""
        return states.load(self.checkpoint, self._key)

    def save(self, state: ModelState) -> None:
        """Write its training state."""
        states.save(self.checkpoint, self._key, state)

    def begin(self) -> ModelState:
        """Its state before its first update.

        Raises:
            InputError: The model that it is continued from is not trained.
        """
        # Measured once and kept in the state: a resumed training multiplies as before, for the sake of its bits.
        backend = fastest_matmul(self.device, self.settings.batch_size * self.spec.k)
        if self.origin is None:
            return states.fresh(self.spec, self.settings, self.images.train, self.device, backend)
        return states.warm_start(self.spec, self.settings, self.origin.final_state(), self.device, backend)

    def final_state(self) -> ModelState:
        """Its state at its schedule's end.

        Raises:
            InputError: It is not there.
        """
        state = self.load()
        if state is None or state.updates != self._updates:
            reason = "is gone" if state is None else f"stands at update {state.updates:,} of {self._updates:,}"
            raise InputError(
                f"{self.spec.name} cannot be continued, since its training state {self.checkpoint} {reason}: "
                "train it to its end."
            )
        return state
