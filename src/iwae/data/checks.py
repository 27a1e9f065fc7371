"""How the files of a data set are known to be the right ones: by a digest, or by content where none is certain."""

import hashlib
from collections.abc import Callable

from iwae.errors import InputError

Check = Callable[[bytes, str], object]
"""Takes a file's content and what messages call it; raises `InputError` if it is not the right one."""


def sha256(content: bytes) -> str:
    """The SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes) -> str:
    """The SHA-1, in hexadecimal, by which git names a file of that content: of a header and the content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def by_sha256(expected: str) -> Check:
    """The file's `sha256` is `expected`."""
    return _by_digest("SHA-256", sha256, expected)


def by_git_blob(expected: str) -> Check:
    """The file's `git_blob` is `expected`."""
    return _by_digest("git blob SHA-1", git_blob, expected)


def _by_digest(kind: str, digest: Callable[[bytes], str], expected: str) -> Check:
    def verify(content: bytes, name: str) -> None:
        found = digest(content)
        if found != expected:
            raise InputError(f"{name} is not the published file: its {kind} is {found}, it must be {expected}.")

    return verify
