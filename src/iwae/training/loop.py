"""The loop over the updates of one stack: passes, learning curve, divergence."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor

from iwae.data.binarization import binarize
from iwae.data.splits import Images
from iwae.device import compile_function, use_matmul
from iwae.errors import DivergenceError
from iwae.models.architecture import Architecture
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training.draws import pass_order
from iwae.training.engine import Block, Stack
from iwae.training.schedule import Schedule
from iwae.training.state import ModelState

_VALIDATION_ROWS = 4000  # images x samples of one validation batch: bounds its memory


class StackTraining:
    """A stack on its way through the schedule, a block of updates at a time.

    `start_block` sets a block going and `finish_block` takes its result. On CUDA each stack has a stream of its own, so
    that the blocks of several run at the same time; on the CPU `start_block` does the work.

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
        self.specs, self.updates = list(states), next(iter(states.values())).updates
        self._protocol = settings.protocol
        self.schedule = Schedule.of(settings, len(images.train), warm_start=self.specs[0].origin is not None)
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        architecture = Architecture.of(self.specs[0], self._protocol)
        train = images.train
        if self._protocol.binarization == "once":
            train = 255 * binarize(train, settings.study_seed)
        with self._on_stream():
            self.stack = Stack(
                self.specs,
                list(states.values()),
                architecture,
                self._protocol,
                device,
                partial(compile_function, device=device),
            )
            self._pixels = torch.from_numpy(train).to(device)
            self._validation = torch.from_numpy(binarize(images.validation, settings.study_seed)).float().to(device)
        self._blocks: dict[int, Block] = {}
        self._order: tuple[int, Tensor] | None = None
        self._running: tuple[Tensor, float, torch.cuda.Event | None] | None = None

    @property
    def label(self) -> str:
        """The model's name, or the stack's with the number of models."""
        return self.specs[0].name if len(self.specs) == 1 else f"{self.specs[0].stack} x{len(self.specs)}"

    @property
    def done(self) -> bool:
        """Whether the schedule is complete."""
        return self.updates >= self.schedule.updates

    @property
    def ready(self) -> bool:
        """Whether the block that was started has been computed."""
        return self._running is not None and (self._running[2] is None or self._running[2].query())

    @property
    def position(self) -> str:
        """Stage and last bound of the first model, for a progress bar."""
        stage, stages = (self.schedule.stage_of(made) for made in (max(self.updates - 1, 0), self.schedule.updates))
        curve = self._states[self.specs[0]].curve
        bound = f", bound {curve[-1]['train_bound']:.2f}" if curve else ""
        return f"stage {stage + 1}/{stages}{bound}"

    def states(self) -> dict[ModelSpec, ModelState]:
        """The models' states as they stand between two blocks.

        Raises:
            DivergenceError: A parameter or moment is not finite.
        """
        with self._on_stream():
            tensors = [self.stack.tensors_of(model) for model in range(len(self.specs))]
        for spec, groups in zip(self.specs, tensors, strict=True):
            values = (v for group in ("parameters", "first", "second") for v in groups[group].values())
            if not all(torch.isfinite(value).all() for value in values):
                raise DivergenceError(
                    f"{spec.name} diverged before update {self.updates:,}: a weight is not finite.", [spec.name]
                )
            for name, value in groups.items():
                setattr(self._states[spec], name, value)
        return self._states

    def start_block(self) -> None:
        """Set the next block of updates going."""
        begin, schedule, state = time.monotonic(), self.schedule, next(iter(self._states.values()))
        start = -state.steps
        use_matmul(state.matmul_backend)
        with self._on_stream():
            if self._protocol.optimizer_state == "reset":
                start = schedule.stage_start(self.updates)
                if start == self.updates > 0:
                    self.stack.reset_optimizer()
            steps = schedule.next_block(self.updates)
            if steps not in self._blocks:
                self._blocks[steps] = self.stack.block(self._pixels, steps, self._settings.batch_size)
            rates = schedule.learning_rates(self.updates, steps)
            weights = schedule.kl_weights(self.updates, steps) if self._protocol.kl_warm_up else None
            bounds = self._blocks[steps].run(self._index(steps), self.updates - start + 1, rates, weights)
            self._running = bounds, begin, self._stream.record_event() if self._stream else None

    def finish_block(self) -> int:
        """Wait for the block that was started and enter its result; the number of its updates.

        Raises:
            DivergenceError: A bound is not finite.
        """
        if self._running is None:
            raise RuntimeError("no block was started")
        bounds, begin, _ = self._running
        with self._on_stream():
            sums, finite = bounds.double().sum(0).tolist(), torch.isfinite(bounds).all().item()
        if not finite:
            self._raise_divergence(bounds.cpu())
        self._running, seconds = None, time.monotonic() - begin
        rate = float(self.schedule.learning_rates(self.updates, len(bounds))[-1])
        stage = self.schedule.stage_of(self.updates)
        self.updates += len(bounds)
        for state, bound_sum in zip(self._states.values(), sums, strict=True):
            state.updates = self.updates
            state.bound_sum += bound_sum
            state.seconds += seconds
            state.pass_seconds += seconds
        if self.schedule.ends_pass(self.updates):
            with self._on_stream():
                self._end_pass(stage, rate)
        if self.done:
            self._blocks.clear()  # else many stacks, trained one after the other, keep the buffers of all
        return len(bounds)

    def _on_stream(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._stream) if self._stream else nullcontext()

    def _index(self, steps: int) -> Tensor:
        """The images of the next block's minibatches, int64 (T, M, B)."""
        batch, number = self._settings.batch_size, self.schedule.pass_of(self.updates)
        if self._order is None or self._order[0] != number:
            seeds = [spec.random_seed(self._settings.study_seed, f"order/{number}") for spec in self.specs]
            orders = [pass_order(self._protocol.shuffle, len(self._pixels), seed) for seed in seeds]
            self._order = number, torch.stack(orders).to(self._device)
        first = (self.updates % self.schedule.steps_per_pass) * batch
        block = self._order[1][:, first : first + steps * batch]
        return block.unflatten(1, (steps, batch)).transpose(0, 1)

    def _raise_divergence(self, bounds: Tensor) -> None:
        step, model = (~torch.isfinite(bounds)).nonzero()[0].tolist()
        name, stage = self.specs[model].name, self.schedule.stage_of(self.updates) + 1
        raise DivergenceError(
            f"{name} diverged at update {self.updates + step + 1:,} (stage {stage}): "
            f"its bound is {bounds[step, model].item()}.",
            [name],
        )

    def _end_pass(self, stage: int, rate: float) -> None:
        images = self.schedule.steps_per_pass * self._settings.batch_size
        units, study_seed = sum(self.stack.architecture.latents), self._settings.study_seed
        bounds = validation_bounds(self.specs, study_seed, units, self._validation, self.stack.bounds_on)
        for state, bound in zip(self._states.values(), bounds, strict=True):
            row = {
                "stage": stage,
                "pass": self.schedule.pass_of(self.updates),
                "updates": self.updates,
                "learning_rate": rate,
                "train_bound": state.bound_sum / self.schedule.steps_per_pass,
                "validation_bound": bound,
                "images_per_second": round(images / state.pass_seconds, 1),
            }
            state.curve.append(row)
            state.bound_sum = state.pass_seconds = 0.0


def validation_bounds(
    specs: Sequence[ModelSpec],
    study_seed: int,
    units: int,
    images: Tensor,
    bounds_on: Callable[[Tensor, Tensor], Tensor],
) -> list[float | None]:
    """The bounds of M models of one k on the held-out images, with the same draws each time; None without images.

    Args:
        specs: The models, whose names seed the draws.
        study_seed: Seeds them too.
        units: Units of all their stochastic layers, D.
        images: Binary images, (n, 784).
        bounds_on: The bound on B images x (B, 784) with noise (M, k, B, D), (M, B) in nats.
    """
    if len(images) == 0:
        return [None] * len(specs)
    k, device = specs[0].k, images.device
    seeds = [spec.random_seed(study_seed, "validation") for spec in specs]
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
    sums = torch.zeros(len(specs), dtype=torch.float64, device=device)
    for x in images.split(max(1, _VALIDATION_ROWS // k)):
        noise = [torch.randn(k, len(x), units, generator=generator, device=device) for generator in generators]
        sums += bounds_on(x, torch.stack(noise)).double().sum(1)
    return (sums / len(images)).tolist()
