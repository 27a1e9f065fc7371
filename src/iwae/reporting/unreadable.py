"""What reading a damaged file can raise, of which an audit tells in a sentence. All else is no fault of a file."""

import zipfile
import zlib

from safetensors import SafetensorError

# InputError is a ValueError, as are errors of JSON, CSV, UTF-8 and npz headers; damaged archives and streams raise the
# others, NotImplementedError where an npz names a compression that there is not; a manifest or configuration of the
# wrong shape raises KeyError, TypeError, IndexError or AttributeError.
UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    SafetensorError,
    zlib.error,
)


def reason(error: Exception) -> str:
    """The error in one line, with its kind where it is not one of ours."""
    text = " ".join(str(error).split()) or "no reason given"
    return text if type(error).__name__ == "InputError" else f"{type(error).__name__}: {text}"
