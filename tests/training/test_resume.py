"""Killed at any moment, training goes on with the same command and ends with the same bits."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from iwae.errors import InputError
from iwae.files import locked, sha256
from iwae.study.protocol import preset
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import run
from iwae.training import state as states

MODEL = "mnist/l1-iwae-k2/seed0"


@pytest.fixture
def train(mnist, device):
    """Trains models in this process, uncompiled, and saves their states after every block."""

    def train_them(folder, *names, stages=3):
        # A norm over all parameters depends on their order, which files of states do not keep.
        protocol = preset("authors-code").with_overrides({"shuffle": True, "gradient_clip": 10.0})
        settings = TrainingSettings(protocol, stages=stages, train_images=400)
        paths = run.Paths(mnist, folder / "results", folder / "checkpoints")
        specs = [ModelSpec.parse(name) for name in names or [MODEL]]
        with torch.compiler.set_stance("force_eager"):
            run.train(specs, paths, settings, device.type, checkpoint_minutes=0)

    return train_them


def weights(folder, name=MODEL):
    return sha256(folder / "results" / name / "model.safetensors")


def outcome(folder):
    """The weights' SHA-256 and the curve without its timings."""
    with (folder / "results" / MODEL / "training.csv").open() as stream:
        return weights(folder), [{**row, "images_per_second": ""} for row in csv.DictReader(stream)]


def kill_after_checkpoints(process, checkpoint, writes):
    """Wait until the checkpoint has been written so many times, and SIGKILL; whether there was something to kill."""
    seen, last = 0, checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while seen < writes and process.poll() is None:
        now = checkpoint.stat().st_mtime_ns if checkpoint.exists() else last
        seen, last = seen + (now != last), now
        time.sleep(0.002)
    killed = process.poll() is None
    process.kill()
    process.wait()
    return killed


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_killed_twice(mnist, device, tmp_path, compiled):
    def start(folder):
        command = [sys.executable, "-m", "iwae", "train", "--models", MODEL, "--data", str(mnist), "--stages", "3"]
        command += ["--results", str(folder / "results"), "--checkpoints", str(folder / "checkpoints")]
        command += ["--train-images", "400", "--set", "shuffle=true", "--checkpoint-minutes", "0"]
        environment = os.environ | {"TORCHDYNAMO_DISABLE": str(int(not compiled))}
        with (tmp_path / "log").open("a") as log:  # which says where compilation failed: that sums in another order
            return subprocess.Popen([*command, "--device", device.type], env=environment, stderr=log)

    checkpoint = tmp_path / "killed/checkpoints" / f"{MODEL}.safetensors"
    kills = [kill_after_checkpoints(start(tmp_path / "killed"), checkpoint, writes) for writes in (1, 4)]
    assert kills == [True, True]
    assert not (tmp_path / "killed/results").exists()
    assert [start(tmp_path / folder).wait() for folder in ("killed", "uninterrupted")] == [0, 0]
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "uninterrupted"), (tmp_path / "log").read_text()


def test_a_schedule_is_extended_not_restarted(train, tmp_path):
    train(tmp_path / "whole")
    train(tmp_path / "extended", stages=2)
    curve = outcome(tmp_path / "extended")[1]
    train(tmp_path / "extended")
    assert outcome(tmp_path / "extended") == outcome(tmp_path / "whole")
    assert outcome(tmp_path / "extended")[1][: len(curve)] == curve


def test_a_state_beyond_a_shorter_schedule_is_refused(train, tmp_path, monkeypatch):
    """Else a model of three stages, or of parts of them, would be written as one of two."""
    save = run.Task.save

    def killed(task, state):
        save(task, state)
        if state.updates == 100:
            raise KeyboardInterrupt

    monkeypatch.setattr(run.Task, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    monkeypatch.setattr(run.Task, "save", save)
    with pytest.raises(InputError, match="stands at update 100, beyond the 80 that are asked for"):
        train(tmp_path, stages=2)
    assert not (tmp_path / "results").exists()
    train(tmp_path)


def test_a_trained_model_s_state_has_its_parameters_in_its_folder(train, tmp_path):
    """So further stages go on from the very weights that are there, and without the folder from the start."""
    train(tmp_path / "whole")
    train(tmp_path, stages=2)
    with safe_open(tmp_path / "checkpoints" / f"{MODEL}.safetensors", framework="pt") as state:
        assert {name.partition(".")[0] for name in state.keys()} == {"first", "second", "generator"}  # noqa: SIM118
    path = tmp_path / "results" / MODEL / "model.safetensors"
    kept = path.with_name("manifest.json").rename(tmp_path / "manifest.json")
    with pytest.raises(InputError, match=r"has lost its manifest\.json: restore it, or delete the folder"):
        train(tmp_path)
    kept.rename(path.with_name("manifest.json"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match=r"goes on from weights that are not in .*: restore them, or delete it and "):
        train(tmp_path)
    shutil.rmtree(path.parent)
    train(tmp_path)
    assert outcome(tmp_path) == outcome(tmp_path / "whole")


def test_a_continued_model_begins_at_the_end_of_another(train, tmp_path):
    """One command trains both; alone, the continued one needs the state of the other, complete."""
    origin, model = "mnist/l1-vae-k1/seed0", "mnist/l1-iwae-k2-from-vae-k1/seed0"
    with pytest.raises(InputError, match=f"{origin} cannot be continued, since its training state .* is gone"):
        train(tmp_path / "a", model, stages=1)
    train(tmp_path / "a", model, origin, stages=1)
    train(tmp_path / "b", origin, stages=1)
    train(tmp_path / "b", model, stages=1)
    assert weights(tmp_path / "a", model) == weights(tmp_path / "b", model)
    # A longer schedule of the origin is another beginning.
    train(tmp_path / "b", origin, model, stages=2)
    assert weights(tmp_path / "a", model) != weights(tmp_path / "b", model)


@pytest.fixture
def elsewhere(train, tmp_path, device, monkeypatch):
    """The other kind of device, which has trained two stages."""
    other = {"cpu": "cuda", "cuda": "cpu"}[device.type]
    keys, save = states.settings_key, states.save
    with monkeypatch.context() as there:  # a state as the other kind would have written it
        there.setattr(states, "settings_key", lambda *arguments: keys(*arguments[:-1], other))
        there.setattr(states, "save", lambda path, key, state: save(path, key, replace(state, generator=torch.ones(7))))
        train(tmp_path, stages=2)
    return other


def provenance(folder):
    return json.loads((folder / "results" / MODEL / "manifest.json").read_text())["training"]["provenance"]


def test_a_training_moves_to_another_kind_of_device(train, tmp_path, elsewhere):
    """Its generator begins anew there, and the manifest says so; what was learned goes on."""
    before = outcome(tmp_path)[1]
    train(tmp_path)
    assert outcome(tmp_path)[1][: len(before)] == before
    assert provenance(tmp_path)["moves"] == [{"updates": 80, "device": elsewhere}]


@pytest.fixture
def killed_before_its_folder(monkeypatch):
    monkeypatch.setattr(run.Task, "save_moments", lambda task, state: None)


def test_what_another_kind_of_device_has_finished_is_written_as_it_is(
    train, tmp_path, killed_before_its_folder, elsewhere
):
    before = outcome(tmp_path)
    shutil.rmtree(tmp_path / "results")
    train(tmp_path, stages=2)
    assert outcome(tmp_path) == before
    assert provenance(tmp_path)["device"] == elsewhere and "moves" not in provenance(tmp_path)


def test_two_processes_do_not_train_one_model(train, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_LOCK_SECONDS", 0)
    lock = tmp_path / "checkpoints" / f"{MODEL}.lock"
    with locked(lock), pytest.raises(InputError, match=f"{lock} is held by process {os.getpid()} on "):
        train(tmp_path)
    assert not (tmp_path / "results").exists()


def test_what_another_process_finished_meanwhile_stays_as_it_is(train, tmp_path, monkeypatch):
    train(tmp_path, stages=1)
    path = tmp_path / "results" / MODEL / "manifest.json"
    before = path.stat().st_mtime_ns
    monkeypatch.setattr(run, "_unfinished", lambda specs, *_: specs)  # decided before it waited for the lock
    train(tmp_path, stages=1)
    assert path.stat().st_mtime_ns == before


def test_what_a_killed_process_left_is_removed(train, tmp_path):
    state = tmp_path / "checkpoints" / MODEL.replace("seed0", ".seed0.safetensors.a1b2c3d4")
    unfinished = tmp_path / "results" / MODEL / ".model.safetensors.a1b2c3d4"
    for left in (state, unfinished):
        left.parent.mkdir(parents=True)
        left.write_text("half a file")
    train(tmp_path, stages=1)
    assert sorted(path.name for path in state.parent.iterdir()) == ["seed0.lock", "seed0.safetensors"]
    assert (unfinished.parent / "model.safetensors").is_file() and not unfinished.exists()
