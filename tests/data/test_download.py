"""Downloads from a server on this machine; the network is never used."""

import http.server
import socket
import threading

import pytest

from iwae.data import download as module
from iwae.data.checks import by_sha256, sha256
from iwae.data.dataset import dataset_named
from iwae.data.download import download, from_web
from iwae.data.sources import fetch
from iwae.errors import InputError

FILES = {"a.bin": bytes(range(256)) * 999, "b.bin": b"small"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `FILES`; below /short/ it breaks off half-way, below /endless/ it sends zeros without saying how many."""

    def do_GET(self):  # noqa: N802 - the name that the base class calls
        kind, _, name = self.path.strip("/").partition("/")
        if name not in FILES:
            self.send_error(404)
            return
        content = FILES[name]
        self.send_response(200)
        if kind != "endless":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        served = {"short": content[: len(content) // 2], "endless": bytes(10**6)}
        self.wfile.write(served.get(kind, content))

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_too_long_a_file_is_given_up(server):
    with pytest.raises(InputError, match=r"a\.bin is too long: the file may have 255743 bytes at most"):
        download(f"{server}/right/a.bin", len(FILES["a.bin"]) - 1)
    assert download(f"{server}/right/a.bin", len(FILES["a.bin"])) == FILES["a.bin"]


def test_length_that_is_not_announced_is_limited(server):
    with pytest.raises(InputError, match="is too long"):
        download(f"{server}/endless/b.bin", 10**5)
    assert download(f"{server}/endless/b.bin", 10**6) == bytes(10**6)


def test_file_cut_short_is_refused(server):
    with pytest.raises(InputError, match=r"a\.bin was cut short: 127872 of 255744 bytes came"):
        download(f"{server}/short/a.bin", 10**6)


def test_missing_file_is_named(server):
    with pytest.raises(InputError, match=r"right/c\.bin could not be downloaded: HTTP Error 404: Not Found"):
        download(f"{server}/right/c.bin", 10**6)


def test_silent_server_is_given_up(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(module, "_SILENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/file"
        with pytest.raises(InputError, match=f"{url} could not be downloaded: timed out"):
            download(url, 10)
    with pytest.raises(InputError, match=f"{url} could not be downloaded: .*refused"):  # nobody listens any more
        download(url, 10)


def test_slow_file_is_given_up(server, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST", -1.0)
    with pytest.raises(InputError, match="took more than -1 seconds"):
        download(f"{server}/right/a.bin", 10**6)


def test_data_set_is_fetched_from_the_web(server, enter, tmp_path):
    checks = {name: by_sha256(sha256(content)) for name, content in FILES.items()}
    enter("web", checks, {"the server": from_web(f"{server}/right", FILES, 10**6)})
    fetch("web", tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "web").iterdir()} == FILES


@pytest.mark.parametrize(
    ("dataset", "address"),
    [
        ("omniglot", "https://raw.githubusercontent.com/yburda/iwae/master/datasets/OMNIGLOT"),
        ("mnist-fixed", "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"),
    ],
)
def test_addresses_of_the_published_files(monkeypatch, tmp_path, dataset, address):
    asked = []
    monkeypatch.setattr(module, "download", lambda url, most: asked.append(url) or b"")
    known = dataset_named(dataset)
    (source,) = known.sources.values()
    assert tuple(source(tmp_path)) == known.entry.files
    assert asked == [f"{address}/{file}" for file in known.entry.files]
