"""Fair timing: contestants in turn, round after round, so that whatever else the machine does falls on all of them.

A ratio is taken within each round and its median is reported: it is steadier than the ratio of two medians.
"""

import statistics
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch


class Summary(NamedTuple):
    """Median, least and greatest of some rounds."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Contestant:
    """Something to time.

    Attributes:
        name: What it is called in `Timings`.
        run: Does `work` units of work, and may return before a GPU has finished them.
        work: Units of work in one run, such as updates.
    """

    name: Hashable
    run: Callable[[], object]
    work: float


class Timings:
    """Seconds for one unit of work, by contestant, a number for each round."""

    def __init__(self, seconds: dict[Hashable, list[float]]) -> None:
        self.seconds = seconds

    def cost(self, name: Hashable) -> Summary:
        """Seconds for one unit of work."""
        return summarize(self.seconds[name])

    def rate(self, name: Hashable, factor: float = 1.0) -> Summary:
        """Units of work in a second, times `factor`."""
        return summarize([factor / seconds for seconds in self.seconds[name]])

    def speedup(self, name: Hashable, to: Hashable, factor: float = 1.0) -> Summary:
        """How many times faster than `to` it works, round by round, times `factor`."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return summarize([factor * other / own for own, other in pairs])


def summarize(values: Sequence[float]) -> Summary:
    """Median and range."""
    return Summary(statistics.median(values), min(values), max(values))


def synchronize() -> None:
    """Wait for the GPU, where there is one, to finish what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds_of(contestant: Contestant, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds for one unit of work, from one run."""
    synchronize()
    start = clock()
    contestant.run()
    synchronize()
    return (clock() - start) / contestant.work


def compete(
    contestants: Sequence[Contestant], rounds: int, warm_up: int = 2, clock: Callable[[], float] = time.perf_counter
) -> Timings:
    """Time the contestants in turn, A B C A B C, after `warm_up` untimed runs of each.

    Raises:
        ValueError: Two contestants have one name.
    """
    seconds: dict[Hashable, list[float]] = {contestant.name: [] for contestant in contestants}
    if len(seconds) < len(contestants):
        raise ValueError(f"two of {[contestant.name for contestant in contestants]} have one name")
    for contestant in contestants:
        for _ in range(warm_up):
            contestant.run()
    for _ in range(rounds):
        for contestant in contestants:
            seconds[contestant.name].append(seconds_of(contestant, clock))
    return Timings(seconds)
