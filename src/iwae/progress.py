"""Progress of long work on standard error: a bar on a terminal, now and then a line elsewhere."""

import sys
from typing import Any, TextIO

from tqdm import tqdm


class _Lines:
    """A stream on which each state of a bar becomes a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        line = text.strip("\r\n ")
        if line:
            self._stream.write(line + "\n")

    def flush(self) -> None:
        self._stream.flush()


def progress_bar(total: int, description: str, unit: str, position: int = 0, done: int = 0) -> "tqdm[Any]":
    """A bar with the time left, to be used as a context manager and told of each unit done after the first `done`.

    Where standard error is not a terminal (a log, a workflow's job), it prints a line every 20 seconds. Several bars
    at a time need different positions, from 0.
    """
    terminal = {"dynamic_ncols": True, "position": position}
    lines = {"file": _Lines(sys.stderr), "ncols": 110, "mininterval": 20, "ascii": " #"}
    place = terminal if sys.stderr.isatty() else lines
    return tqdm(total=total, initial=done, desc=description, unit=unit, unit_scale=True, smoothing=0.05, **place)
