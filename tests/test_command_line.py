import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import iwae
from iwae.__main__ import main
from iwae.errors import DivergenceError, InputError, InterruptedTraining
from iwae.evaluation import run as measuring
from iwae.reporting import audit as auditing
from iwae.study.flags import as_flags
from iwae.study.measurements import MEASUREMENTS, SurgerySettings
from iwae.study.protocol import PRESETS, Protocol, preset
from iwae.study.registry import DATASETS
from iwae.study.settings import TrainingSettings
from iwae.training import run as training

ROOT = Path(__file__).resolve().parents[1]
VERBS = ("fetch", "train", "measure", "collect", "table", "figure", "summary", "audit", "readme", "benchmark")
NAME = "mnist/l1-iwae-k5/seed0"
# Says that it works, and goes on until it is ended.
ENDLESS = """
import time
import iwae.__main__ as command_line
def endless(options):
    print("at work", flush=True)
    time.sleep(3600)
command_line._fetch = endless
command_line.main(["--end-with-parent", "fetch"])
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.fixture
def ended(capsys):
    """A function that gives the status with which the parser of arguments ends, and what it says on both streams."""

    def status_and_output(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        return caught.value.code, *capsys.readouterr()

    return status_and_output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(ended, verb):
    status, out, _ = ended(verb, "--help")
    assert status == 0 and out.startswith(f"usage: python -m iwae {verb} ") and "%(" not in out


def test_help_lists_the_verbs(ended):
    status, out, _ = ended("--help")
    words = [line.split()[0] for line in out.splitlines() if line.startswith("    ")]
    assert status == 0 and [word for word in words if word.isalpha() and word in VERBS] == list(VERBS)


def test_version(ended):
    assert ended("--version") == (0, f"iwae {iwae.__version__}\n", "")


MEASURE = ["measure", "--model", "m", "--device", "cpu"]
TRAIN = ["train", "--results", "r", "--checkpoints", "c", "--models", NAME]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "the following arguments are required: VERB"),
        (["tarin"], "invalid choice: 'tarin'"),
        (["train"], "the following arguments are required: --models, --results, --checkpoints"),
        ([*TRAIN, "--set", "adam_beta1"], "'adam_beta1' is not of the form field=value"),
        ([*TRAIN, "--stages", "two"], "argument --stages: invalid int value: 'two'"),
        (["interim", "--results", "r", "--configuration", "x"], "'x' is no configuration: give the text of a conf"),
        ([*MEASURE, "--surgery-sizes", "1e3"], "argument --surgery-sizes: invalid int value: '1e3'"),
    ],
)
def test_misuse_is_explained_with_status_2(ended, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    status, _, said = ended(*arguments)
    assert status == 2 and reason in said.splitlines()[-1]
    assert os.listdir(tmp_path) == []


NO_MODEL = "holds no model: its manifest.json is missing; train the model or restore the file."
NO_RESULTS = "r/results.csv is missing: run `python -m iwae collect` first."
REPORT = ["--results", "r", "--figures", "f"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*TRAIN[:-1], "mnist/vae"], "'mnist/vae' is not a model's name: write it like mnist/l1-iwae-k5/seed0."),
        ([*TRAIN, "--protocol", "text"], f"protocol 'text' is unknown: use one of {', '.join(PRESETS)}."),
        ([*TRAIN, "--set", "loss=max"], "protocol field loss = 'max' is unknown: use one of sum, mean."),
        ([*TRAIN, "--stages", "9"], "stages = 9 is impossible: it must be 8 or less."),
        ([*TRAIN, "--set", "shuffle=yes"], "protocol field shuffle = 'yes' must be true or false."),
        ([*MEASURE, "--likelihood-samples", "0"], "likelihood: samples = 0 is impossible: it must be 1 or more."),
        ([*MEASURE, "--implicit-ks"], "implicit: ks = []: the list is empty: give at least one value."),
        ([*MEASURE, "--gradients-ks", "5", "5"], "gradients: ks = [5, 5]: 5 is given more than once."),
        (MEASURE, f"m {NO_MODEL}"),
        (["fetch", "--dataset", "cifar"], f"data set 'cifar' is unknown: use one of {', '.join(DATASETS)}."),
        (["collect", "--results", "r", "--models", NAME], f"r/{NAME} {NO_MODEL}"),
        (["table", "table1", "--results", "r"], NO_RESULTS),
        (["figure", "nll", *REPORT], NO_RESULTS),
        (["figure", "nll", "--results", "r"], NO_RESULTS),
        (["summary", *REPORT], NO_RESULTS),
        (["summary", "--results", "r"], NO_RESULTS),
        (["audit", "/nowhere"], "/nowhere is no folder: name that of a study, such as results/paper."),
    ],
)
def test_error_is_one_sentence_and_nothing_is_written(caplog, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert [record.getMessage() for record in caplog.records] == [f"error: {sentence}"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("verb", ["summary", "readme"])
def test_figures_that_are_not_there_are_no_figures(caplog, tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "results/two-units", "results/two-units")
    before = {path: path.read_bytes() for path in Path("results").rglob("*") if path.is_file()}
    for figures in ([], ["--figures", "figures/wrong"]):
        assert main([verb, "--results", "results/two-units", *figures]) == 2
        assert "is no folder: draw the figures of results/two-units first, or name theirs." in caplog.messages[-1]
    assert before == {path: path.read_bytes() for path in Path(".").rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("log_only", [{}, {"IWAE_LOG_ONLY": "1"}])
def test_missing_data_in_a_process_of_its_own(tmp_path, log_only):
    """The workflow may ask that messages go to the log alone."""
    results, checkpoints, log = tmp_path / "r", tmp_path / "c", tmp_path / "logs" / "train.log"
    command = [sys.executable, "-m", "iwae", "--log", log, "train", "--models", NAME, "--data", tmp_path / "none"]
    command += ["--results", results, "--checkpoints", checkpoints, "--device", "cpu"]
    finished = subprocess.run(command, capture_output=True, text=True, env=os.environ | log_only)
    path = tmp_path / "none" / "mnist" / "train-images-idx3-ubyte"
    reason = f"{path} cannot be read (No such file or directory)"
    command = f"python -m iwae fetch --dataset mnist --output {tmp_path / 'none'}"
    said = f"error: {reason}: fetch the data first, with `{command}`.\n"
    assert (finished.returncode, finished.stdout, finished.stderr) == (2, "", "" if log_only else said)
    assert log.read_text() == said
    assert not results.exists()
    assert {path.suffix for path in checkpoints.rglob("*") if path.is_file()} <= {".lock"}


@pytest.fixture
def trained(monkeypatch):
    """Stands in for training; gives the arguments it was called with."""
    calls = []
    monkeypatch.setattr(training, "train", lambda *arguments: calls.append(arguments))
    return calls


def test_training_defaults_are_the_settings_own(trained):
    assert main(TRAIN) == 0
    ((specs, paths, settings, device, threads, minutes),) = trained
    assert [spec.name for spec in specs] == [NAME]
    assert [str(path) for path in (paths.data, paths.results, paths.checkpoints)] == ["data", "r", "c"]
    assert settings == TrainingSettings()
    assert (device, threads, minutes) == ("auto", 1, 5.0)


def test_training_options_reach_training(trained):
    other = "mnist/l2-vae-k1/seed7"
    options = ["--stages", "2", "--batch-size", "7", "--train-images", "70", "--study-seed", "4", "--device", "cpu"]
    assert main([*TRAIN, other, "--protocol", "paper-text", *options, "--checkpoint-minutes", "0.5"]) == 0
    ((specs, _, settings, device, _, minutes),) = trained
    assert [spec.name for spec in specs] == [NAME, other]
    assert settings == TrainingSettings(preset("paper-text"), 2, 7, 70, 4)
    assert (device, minutes) == ("cpu", 0.5)


def test_overrides_have_the_type_they_look_like(trained):
    given = {"adam_beta1": "0.9", "adam_epsilon": "1e-8", "held_out": "0", "shuffle": "true", "scale": "log-variance"}
    assert main([*TRAIN, "--set", *(f"{name}={value}" for name, value in given.items())]) == 0
    typed = {"adam_beta1": 0.9, "adam_epsilon": 1e-8, "held_out": 0, "shuffle": True, "scale": "log-variance"}
    assert trained[0][2].protocol == Protocol(**typed)


@pytest.fixture
def measured(monkeypatch):
    """Stands in for the measurements; gives the arguments they were called with."""
    calls = []
    monkeypatch.setattr(measuring, "measure", lambda *arguments: calls.append(arguments))
    return calls


def test_measuring_defaults_are_all_sections_with_their_own_settings(measured):
    assert main(["measure", "--model", "some/folder"]) == 0
    ((folder, data, wanted, device, threads),) = measured
    assert (str(folder), str(data), device, threads) == ("some/folder", "data", "auto", 1)
    assert wanted == {name: entry.settings() for name, entry in MEASUREMENTS.items()}


@pytest.mark.parametrize("sizes", [(), (7,), (2000, 500)])
def test_settings_of_a_section_are_flags_and_back(measured, sizes):
    settings = SurgerySettings(samples=9, sizes=sizes, seed=3)
    flags = " ".join(as_flags(settings, "surgery")).split()
    assert main(["measure", "--model", "m", "--sections", "surgery", *flags]) == 0
    assert measured[0][2] == {"surgery": settings}


@pytest.mark.parametrize(
    ("end", "status", "message"),
    [
        (InputError("one sentence."), 2, "error: one sentence."),
        (DivergenceError("the bound is nan.", []), 2, "error: the bound is nan."),
        (InterruptedTraining("saved."), 130, "saved."),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_status_says_how_it_ended(monkeypatch, caplog, end, status, message):
    def train(*_):
        raise end

    monkeypatch.setattr(training, "train", train)
    assert main(TRAIN) == status
    assert caplog.messages == [message]
    assert all(record.levelno >= logging.WARNING for record in caplog.records)


@pytest.mark.parametrize(("problems", "status"), [(["a", "b"], 1), ([], 0)])
def test_an_audit_that_finds_something_fails(monkeypatch, caplog, problems, status):
    monkeypatch.setattr(auditing, "audit", lambda *_: problems)
    assert main(["audit", "results/s"]) == status
    assert caplog.messages == ([f"The audit found {len(problems)} problem(s):\na\nb"] if problems else [])


def test_what_is_nobodys_input_keeps_its_traceback_and_has_it_in_the_log(monkeypatch, tmp_path):
    def train(*_):
        raise ValueError("a mistake in the library")

    monkeypatch.setattr(training, "train", train)
    log = tmp_path / "logs/train.log"
    with pytest.raises(ValueError, match="a mistake in the library"):
        main(["--log", str(log), *TRAIN])
    assert log.read_text().endswith("ValueError: a mistake in the library\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_work_ends_with_the_process_that_started_it():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, ENDLESS], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout.readline() == b"at work\n"
        parent.send_signal(signal.SIGKILL)  # it can end nothing itself
        # The pipe closes when the last process that can write to it is gone, which is the child.
        assert parent.communicate(timeout=600)[0] == b""
