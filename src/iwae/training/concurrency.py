"""Several stacks trained side by side, their states saved in time, and a stop at the user's or system's request."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tqdm import tqdm

from iwae.errors import DivergenceError, InterruptedTraining
from iwae.progress import progress_bar
from iwae.training.loop import StackTraining

_POLL_SECONDS = 1e-4  # a block of updates takes some hundred times as long


@dataclass
class _Run:
    """One stack at work, with its progress bar and its last saved state."""

    training: StackTraining
    bar: "tqdm[Any]"
    save_state: Callable[[StackTraining], None]
    saved_at: float = 0.0
    saved_updates: int = 0

    def start(self) -> None:
        self.saved_at, self.saved_updates = time.monotonic(), self.training.updates
        if self.training.updates == 0:
            self.save()  # so that there is always a state to go on from
        self.training.start_block()

    def save(self) -> None:
        self.save_state(self.training)
        self.saved_at, self.saved_updates = time.monotonic(), self.training.updates

    def finish_block(self, save_now: bool, save_every: float) -> None:
        self.bar.update(self.training.finish_block())
        self.bar.set_postfix_str(self.training.position, refresh=False)
        due = time.monotonic() - self.saved_at >= save_every
        if save_now or due or self.training.schedule.ends_stage(self.training.updates):
            self.save()


def run_side_by_side(
    trainings: Sequence[StackTraining],
    save: Callable[[StackTraining], None],
    finish: Callable[[StackTraining], None],
    save_every: float,
    at_once: int,
) -> None:
    """Make all updates that the schedules of some stacks still hold.

    Args:
        trainings: The stacks, none of them at its schedule's end.
        save: Writes the states of one of them to disk.
        finish: Called once for each stack whose schedule is complete.
        save_every: Longest time between two calls of `save` for one stack, in seconds; it is also called at the start
            and at the end of each stage.
        at_once: How many are trained at the same time; each of the others starts when one has ended.

    Raises:
        DivergenceError: A bound or a weight was not finite; all other stacks are complete.
        InterruptedTraining: SIGINT or SIGTERM came; all states have been saved. Its message tells of what diverged too.
    """
    waiting = list(trainings)
    active: list[_Run] = []
    diverged: dict[StackTraining, DivergenceError] = {}
    with ExitStack() as bars, _stop_requests() as stop:
        while (waiting and not stop.requested) or active:
            while waiting and len(active) < at_once and not stop.requested:
                training = waiting.pop(0)
                updates, place = training.schedule.updates, len(active)
                bar = progress_bar(updates, training.label, " updates", position=place, done=training.updates)
                active.append(_Run(training, bars.enter_context(bar), save))
                active[-1].start()
            ready = [run for run in active if run.training.ready]
            if not ready:
                time.sleep(_POLL_SECONDS)
            for run in ready:
                stopping = stop.requested  # once: a request that comes later would find this block unsaved
                try:
                    run.finish_block(stopping, save_every)
                except DivergenceError as error:
                    said = f"{error} The last good state is that after update {run.saved_updates:,}."
                    diverged[run.training] = DivergenceError(said, error.models)
                    active.remove(run)
                    continue
                if run.training.done:
                    finish(run.training)
                if run.training.done or stopping:
                    active.remove(run)
                else:
                    run.training.start_block()
    if stop.requested:
        unfinished = [training for training in trainings if not training.done and training not in diverged]
        raise InterruptedTraining(" ".join([_stopped(unfinished), *map(str, diverged.values())]))
    if diverged:
        raise DivergenceError.of_all(diverged.values())


def _stopped(unfinished: Sequence[StackTraining]) -> str:
    positions = [f"{t.label} after update {t.updates:,} of {t.schedule.updates:,}" for t in unfinished]
    return (
        f"Training stopped, {', '.join(positions) or 'at the end of a schedule'}; the same command goes on from there."
    )


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
