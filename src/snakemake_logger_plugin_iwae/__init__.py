"""A logger for Snakemake that says in one line how far a study is, and nothing else but problems.

    snakemake --logger iwae ...

Snakemake finds it by the name of this package. On a terminal the line is written anew each second; elsewhere it is
printed now and then. The jobs of the workflow then write to their log files alone (`iwae.__main__`), and the log of one
that fails is shown.
"""

import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

# What jobs do, by the beginning of their rules' names, and roughly what one costs against another, from which the time
# left is guessed as soon as a first model is trained.
_KINDS = {
    "fetch_": ("fetched", 0.0),
    "train_": ("trained", 8.0),
    "measure_": ("measured", 3.0),
    "": ("reported", 0.5),
}
_SECONDS = 20  # between two lines where standard error is not a terminal
_TARGETS = ("all", "figures", "tables", "train", "evaluate", "mark_outdated", "total")  # no work of their own
_SHOWN = 15  # last lines of the log of a job that fails


class LogHandler(LogHandlerBase):
    """Counts the jobs that start and end, as Snakemake reports them."""

    def __post_init__(self) -> None:
        """Begin the count, and ask the jobs for silence."""
        os.environ["IWAE_LOG_ONLY"] = "1"
        self._begun, self._printed, self._ended = time.monotonic(), 0.0, threading.Event()
        self._kinds: dict[int, str] = {}
        self._all: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        if sys.stderr.isatty():
            threading.Thread(target=self._tick, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take account of one event."""
        fields = vars(record)
        event = fields.get("event")
        if event == LogEvent.RUN_INFO and not self._all:  # a dry run tells of it twice
            for rule, count in fields["stats"].items():
                self._all[_kind(rule)] += 0 if rule in _TARGETS else count
            if self.common_settings.dryrun:
                self._write(self._line() + "\n")
        elif event == LogEvent.JOB_INFO and fields["rule_name"] not in _TARGETS:
            self._kinds[fields["jobid"]] = _kind(fields["rule_name"])
        elif event == LogEvent.JOB_FINISHED and fields["job_id"] in self._kinds:
            self._done[self._kinds.pop(fields["job_id"])] += 1
            self._show()
        elif event == LogEvent.JOB_ERROR:
            self._write(_failure(fields["rule_name"], fields["log"] or ()) or self.format(record) + "\n")
        elif record.getMessage().startswith("RuleException:\nCalledProcessError"):
            pass  # the command of a job that fails, whose log says why
        elif record.levelno >= logging.ERROR or record.getMessage().startswith("Nothing to be done"):
            self._write(self.format(record) + "\n")

    def close(self) -> None:
        """Leave the line as it is."""
        self._ended.set()
        super().close()

    def _tick(self) -> None:
        while not self._ended.wait(1):
            if self._all and self._done != self._all:
                self._show()

    def _show(self) -> None:
        is_last, now = self._done == self._all, time.monotonic()
        if sys.stderr.isatty():
            self._write(self._line() + ("\n" if is_last else ""))
        elif is_last or now - self._printed >= _SECONDS:
            self._printed = now
            self._write(self._line() + "\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}" if sys.stderr.isatty() else text)
        sys.stderr.flush()

    def _line(self) -> str:
        """``2:05  trained 2 of 3, measured 1 of 4, reported 0 of 19, about 2 min left``; all are jobs."""
        seconds = time.monotonic() - self._begun
        counts = [f"{name} {self._done[name]} of {self._all[name]}" for name, _ in _KINDS.values() if self._all[name]]
        done, total = (sum(cost * count[name] for name, cost in _KINDS.values()) for count in (self._done, self._all))
        left = f", about {_rounded(seconds * (total - done) / done)} left" if 0 < done < total else ""
        return f"{int(seconds) // 60}:{int(seconds) % 60:02}  {', '.join(counts)}{left}"

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own messages."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake's own log file is written beside it."""
        return False

    @property
    def has_filter(self) -> bool:
        """It picks the events itself, whatever --quiet says."""
        return True

    @property
    def has_formatter(self) -> bool:
        """What fails is shown as Snakemake shows it."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """The numbers of jobs are enough."""
        return False


def _kind(rule: str) -> str:
    return next(name for beginning, (name, _) in _KINDS.items() if rule.startswith(beginning))


def _failure(rule: str, logs: Iterable[str]) -> str:
    """How the logs of a job end that failed; empty if it has written none."""
    texts = {path: Path(path).read_text(errors="replace").strip() for path in logs if Path(path).is_file()}
    return "".join(
        "\n".join([f"{rule} has ended early, says {path}:", *text.splitlines()[-_SHOWN:], ""])
        for path, text in texts.items()
        if text
    )


def _rounded(seconds: float) -> str:
    """A time left, as exactly as one knows it."""
    if seconds < 50:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
