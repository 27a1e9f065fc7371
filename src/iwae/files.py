"""Files that are never seen half-written, their locks and their SHA-256."""

import csv
import fcntl
import hashlib
import json
import math
import os
import platform
import secrets
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from iwae.errors import InputError, LockedError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; on success it is synced to disk and renamed to `path`.

    Whatever happens within, `path` holds either what it held before or the whole new content.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.touch(exist_ok=False)
    mode = temporary.stat().st_mode  # as the umask has it; safetensors writes files that nobody else may read
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Delete what killed processes left of writing `path`; nobody else may be writing it, so hold its lock."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `rows`, at least one and all with the same keys, to `path` as CSV, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@contextmanager
def locked(path: Path, seconds: float = math.inf) -> Iterator[None]:
    """Hold the lock file `path`, which the kernel frees when this process ends, however it ends.

    Raises:
        LockedError: Another process has held it for all of these `seconds`.
        InputError: It cannot be written, or the file system has no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): it locks its folder, so make that writable."
        ) from error
    with file:
        deadline = time.monotonic() + seconds
        while not _lock(file):
            if time.monotonic() >= deadline:
                file.seek(0)
                raise LockedError(f"{path} is held by {file.read() or 'another process'}: wait for it, or end it.")
            time.sleep(0.05)
        file.truncate(0)
        command = textwrap.shorten(shlex.join(sys.orig_argv), 300, placeholder=" ...")
        file.write(f"process {os.getpid()} on {platform.node()} since {datetime.now():%Y-%m-%d %H:%M:%S} ({command})")
        file.flush()
        yield


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise InputError(
            f"{file.name} cannot be locked ({error.strerror}), and without locks two processes could write the same "
            "files: work on a local disk, or mount this file system with locks (Lustre: flock; NFS: without nolock)."
        ) from error
    return True


def relative(path: Path, folder: Path) -> str:
    """The path of a file or folder as seen from another folder, with slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()


def sha256(path: Path) -> str:
    """The SHA-256 of the file at `path`, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
