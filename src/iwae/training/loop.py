"""The loop over the updates of one stack: passes, learning curve, divergence, when to save, when to stop."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from torch import Tensor

from iwae.data.binarization import binarize
from iwae.data.splits import Images
from iwae.device import compile_function
from iwae.errors import DivergenceError, InterruptedTraining
from iwae.models.architecture import Architecture
from iwae.progress import progress_bar
from iwae.settings import TrainingSettings
from iwae.specification import ModelSpec
from iwae.training.draws import pass_order
from iwae.training.engine import Stack
from iwae.training.schedule import Schedule, learning_rate
from iwae.training.state import ModelState

_VALIDATION_ROWS = 4000  # images x samples of one validation batch: bounds its memory


class StackTraining:
    """A stack on its way through the schedule.

    Args:
        states: The models and where they stand, all after the same number of updates.
        settings: What they are trained with.
        images: The data.
        device: Where they are trained.
    """

    def __init__(
        self, states: dict[ModelSpec, ModelState], settings: TrainingSettings, images: Images, device: torch.device
    ) -> None:
        self._states, self._settings, self._device = states, settings, device
        self._specs = list(states)
        self._protocol = settings.protocol
        self._schedule = Schedule(len(images.train) // settings.batch_size, settings.stages)
        architecture = Architecture(self._specs[0].layers, self._protocol.scale)
        self._stack = Stack(self._specs, list(states.values()), architecture, self._protocol, device, compile_function)
        train = images.train
        if self._protocol.binarization == "once":
            train = 255 * binarize(train, settings.study_seed)
        self._pixels = torch.from_numpy(train).to(device)
        self._validation = torch.from_numpy(binarize(images.validation, settings.study_seed)).float().to(device)
        self._updates = next(iter(states.values())).updates
        self._order: tuple[int, Tensor] | None = None

    def states(self) -> dict[ModelSpec, ModelState]:
        """The models' states as they stand."""
        for model, state in enumerate(self._states.values()):
            for name, value in self._stack.tensors_of(model).items():
                setattr(state, name, value)
        return self._states

    def run(self, save: Callable[[], None], save_every: float, checkpoints: str) -> None:
        """Make all updates that the schedule still holds.

        Args:
            save: Writes the states to disk.
            save_every: Longest time between two calls of it, in seconds; it is also called at the end of each stage.
            checkpoints: Where the states are, for messages.
        """
        saved_at, saved_updates, schedule = time.monotonic(), self._updates, self._schedule
        label = self._specs[0].name if len(self._specs) == 1 else f"{self._specs[0].stack} x{len(self._specs)}"
        with _stop_requests() as stop, progress_bar(schedule.updates, label, " updates") as bar:
            bar.update(self._updates)
            while self._updates < schedule.updates:
                steps = self._run_block(f"The last good states, after update {saved_updates:,}, are in {checkpoints}.")
                bar.set_postfix_str(self._postfix(), refresh=False)
                bar.update(steps)
                due = time.monotonic() - saved_at >= save_every
                if due or stop.requested or schedule.ends_stage(self._updates):
                    save()
                    saved_at, saved_updates = time.monotonic(), self._updates
                if stop.requested and self._updates < schedule.updates:
                    raise InterruptedTraining(
                        f"Training of {label} stopped after update {self._updates:,} of {schedule.updates:,}; "
                        "the same command goes on from there."
                    )

    def _postfix(self) -> str:
        stage = self._schedule.stage_of(self._updates - 1)
        curve = next(iter(self._states.values())).curve
        bound = f", bound {curve[-1]['train_bound']:.2f}" if curve else ""
        return f"stage {stage + 1}/{self._schedule.stages}{bound}"

    def _run_block(self, last_good: str) -> int:
        schedule, begin = self._schedule, time.monotonic()
        stage, start = schedule.stage_of(self._updates), 0
        if self._protocol.optimizer_state == "reset":
            start = schedule.stage_start(self._updates)
            if start == self._updates > 0:
                self._stack.reset_optimizer()
        steps = schedule.next_block(self._updates)
        rate = learning_rate(self._protocol, stage)
        bounds = self._stack.run_block(self._pixels, self._index(steps), self._updates - start + 1, rate)
        sums = bounds.double().sum(0).tolist()
        self._check_finite(bounds, stage, last_good)
        self._updates += steps
        seconds = time.monotonic() - begin
        for state, bound_sum in zip(self._states.values(), sums, strict=True):
            state.updates = self._updates
            state.bound_sum += bound_sum
            state.seconds += seconds
            state.pass_seconds += seconds
        if schedule.ends_pass(self._updates):
            self._end_pass(stage, rate)
        return steps

    def _index(self, steps: int) -> Tensor:
        """The images of the next block's minibatches, int64 (T, M, B)."""
        schedule, batch = self._schedule, self._settings.batch_size
        number = schedule.pass_of(self._updates)
        if self._order is None or self._order[0] != number:
            seeds = [spec.random_seed(self._settings.study_seed, f"order/{number}") for spec in self._specs]
            orders = [pass_order(self._protocol.shuffle, len(self._pixels), seed) for seed in seeds]
            self._order = number, torch.stack(orders).to(self._device)
        first = (self._updates % schedule.steps_per_pass) * batch
        block = self._order[1][:, first : first + steps * batch]
        return block.unflatten(1, (steps, batch)).transpose(0, 1)

    def _check_finite(self, bounds: Tensor, stage: int, last_good: str) -> None:
        finite = torch.isfinite(bounds)
        if finite.all():
            return
        step, model = (~finite).nonzero()[0].tolist()
        raise DivergenceError(
            f"{self._specs[model].name} diverged at update {self._updates + step + 1:,} (stage {stage}): its bound is "
            f"{bounds[step, model].item()}. {last_good}"
        )

    def _end_pass(self, stage: int, rate: float) -> None:
        validation = self._validation_bounds()
        for state, bound in zip(self._states.values(), validation, strict=True):
            images = self._schedule.steps_per_pass * self._settings.batch_size
            state.curve.append(
                {
                    "stage": stage,
                    "pass": self._schedule.pass_of(self._updates),
                    "updates": self._updates,
                    "learning_rate": rate,
                    "train_bound": state.bound_sum / self._schedule.steps_per_pass,
                    "validation_bound": bound,
                    "images_per_second": round(images / state.pass_seconds, 1),
                }
            )
            state.bound_sum = state.pass_seconds = 0.0

    def _validation_bounds(self) -> list[float | None]:
        """Each model's bound on the held-out images, with the same draws after every pass; None without images."""
        if len(self._validation) == 0:
            return [None] * len(self._specs)
        k, units = self._specs[0].k, sum(self._stack.architecture.latents)
        seeds = [spec.random_seed(self._settings.study_seed, "validation") for spec in self._specs]
        generators = [torch.Generator(self._device).manual_seed(seed) for seed in seeds]
        sums = torch.zeros(len(self._specs), dtype=torch.float64, device=self._device)
        for x in self._validation.split(max(1, _VALIDATION_ROWS // k)):
            noise = [torch.randn(k, len(x), units, generator=g, device=self._device) for g in generators]
            sums += self._stack.bounds_on(x, torch.stack(noise)).double().sum(1)
        return (sums / len(self._validation)).tolist()


class _StopRequest:
    requested = False


@contextmanager
def _stop_requests() -> Iterator[_StopRequest]:
    """Turn SIGINT and SIGTERM into a request that the loop honours at the end of a block of updates."""
    request = _StopRequest()

    def ask(_number: int, _frame: FrameType | None) -> None:
        request.requested = True

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
