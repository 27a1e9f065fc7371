"""Larochelle's files on small texts of the same form."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.data import mnist_fixed
from iwae.data.checks import sha256
from iwae.data.splits import load
from iwae.errors import InputError
from iwae.study.registry import DATASETS

ROWS = {mnist_fixed.TRAIN: 7, mnist_fixed.VALIDATION: 3, mnist_fixed.TEST: 2}
BITS = {file: np.random.RandomState(seed).randint(0, 2, (rows, 784)) for seed, (file, rows) in enumerate(ROWS.items())}


def text(bits, blank=" ", end="\n"):
    return "".join(blank.join(map(str, row)) + end for row in bits).encode()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for file, rows in ROWS.items():
        monkeypatch.setitem(mnist_fixed.ROWS, file, rows)


@pytest.fixture
def contents(monkeypatch):
    """The three files, taken for the published ones."""
    files = {file: text(bits) for file, bits in BITS.items()}
    for file, content in files.items():
        monkeypatch.setitem(mnist_fixed.SHA256, file, sha256(content))
    return files


def write(folder, contents):
    folder.mkdir()
    for file, content in contents.items():
        (folder / file).write_bytes(content)


def parse(content):
    return mnist_fixed.parse(content, "text", mnist_fixed.TEST)


def test_validation_images_follow_the_training_images(contents):
    pool, test = mnist_fixed.read(contents)
    np.testing.assert_array_equal(pool[:7], 255 * BITS[mnist_fixed.TRAIN])
    np.testing.assert_array_equal(pool[7:], 255 * BITS[mnist_fixed.VALIDATION])
    np.testing.assert_array_equal(test, 255 * BITS[mnist_fixed.TEST])
    assert pool.dtype == test.dtype == np.uint8
    assert pool.flags.writeable
    assert test.flags.writeable


def test_larochelles_validation_images_are_the_ones_held_out(contents, monkeypatch, tmp_path, caplog):
    entry = replace(DATASETS["mnist-fixed"], images=10)
    monkeypatch.setitem(DATASETS, "mnist-fixed", entry)
    monkeypatch.setattr(mnist_fixed, "MNIST_FIXED", replace(mnist_fixed.MNIST_FIXED, entry=entry))
    write(tmp_path / "mnist-fixed", contents)
    images = load("mnist-fixed", tmp_path, held_out=3)
    np.testing.assert_array_equal(images.train, 255 * BITS[mnist_fixed.TRAIN])
    np.testing.assert_array_equal(images.validation, 255 * BITS[mnist_fixed.VALIDATION])
    assert images.sha256 == {file: sha256(content) for file, content in contents.items()}
    assert not caplog.records


@given(st.sampled_from([" ", "  "]), st.sampled_from(["\n", " \n", "\r\n"]), st.booleans())
def test_blanks_and_ends_of_lines_do_not_matter(blank, end, last):
    bits = BITS[mnist_fixed.TEST]
    content = text(bits, blank, end)
    np.testing.assert_array_equal(parse(content if last else content.rstrip(b"\r\n")), 255 * bits)


@given(st.integers(0, 2 * 1568 - 1), st.binary(max_size=2))
def test_fast_reading_agrees_with_reading_line_by_line(place, put):
    """Wherever something else stands in the text: it is refused, or gives what the plain reading gives."""
    content = bytearray(text(BITS[mnist_fixed.TEST]))
    content[place : place + 1] = put
    lines = bytes(content).replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    rows = [[value for value in line.split(b" ") if value] for line in lines]
    if [len(row) for row in rows] == [784, 784] and {value for row in rows for value in row} <= {b"0", b"1"}:
        np.testing.assert_array_equal(parse(bytes(content)), [[255 * int(value) for value in row] for row in rows])
    else:
        with pytest.raises(InputError, match=r"text, line [12]: |text has [13] lines"):
            parse(bytes(content))


def changed(line, old, new):
    """The two lines of the test file, with one part of one line replaced."""
    lines = [b"0 " * 783 + b"1", b"0 " * 783 + b"1"]
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new, 1)
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(1, b"0 1", b"0 2"), "text, line 2: '2' is neither 0 nor 1"),
        (changed(1, b"0 0", b"0\t0"), r"text, line 2: '0\\t0' is neither 0 nor 1"),
        (changed(1, b"0 1", b"1"), "text, line 2: it has 783 values, it must have 784"),
        (changed(0, b"0 0", b"0\n0"), "text, line 1: it has 1 values, it must have 784"),
        (changed(0, b"0 1", b"0") + b"1\n", "text, line 1: it has 783 values"),
        (changed(1, b"", b"")[: 784 * 2], "text has 1 lines, it must have 2"),
        (text(np.ones((3, 784), int)), "text has 3 lines, it must have 2"),
        (b"<html>\n\xff", "text, line 1: '<html>' is neither 0 nor 1"),
    ],
)
def test_fault_is_named_by_its_line(content, message):
    with pytest.raises(InputError, match=message):
        parse(content)


def test_other_binarization_is_read_with_a_warning(contents, caplog):
    contents[mnist_fixed.TEST] = text(1 - BITS[mnist_fixed.TEST])
    with caplog.at_level(logging.WARNING):
        mnist_fixed.read(contents)
    (message,) = [record.getMessage() for record in caplog.records]
    assert mnist_fixed.TEST in message
    assert sha256(contents[mnist_fixed.TEST]) in message


def test_damaged_file_is_refused_on_reading(contents, tmp_path):
    write(tmp_path / "mnist-fixed", {**contents, mnist_fixed.VALIDATION: contents[mnist_fixed.VALIDATION][:-2]})
    with pytest.raises(InputError, match=rf"{mnist_fixed.VALIDATION}, line 3: it has 783 values"):
        load("mnist-fixed", tmp_path, 3)
