"""Killed at any moment, training goes on with the same command and ends with the same bits."""

import csv
import subprocess
import sys
import time
from functools import partial

import pytest

from iwae.files import sha256

MODEL = "mnist/l1-iwae-k2/seed0"


@pytest.fixture(scope="module")
def command(device):
    return partial(_command, device.type)


def _command(device, mnist, folder, stages=3):
    return [
        *(sys.executable, "-m", "iwae", "train", "--models", MODEL, "--data", str(mnist)),
        *("--results", str(folder / "results"), "--checkpoints", str(folder / "checkpoints")),
        *("--stages", str(stages), "--train-images", "1000", "--set", "shuffle=true"),
        *("--checkpoint-minutes", "0", "--device", device),
    ]


def outcome(folder):
    """The weights' SHA-256 and the curve without its timings."""
    model = folder / "results" / MODEL
    with (model / "training.csv").open() as stream:
        curve = [{**row, "images_per_second": ""} for row in csv.DictReader(stream)]
    return sha256(model / "model.safetensors"), curve


@pytest.fixture(scope="module")
def uninterrupted(command, mnist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    subprocess.run(command(mnist, folder), check=True, capture_output=True)
    return outcome(folder)


def kill_after_checkpoints(arguments, checkpoint, writes):
    """Start, wait until the checkpoint has been written so many times, and SIGKILL."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen, last, deadline = 0, checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0, time.monotonic() + 120
    while seen < writes and process.poll() is None:
        assert time.monotonic() < deadline, "no checkpoint was written"
        now = checkpoint.stat().st_mtime_ns if checkpoint.exists() else last
        seen, last = seen + (now != last), now
        time.sleep(0.002)
    killed = process.poll() is None
    process.kill()
    process.wait()
    return killed


def test_killed_twice(command, mnist, tmp_path, uninterrupted):
    checkpoint = tmp_path / "checkpoints" / f"{MODEL}.safetensors"
    kills = [kill_after_checkpoints(command(mnist, tmp_path), checkpoint, writes) for writes in (1, 4)]
    assert kills == [True, True]
    assert not (tmp_path / "results").exists()
    subprocess.run(command(mnist, tmp_path), check=True, capture_output=True)
    assert outcome(tmp_path) == uninterrupted


def test_a_schedule_is_extended_not_restarted(command, mnist, tmp_path, uninterrupted):
    subprocess.run(command(mnist, tmp_path, stages=2), check=True, capture_output=True)
    first = outcome(tmp_path)
    subprocess.run(command(mnist, tmp_path), check=True, capture_output=True)
    assert outcome(tmp_path) == uninterrupted
    assert uninterrupted[1][: len(first[1])] == first[1]


def test_a_continued_model_begins_at_the_end_of_another(command, mnist, tmp_path):
    """One command trains both; alone, the continued one needs the state of the other, complete."""
    origin, model = "mnist/l1-vae-k1/seed0", "mnist/l1-iwae-k2-from-vae-k1/seed0"

    def run(folder, models, stages=1):
        arguments = command(mnist, folder, stages)
        arguments[arguments.index(MODEL) : arguments.index(MODEL) + 1] = models
        done = subprocess.run(arguments, capture_output=True, text=True)
        return done.returncode, done.stderr

    def weights(folder):
        return sha256(folder / "results" / model / "model.safetensors")

    status, output = run(tmp_path / "a", [model])
    assert status == 2 and f"{origin} cannot be continued, since its training state" in output and "is gone" in output
    assert run(tmp_path / "a", [model, origin])[0] == 0
    assert run(tmp_path / "b", [origin])[0] == 0
    assert run(tmp_path / "b", [model])[0] == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    # A longer schedule of the origin is another beginning.
    assert run(tmp_path / "b", [origin, model], stages=2)[0] == 0
    assert weights(tmp_path / "a") != weights(tmp_path / "b")


def test_two_processes_do_not_train_one_model(command, mnist, tmp_path):
    checkpoint = tmp_path / "checkpoints" / f"{MODEL}.safetensors"
    process = subprocess.Popen(command(mnist, tmp_path, stages=6), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.01)
        second = subprocess.run(command(mnist, tmp_path, stages=6), capture_output=True, text=True)
    finally:
        process.kill()
        process.wait()
    assert second.returncode == 2
    assert f"seed0.lock is held by process {process.pid} on " in second.stderr and second.stderr.endswith(
        "or end it.\n"
    )
