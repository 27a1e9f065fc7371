"""Several stacks trained side by side, their states saved in time, and a stop at the user's or system's request."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from tqdm import tqdm

from iwae.errors import DivergenceError, InterruptedTraining
from iwae.progress import progress_bar
from iwae.training.loop import StackTraining

_POLL_SECONDS = 1e-4  # a block of updates takes some hundred times as long


class _Run:
    """One stack with its progress bar and the time of its last saved state."""

    def __init__(self, training: StackTraining, bar: "tqdm[Any]") -> None:
        self.training, self._bar = training, bar
        self.saved_at, self.saved_updates = time.monotonic(), training.updates
        bar.update(training.updates)

    def finish_block(self, checkpoints: str) -> None:
        try:
            steps = self.training.finish_block()
        except DivergenceError as error:
            raise DivergenceError(
                f"{error} The last good state, after update {self.saved_updates:,}, is in {checkpoints}."
            ) from error
        self._bar.set_postfix_str(self.training.position, refresh=False)
        self._bar.update(steps)

    def save(self, save: Callable[[StackTraining], None]) -> None:
        save(self.training)
        self.saved_at, self.saved_updates = time.monotonic(), self.training.updates


def run_side_by_side(
    trainings: Sequence[StackTraining],
    save: Callable[[StackTraining], None],
    save_every: float,
    checkpoints: str,
    at_once: int,
) -> None:
    """Make all updates that the schedules of some stacks still hold.

    Args:
        trainings: The stacks.
        save: Writes the states of one of them to disk.
        save_every: Longest time between two calls of it for one stack, in seconds; it is also called at the end of
            each stage.
        checkpoints: Where the states are, for messages.
        at_once: How many are trained at the same time; each of the others starts when one has ended.

    Raises:
        DivergenceError: A bound was not finite.
        InterruptedTraining: SIGINT or SIGTERM came; all states have been saved.
    """
    waiting, active = [training for training in trainings if not training.done], []
    with ExitStack() as bars, _stop_requests() as stop:
        while (waiting and not stop.requested) or active:
            while waiting and len(active) < at_once and not stop.requested:
                training = waiting.pop(0)
                bar = progress_bar(training.schedule.updates, training.label, " updates", position=len(active))
                active.append(_Run(training, bars.enter_context(bar)))
                training.start_block()
            ready = [run for run in active if run.training.ready]
            if not ready:
                time.sleep(_POLL_SECONDS)
            for run in ready:
                run.finish_block(checkpoints)
                due = time.monotonic() - run.saved_at >= save_every
                if due or stop.requested or run.training.schedule.ends_stage(run.training.updates):
                    run.save(save)
                if run.training.done or stop.requested:
                    active.remove(run)
                else:
                    run.training.start_block()
    unfinished = [training for training in trainings if not training.done]
    if unfinished:
        positions = ", ".join(f"{t.label} after update {t.updates:,} of {t.schedule.updates:,}" for t in unfinished)
        raise InterruptedTraining(f"Training stopped, {positions}; the same command goes on from there.")


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
