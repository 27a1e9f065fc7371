"""Measuring in processes of their own: several at once against one alone, and peak memory."""

import multiprocessing
import resource
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch
from timing import Contestant, Summary, seconds_of, summarize
from workload import Place

Make = Callable[..., Contestant]
"""Makes a contestant in the process that calls it, from a `Place` and more."""

_PATIENCE = 900  # seconds that one process waits for the others, which may be compiling
_barrier: Barrier | None = None


def together(
    make: Make, place: Place, arguments: Sequence[Any], processes: int, rounds: int
) -> tuple[Summary, Summary, Summary]:
    """The rate of one process alone, the sum over several at once, and their ratio, in turn round after round."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes, timeout=_PATIENCE)
    with ProcessPoolExecutor(processes, context, _keep, (barrier,)) as pool:
        futures = [
            pool.submit(_take_turns, make, place, arguments, first, rounds)
            for first in (number == 0 for number in range(processes))
        ]
        found = [future.result() for future in futures]
    alone = [1 / seconds for seconds in found[0][0]]
    total = [sum(1 / seconds for seconds in turn) for turn in zip(*(both for _, both in found), strict=True)]
    ratios = [several / one for several, one in zip(total, alone, strict=True)]
    return summarize(alone), summarize(total), summarize(ratios)


def _keep(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _take_turns(
    make: Make, place: Place, arguments: Sequence[Any], first: bool, rounds: int
) -> tuple[list[float], list[float]]:
    assert _barrier is not None
    alone, at_once = [], []
    try:
        place.configure()
        contestant = make(place, *arguments)
        seconds_of(contestant)
        for _ in range(rounds):
            _barrier.wait()
            if first:
                alone.append(seconds_of(contestant))
            _barrier.wait()
            at_once.append(seconds_of(contestant))
    except BaseException:
        _barrier.abort()  # the others would wait for this one
        raise
    return alone, at_once


def peak_memory(make: Make | None, place: Place, *arguments: Any) -> Summary:
    """Peak memory in MiB of a process that makes a contestant and runs it twice, or that only starts.

    On the CPU it is all memory of the process, PyTorch and the compiler included; on CUDA PyTorch's tensors there.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        peak = pool.submit(_peak, make, place, arguments).result()
    return Summary(peak, peak, peak)


def _peak(make: Make | None, place: Place, arguments: Sequence[Any]) -> float:
    place.configure()
    if make is not None:
        contestant = make(place, *arguments)
        seconds_of(contestant)
        seconds_of(contestant)
    if place.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return _peak_resident_bytes() / 2**20


def _peak_resident_bytes() -> int:
    try:
        # Not getrusage: on Linux its maximum is inherited from the process that started this one.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
