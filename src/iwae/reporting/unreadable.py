"""What reading a damaged file can raise, of which an audit tells in a sentence. All else is no fault of a file."""

import io
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from iwae.errors import InputError

# InputError is a ValueError, as are errors of JSON, CSV and UTF-8; a manifest or configuration of the wrong shape
# raises KeyError, TypeError, IndexError or AttributeError.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SafetensorError)


def reason(error: Exception) -> str:
    """The error in one line, with its kind where it is not one of ours."""
    text = " ".join(str(error).split()) or "no reason given"
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name; `InputError` where it cannot be read."""
    try:
        with np.load(io.BytesIO(path.read_bytes())) as arrays:  # a path to a damaged one numpy leaves open
            return dict(arrays)
    # One flipped bit makes numpy and zipfile raise a dozen kinds, RuntimeError and TokenError among them.
    except Exception as error:
        raise InputError(f"{path} cannot be read ({reason(error)}): restore it or measure it again.") from error
