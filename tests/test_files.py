import errno
import fcntl
import os
import stat
import subprocess
import sys

import pytest

from iwae.errors import InputError
from iwae.files import atomic_path, locked, sha256, write_json, write_rows, write_text

# Writes one letter many times over, then the next: a file seen with two letters, or too short, was half-written.
WRITER = """
import sys
from iwae.files import write_text
for round in range(60):
    write_text(sys.argv[1], "abcdefghij"[round % 10] * 200_000)
"""

# Holds a lock, says so, and waits for the end.
HOLDER = """
import sys
from pathlib import Path
from iwae.files import locked
with locked(Path(sys.argv[1]), seconds=0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_content_is_there_and_nothing_else(tmp_path):
    with atomic_path(tmp_path / "new" / "folder" / "file.txt") as temporary:
        assert temporary.parent == tmp_path / "new" / "folder"  # renaming is atomic within one file system only
        assert not (tmp_path / "new" / "folder" / "file.txt").exists()
        temporary.write_text("new")
    assert (tmp_path / "new" / "folder" / "file.txt").read_text() == "new"
    assert os.listdir(tmp_path / "new" / "folder") == ["file.txt"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_old_content(tmp_path, failure):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(failure), atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise failure
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_content_that_cannot_be_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"new": object()})
    assert (tmp_path / "a.json").read_text() == '{\n  "old": 1\n}\n'
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.fixture
def umask():
    before = os.umask(0)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600), (0o027, 0o640)])
def test_permission_follows_umask(tmp_path, umask, mask, mode):
    umask(mask)
    for _ in range(2):  # a new file and a replaced one
        write_text(tmp_path / "file.txt", "x")
        assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == mode
    assert umask(0) == mask


def test_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "j" * 200_000)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    seen = set()
    while writer.poll() is None:
        content = path.read_text()
        assert len(content) == 200_000
        assert content == content[0] * 200_000
        seen.add(content[0])
    assert writer.returncode == 0
    assert len(seen) > 1  # it did read while the other wrote
    assert os.listdir(tmp_path) == ["file.txt"]


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_path(path) as one, atomic_path(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other
    assert path.read_text() == "one"  # the last to finish
    assert os.listdir(tmp_path) == ["file.txt"]


def test_text_is_utf8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "a.txt", "A_u ≥ 0.01 – Größe\n")
    assert (tmp_path / "a.txt").read_bytes() == b"A_u \xe2\x89\xa5 0.01 \xe2\x80\x93 Gr\xc3\xb6\xc3\x9fe\n"


def test_rows_are_csv_with_unix_line_ends(tmp_path):
    write_rows(tmp_path / "a.csv", [{"pass": 1, "bound": -86.5}, {"pass": 2, "bound": ""}, {"pass": 3, "bound": "a,b"}])
    assert (tmp_path / "a.csv").read_bytes() == b'pass,bound\n1,-86.5\n2,\n3,"a,b"\n'


def test_rows_with_other_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_rows(tmp_path / "a.csv", [{"pass": 1}, {"pass": 2, "bound": 3}])
    assert os.listdir(tmp_path) == []


def test_sha256_known_answer(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path):
    path = tmp_path / "folder" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        held = rf"{path} is held by process {holder.pid} on \S+ since .* \(.*\): wait for it, or end it\.$"
        with pytest.raises(InputError, match=held), locked(path, seconds=0.1):
            pass
        holder.kill()  # it can free nothing itself
    for _ in range(2):  # the lock ends with the block too
        with locked(path, seconds=0):
            assert f"process {os.getpid()} on " in path.read_text()


def test_a_lock_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    sentence = f"{tmp_path / 'file/lock'} cannot be written .*: it locks its folder, so make that writable"
    with pytest.raises(InputError, match=sentence), locked(tmp_path / "file/lock"):
        pass


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    sentence = r"lock cannot be locked \(No locks available\).*: work on a local disk"
    with pytest.raises(InputError, match=sentence), locked(tmp_path / "lock"):
        pass
