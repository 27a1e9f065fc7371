"""Sources are tried on a small data set of two files; the real MNIST is fetched by the fixture `mnist`."""

import dataclasses
import gzip
import hashlib
import logging
import socket
import sys
import types

import pytest

from iwae.data import mnist as mnist_module
from iwae.data.checks import by_sha256
from iwae.data.dataset import dataset_named
from iwae.data.sources import fetch
from iwae.errors import InputError
from iwae.study.registry import DATASETS

CONTENTS = {mnist_module.TRAIN: b"many images", mnist_module.TEST: b"few images"}
WRONG = {**CONTENTS, mnist_module.TEST: b"other images"}


@pytest.fixture
def tried():
    return []


@pytest.fixture
def install(enter, tried):
    """Makes "toy" a data set whose sources give these contents or raise these errors."""

    def source(name, outcome):
        def read(temporary):
            assert not list(temporary.iterdir())
            tried.append(name)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return read

    def install(**outcomes):
        sources = {name: source(name, outcome) for name, outcome in outcomes.items()}
        checks = {name: by_sha256(hashlib.sha256(content).hexdigest()) for name, content in CONTENTS.items()}
        enter("toy", checks, sources)

    return install


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_sources_are_tried_in_turn_and_each_is_logged(install, tried, tmp_path, caplog):
    install(first=OSError("no\nnetwork."), second=ImportError("no torchvision"), third=CONTENTS, fourth=CONTENTS)
    with caplog.at_level(logging.INFO):
        fetch("toy", tmp_path)
    assert tried == ["first", "second", "third"] and written(tmp_path / "toy") == CONTENTS
    assert [record.getMessage() for record in caplog.records] == [
        f"Toy taken from third, verified, written to {tmp_path / 'toy'}",
        "(Not taken from first: no network; second: no torchvision)",
    ]


def test_wrong_bytes_are_refused_with_both_hashes(install, tried, tmp_path, caplog):
    install(first=WRONG, second=CONTENTS)
    fetch("toy", tmp_path)
    assert tried == ["first", "second"]
    message = caplog.records[0].getMessage()
    for content in (b"few images", b"other images"):
        assert hashlib.sha256(content).hexdigest() in message
    assert written(tmp_path / "toy") == CONTENTS


def test_nothing_is_written_unless_all_files_are_right(install, tmp_path):
    install(only=WRONG)
    with pytest.raises(InputError):
        fetch("toy", tmp_path)
    assert not written(tmp_path / "toy")


def test_what_a_source_gives_besides_is_not_written(install, tmp_path):
    install(only={**CONTENTS, "labels": b"unused"})
    fetch("toy", tmp_path)
    assert written(tmp_path / "toy") == CONTENTS


def test_data_sets_that_share_a_folder_share_its_files(install, enter, tried, tmp_path, caplog):
    install(first=CONTENTS)
    toy = dataset_named("toy")
    enter("twin", toy.checks, toy.sources, folder="toy")
    fetch("twin", tmp_path)
    assert written(tmp_path / "toy") == CONTENTS
    with caplog.at_level(logging.INFO):
        fetch("toy", tmp_path)
    assert tried == ["first"]
    assert caplog.records[-1].getMessage() == f"Toy is already in {tmp_path / 'toy'}, verified"


def test_failure_lists_each_source_and_what_to_do(refused, install, tmp_path):
    install(first=OSError("no network"), second=RuntimeError("no mirror"))
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "another data set").touch()
    message = refused(fetch, "toy", tmp_path / "data", folder)
    reasons = (f"the folder {folder}: ", "first: no network", "second: no mirror")
    for part in (*reasons, *CONTENTS, "--folder (data.folder of a configuration)"):
        assert part in message
    assert str(tmp_path / "data" / "toy") in message
    assert "\n" not in message


def test_files_that_are_right_are_left_alone(install, tried, tmp_path):
    install(first=CONTENTS)
    fetch("toy", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "toy").iterdir()}
    fetch("toy", tmp_path)
    assert tried == ["first"]
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "toy").iterdir()}


def test_damaged_file_is_fetched_again(install, tried, tmp_path):
    install(first=CONTENTS)
    fetch("toy", tmp_path)
    (tmp_path / "toy" / mnist_module.TEST).write_bytes(b"few")
    fetch("toy", tmp_path)
    assert tried == ["first", "first"]
    assert written(tmp_path / "toy") == CONTENTS


def test_named_folder_comes_first_plain_or_packed(install, tried, tmp_path):
    install(first=OSError("never asked"))
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / mnist_module.TRAIN).write_bytes(CONTENTS[mnist_module.TRAIN])
    (folder / f"{mnist_module.TEST}.gz").write_bytes(gzip.compress(CONTENTS[mnist_module.TEST]))
    fetch("toy", tmp_path / "data", folder)
    assert not tried
    assert written(tmp_path / "data" / "toy") == CONTENTS


def test_named_folder_without_files_is_refused(install, tried, tmp_path):
    install(first=CONTENTS)
    folder = tmp_path / "mine"
    with pytest.raises(InputError, match=f"^{folder} is no folder, and was named as one that holds data: put "):
        fetch("toy", tmp_path / "data", folder)
    folder.mkdir()
    with pytest.raises(InputError, match=f"^{folder} is empty, .*{mnist_module.TEST}, plain or .gz, there"):
        fetch("toy", tmp_path / "data", folder)
    assert not tried and not written(tmp_path / "data")


@pytest.mark.parametrize("damage", [b"no gzip", gzip.compress(b"few images")[:-9]])
def test_damaged_folder_leaves_it_to_the_other_sources(install, tried, tmp_path, damage):
    install(first=CONTENTS)
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in CONTENTS:
        (folder / f"{name}.gz").write_bytes(damage)
    fetch("toy", tmp_path / "data", folder)
    assert tried == ["first"]


def test_programming_errors_are_not_taken_for_failures(install, tmp_path):
    install(first=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        fetch("toy", tmp_path)


def test_unknown_data_set_is_named(tmp_path):
    with pytest.raises(InputError, match="'cifar' is unknown: use one of mnist"):
        fetch("cifar", tmp_path)


def test_files_without_a_check_are_refused():
    """They would be taken for verified ones."""
    with pytest.raises(InputError, match=r"^MNIST checks none of its files: it must have a check of train-.*, t10k-"):
        dataclasses.replace(dataset_named("mnist"), checks={})


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_is_what_its_entry_says(name):
    dataset = dataset_named(name)
    assert dataset.entry is DATASETS[name]
    assert tuple(dataset.checks) == dataset.entry.files
    assert 0 <= dataset.entry.validation_file <= dataset.entry.held_out < dataset.entry.images


def test_our_own_binarization_differs_from_mnist_in_nothing_else():
    ours = dataclasses.asdict(DATASETS["mnist-static"])
    other = {"title", "implementation", "fixed"}
    assert {key for key, value in dataclasses.asdict(DATASETS["mnist"]).items() if ours[key] != value} == other


def test_torchvision_downloads_quietly_and_with_a_time_limit(monkeypatch, tmp_path, capsys):
    class Downloader:
        def __init__(self, root, download):
            assert download
            assert socket.getdefaulttimeout() == 20
            print("100%")
            self.raw_folder = str(root / "raw")
            (root / "raw").mkdir()
            for name, content in CONTENTS.items():
                (root / "raw" / name).write_bytes(content)

    monkeypatch.setitem(sys.modules, "torchvision.datasets", types.SimpleNamespace(MNIST=Downloader))
    monkeypatch.setitem(sys.modules, "torchvision", types.SimpleNamespace())
    assert mnist_module.from_torchvision(tmp_path) == CONTENTS
    assert socket.getdefaulttimeout() is None
    assert capsys.readouterr().out == ""
