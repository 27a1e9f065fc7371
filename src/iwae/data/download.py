"""Files from the web, in memory: with limits of time and size, and with the reason in one sentence where it fails."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterable

from iwae.data.dataset import Source
from iwae.errors import InputError

_SILENCE = 20.0  # seconds without an answer after which a connection is given up
_LONGEST = 1800.0  # seconds for one file: 80 MB at 44 kB/s
_CHUNK = 2**16  # bytes


def from_web(address: str, files: Iterable[str], most: int) -> Source:
    """The source that downloads each of `files` from below `address`, at most `most` bytes each."""
    return lambda _: {file: download(f"{address}/{file}", most) for file in files}


def download(url: str, most: int) -> bytes:
    """The file at `url`.

    Args:
        url: Its address.
        most: How many bytes it may have; a longer answer is not read to its end.

    Raises:
        InputError: It cannot be reached, is not there, is too long, takes too long, or was cut short.
    """
    try:
        with urllib.request.urlopen(url, timeout=_SILENCE) as answer:
            promised = answer.length
            content = _content(answer, url, most)
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"{url} could not be downloaded: {error}") from error
    except OSError as error:
        raise InputError(f"{url} could not be downloaded: {getattr(error, 'reason', error)}") from error
    if promised not in (None, len(content)):
        raise InputError(f"{url} was cut short: {len(content)} of {promised} bytes came")
    return content


def _content(answer: http.client.HTTPResponse, url: str, most: int) -> bytes:
    content, end = bytearray(), time.monotonic() + _LONGEST
    while chunk := answer.read(_CHUNK):
        content += chunk
        if len(content) > most:
            raise InputError(f"{url} is too long: the file may have {most} bytes at most")
        if time.monotonic() > end:
            raise InputError(f"{url} took more than {_LONGEST:.0f} seconds")
    return bytes(content)
