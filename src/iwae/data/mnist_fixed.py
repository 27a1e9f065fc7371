"""MNIST as Larochelle binarized it, once and for all: the data of the paper's Table 3 (appendix D).

Its files are text, a line of 784 zeros and ones for each image, and are accepted by their content. The SHA-256 below
are second-hand: TensorFlow Datasets compares what it downloads from the same address with them. So another SHA-256 is a
reason to warn, not to refuse; which files a result is about, its manifest says.
"""

import logging
from collections.abc import Mapping
from functools import partial

import numpy as np

from iwae.data.checks import sha256
from iwae.data.dataset import Dataset
from iwae.data.download import from_web
from iwae.errors import InputError
from iwae.study.registry import DATASETS

TRAIN, VALIDATION, TEST = DATASETS["mnist-fixed"].files
ROWS = {TRAIN: 50_000, VALIDATION: 10_000, TEST: 10_000}  # images of each file
SHA256 = {
    TRAIN: "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    VALIDATION: "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    TEST: "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
}

_ADDRESS = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"
_LONGEST = 2**27  # bytes; the longest file has 78,400,000
_PIXELS = 784
_NEWLINE = ord("\n")

_log = logging.getLogger(__name__)


def read(contents: Mapping[str, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The 60,000 images for training, Larochelle's 10,000 for validation last, and the test images, of 0 and 255.

    Raises:
        InputError: A file does not hold what it should.
    """
    for file, content in contents.items():
        found = sha256(content)
        if found != SHA256[file]:
            _log.warning("%s has the right form but may be another binarization: its SHA-256 is %s", file, found)
    train, validation, test = (parse(contents[file], file, file) for file in ROWS)
    return np.concatenate([train, validation]), test


def parse(content: bytes, name: str, file: str) -> np.ndarray:
    """The images in the text of one file.

    Args:
        content: Lines of 784 zeros and ones, separated by blanks.
        name: What messages call the file.
        file: Which of the three it is.

    Returns:
        (n, 784) ``uint8`` of 0 and 255.

    Raises:
        InputError: A line has other values or another number of them, or there are not as many lines as images.
    """
    text = content.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    visible = np.frombuffer(text, np.uint8) > ord(" ")
    symbols = np.frombuffer(text.replace(b" ", b""), np.uint8)
    touching = (visible[1:] & visible[:-1]).any()
    if touching or symbols.size != ROWS[file] * (_PIXELS + 1):
        raise _fault(text, name, ROWS[file])
    table = symbols.reshape(ROWS[file], _PIXELS + 1)
    digits = table[:, :_PIXELS]
    if (table[:, _PIXELS] != _NEWLINE).any() or not ((digits == ord("0")) | (digits == ord("1"))).all():
        raise _fault(text, name, ROWS[file])
    return (digits - ord("0")) * np.uint8(255)


def _fault(text: bytes, name: str, rows: int) -> InputError:
    """What is wrong with a text that is known to be wrong: the first line that is, or the number of lines."""
    lines = text.split(b"\n")[:-1]
    for number, line in enumerate(lines, start=1):
        values = [value for value in line.split(b" ") if value]
        wrong = next((value for value in values if value not in (b"0", b"1")), None)
        if wrong is not None:
            shown = ascii(wrong[:20].decode("latin1"))
            return InputError(f"{name}, line {number}: {shown} is neither 0 nor 1, separated by blanks.")
        if len(values) != _PIXELS:
            return InputError(f"{name}, line {number}: it has {len(values)} values, it must have {_PIXELS}.")
    return InputError(f"{name} has {len(lines)} lines, it must have {rows}.")


MNIST_FIXED = Dataset(
    DATASETS["mnist-fixed"],
    checks={file: partial(parse, file=file) for file in ROWS},
    sources={"Larochelle's page": from_web(_ADDRESS, ROWS, _LONGEST)},
    read=read,
)
