import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iwae.errors import InputError
from iwae.study import manifest
from iwae.study.measurements import ActivitySettings, LikelihoodSettings, SurgerySettings
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

MODEL = ModelSpec("mnist", 2, "iwae", 5, 3)
TRAINING = TrainingSettings().as_dict()
SURGERY = SurgerySettings().as_dict()
WEIGHTS = b"the weights"
IGNORED = shutil.ignore_patterns("__pycache__")
# Enters one section again and again, beside other processes that do so with theirs.
RECORDER = """
import sys
from pathlib import Path
from iwae.study import manifest
from iwae.study.specification import ModelSpec
folder, section = Path(sys.argv[1]), sys.argv[2]
sys.stdin.read()  # start together
for round in range(12):
    manifest.record(folder, ModelSpec("mnist", 2, "iwae", 5, 3), section, {"round": round}, [f"{section}.csv"], {})
"""


def _train(folder, weights=WEIGHTS, settings=TRAINING):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.WEIGHTS).write_bytes(weights)
    (folder / "training.csv").write_text("pass,train_bound\n1,-200\n")
    manifest.record(folder, MODEL, "training", settings, [manifest.WEIGHTS, "training.csv"], {"wall_seconds": 1.5})


@pytest.fixture
def folder(tmp_path):
    """The folder of a model, trained and measured by one verb."""
    folder = tmp_path / MODEL.name
    _train(folder)
    (folder / "surgery.csv").write_text("images,term,value,se\n")
    manifest.record(folder, MODEL, "surgery", SURGERY, ["surgery.csv"], {})
    return folder


def test_manifest_says_what_made_each_file(folder):
    hashed = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in os.listdir(folder)}
    assert json.loads((folder / "manifest.json").read_text()) == manifest.read(folder)
    assert manifest.read(folder) == {
        "model": {"dataset": "mnist", "layers": 2, "objective": "iwae", "k": 5, "seed": 3},
        "training": {
            "settings": TRAINING,
            "files": {name: hashed[name] for name in ("model.safetensors", "training.csv")},
            "provenance": {"wall_seconds": 1.5},
        },
        "surgery": {
            "settings": SURGERY,
            "weights": hashlib.sha256(WEIGHTS).hexdigest(),
            "files": {"surgery.csv": hashed["surgery.csv"]},
            "provenance": {},
        },
    }


def test_sections_stand_in_the_order_of_the_work(folder):
    (folder / "activity.csv").write_text("layer,unit\n")
    manifest.record(folder, MODEL, "activity", ActivitySettings().as_dict(), ["activity.csv"], {})
    assert list(manifest.read(folder)) == ["model", "training", "activity", "surgery"]


def test_results_are_current_under_their_own_settings_alone(folder):
    assert manifest.is_current(folder, "training", TRAINING)
    assert manifest.is_current(folder, "surgery", SURGERY)
    assert not manifest.is_current(folder, "training", TrainingSettings(stages=7).as_dict())
    assert not manifest.is_current(folder, "surgery", SurgerySettings(sizes=(1000,)).as_dict())
    assert not manifest.is_current(folder, "surgery", {})
    assert not manifest.is_current(folder, "likelihood", LikelihoodSettings().as_dict())


def test_provenance_and_time_decide_nothing(folder):
    _train(folder)
    os.utime(folder / "surgery.csv", (0, 0))
    os.utime(folder / manifest.WEIGHTS)
    assert manifest.is_current(folder, "training", TRAINING)
    assert manifest.is_current(folder, "surgery", SURGERY)


@pytest.mark.parametrize(
    ("lost", "section"), [("training.csv", "training"), ("model.safetensors", "training"), ("surgery.csv", "surgery")]
)
def test_result_that_has_lost_a_file_is_not_current(folder, lost, section):
    (folder / lost).unlink()
    current = {name: manifest.is_current(folder, name, s) for name, s in (("training", TRAINING), ("surgery", SURGERY))}
    assert [name for name, is_current in current.items() if not is_current] == [section]


def test_other_weights_make_measurements_old(folder):
    _train(folder, b"other weights")
    assert manifest.is_current(folder, "training", TRAINING)
    assert not manifest.is_current(folder, "surgery", SURGERY)
    manifest.record(folder, MODEL, "surgery", SURGERY, ["surgery.csv"], {})
    assert manifest.is_current(folder, "surgery", SURGERY)


def test_nothing_is_current_without_a_manifest(tmp_path):
    assert not manifest.is_current(tmp_path, "training", TRAINING)
    assert not manifest.is_current(tmp_path / "nowhere", "training", TRAINING)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        b'{"model": ',
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"model": {"dataset": "mnist"}}',
        b'{"model": {"dataset": "mnist", "layers": 2, "objective": "iwae", "k": "5", "seed": 3}}',
        b'{"model": {"dataset": "mnist", "layers": 3, "objective": "iwae", "k": 5, "seed": 3}}',
        b'{"model": {"dataset": "mnist", "layers": 2, "objective": "iwae", "k": 5, "seed": 3}}',
        b'{"model": {"dataset": "mnist", "layers": 2, "objective": "iwae", "k": 5, "seed": 3}, "training": {}}',
    ],
)
def test_damaged_manifest_is_named_and_left_alone(refused, folder, content):
    (folder / manifest.NAME).write_bytes(content)
    message = refused(manifest.is_current, folder, "training", TRAINING)
    assert message.startswith(f"{folder / 'manifest.json'} is damaged (")
    assert message.endswith("): restore it or delete the folder and train again.")
    assert "\n" not in message
    with pytest.raises(InputError, match="is damaged"):
        manifest.record(folder, MODEL, "surgery", SURGERY, ["surgery.csv"], {})
    assert (folder / manifest.NAME).read_bytes() == content


def test_changed_weights_are_found(refused, folder):
    content = b"The weights"
    (folder / manifest.WEIGHTS).write_bytes(content)
    found, expected = (hashlib.sha256(c).hexdigest() for c in (content, WEIGHTS))
    assert refused(manifest.checked_file, folder, "training", manifest.WEIGHTS) == (
        f"{folder / manifest.WEIGHTS} is not the file its manifest describes: SHA-256 {found} instead of {expected}."
    )


@pytest.mark.parametrize(
    ("section", "name", "sentence"),
    [
        ("training", "training.csv", "{path} is missing: restore it, or train the model again."),
        (
            "pictures",
            "pictures.npz",
            "{path} is unknown to {manifest}, which has no section 'pictures': "
            "run `python -m iwae measure --model {path.parent} --sections pictures`.",
        ),
    ],
)
def test_missing_file_is_one_sentence(refused, folder, section, name, sentence):
    (folder / "training.csv").unlink()
    expected = sentence.format(path=folder / name, manifest=folder / "manifest.json")
    assert refused(manifest.checked_file, folder, section, name) == expected


def test_file_that_was_not_written_cannot_be_recorded(folder):
    before = (folder / manifest.NAME).read_bytes()
    with pytest.raises(FileNotFoundError):
        manifest.record(folder, MODEL, "pictures", {}, ["pictures.npz"], {})
    assert (folder / manifest.NAME).read_bytes() == before


def test_verbs_that_finish_together_lose_nothing(folder):
    sections = manifest.SECTIONS[1:]
    recorders = []
    for section in sections:
        (folder / f"{section}.csv").write_text(section)
        command = [sys.executable, "-c", RECORDER, str(folder), section]
        recorders.append(subprocess.Popen(command, stdin=subprocess.PIPE))
    for recorder in recorders:
        recorder.stdin.close()
    assert [recorder.wait() for recorder in recorders] == [0] * len(sections)
    content = manifest.read(folder)
    assert content["training"]["settings"] == TRAINING
    assert {section: content[section]["settings"] for section in sections} == {s: {"round": 11} for s in sections}
    assert not [name for name in os.listdir(folder) if name.startswith(".manifest.json.") and "lock" not in name]


def test_provenance_of_the_code_can_be_kept(folder):
    provenance = manifest.code_provenance()
    assert json.loads(json.dumps(provenance)) == provenance
    assert provenance["source_sha256"] == manifest.source_sha256()
    assert len(provenance["source_sha256"]) == 64
    assert {"git_commit", "python", "torch", "numpy"} <= set(provenance)


def test_stripped_weights_are_gone_and_what_was_measured_stays_current(folder):
    before = manifest.read(folder)
    manifest.strip(folder)
    (folder / manifest.WEIGHTS).write_bytes(WEIGHTS)  # as a call leaves them that is killed after its manifest
    manifest.strip(folder)
    assert not (folder / manifest.WEIGHTS).exists()
    assert manifest.read(folder)["training"] == before["training"] | {"stripped": True}
    assert manifest.is_current(folder, "training", TRAINING) and manifest.is_current(folder, "surgery", SURGERY)
    with pytest.raises(InputError, match="was deleted to make the study small: train the model again"):
        manifest.checked_file(folder, "training", manifest.WEIGHTS)


def test_weights_that_nothing_was_measured_of_are_not_stripped(tmp_path):
    _train(tmp_path)
    with pytest.raises(InputError, match="has not been measured"):
        manifest.strip(tmp_path)
    assert (tmp_path / manifest.WEIGHTS).is_file()


def test_weights_that_are_not_the_manifest_s_are_not_stripped(folder):
    (folder / manifest.WEIGHTS).write_bytes(b"others")
    with pytest.raises(InputError, match="is not the file its manifest describes"):
        manifest.strip(folder)
    assert (folder / manifest.WEIGHTS).is_file() and not manifest.is_stripped(manifest.read(folder))


def test_the_commit_is_that_of_the_library_and_other_files_do_not_make_it_dirty(tmp_path):
    def git(*arguments):
        name = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(
            ["git", *name, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    def recorded(folder):
        program = "from iwae.study import manifest; print(manifest.code_provenance()['git_commit'])"
        environment = os.environ | {"PYTHONPATH": str(tmp_path / folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-P", "-c", program]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    for folder in ("src", "elsewhere"):
        shutil.copytree(Path(manifest.__file__).parents[1], tmp_path / folder / "iwae", ignore=IGNORED)
    (tmp_path / "results.csv").write_text("old")
    git("init"), git("add", "."), git("commit", "--message", "all")
    commit = git("rev-parse", "HEAD").strip()
    (tmp_path / "results.csv").write_text("new")
    assert recorded("src") == commit
    (tmp_path / "src/iwae/bounds.py").write_text("")
    assert recorded("src") == f"{commit}-dirty"
    assert recorded("elsewhere") == "None"
