import hashlib

import pytest

from iwae.data.checks import by_git_blob, by_sha256, git_blob
from iwae.errors import InputError


def test_git_blob_of_known_content():
    # The two that every user of git has met: the empty file, and the example of its book.
    assert git_blob(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_blob(b"what is up, doc?") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"


@pytest.mark.parametrize(
    ("check", "kind", "digest"),
    [
        (by_sha256, "SHA-256", lambda content: hashlib.sha256(content).hexdigest()),
        (by_git_blob, "git blob SHA-1", git_blob),
    ],
)
def test_digest_admits_one_content(check, kind, digest):
    right = check(digest(b"right"))
    right(b"right", "file")
    message = f"^file is not the published file: its {kind} is {digest(b'wrong')}, it must be {digest(b'right')}.$"
    with pytest.raises(InputError, match=message):
        right(b"wrong", "file")
