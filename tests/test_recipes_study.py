"""The recipes of docs/extending.md for what a study measures, sets and shows, followed in a copy of the library."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import iwae

ROOT = Path(__file__).resolve().parents[1]
MODEL = "toy/l1-iwae-k2/seed0"

DATA_MODULE = """
import numpy as np
from iwae.data.dataset import Dataset
from iwae.study.registry import DATASETS

(FILE,) = DATASETS["toy"].files


def read(contents):
    images = np.frombuffer(contents[FILE], np.uint8).reshape(-1, 784)
    return images[:60], images[60:]


def source(folder):
    return {FILE: np.random.default_rng(0).integers(0, 256, (70, 784), dtype=np.uint8).tobytes()}


TOY = Dataset(DATASETS["toy"], {FILE: lambda content, name: len(content)}, {"here": source}, read)
"""
DATA_ENTRY = """
DATASETS["toy"] = DatasetEntry("Toy", "toys", ("toy.bin",), 60, 20, "iwae.data.toy:TOY")
"""
MEASUREMENT_MODULE = """
def write(subject, settings):
    grey = subject.test[: settings.images].mean()
    subject.write_rows("toy.csv", [{"images": settings.images, "grey": grey, "cut": settings.cut}])
"""
MEASUREMENT_ENTRY = """

@dataclass(frozen=True)
class ToySettings(Settings):
    images: int = setting(3, "Test images", least=2)
    cut: float = setting(0.5, "Cut", least=0, most=1)


MEASUREMENTS["toy"] = Measurement("a toy", ToySettings, ("toy.csv",), reads=("activity",))
"""
QUANTITY = """
QUANTITIES["toy"] = Quantity(lambda study, model: Measured(float(model.table("toy").grey.mean())), "", 0.01, "toy")
"""
TABLE = """
TOY = Sum("toy", "grey level")
toy = Lines("{}: mean grey level", (TOY.counts, TOY), (TOY,), lambda part: [])
"""
TABLE_ENTRY = "  toy: {title: Grey level, models: all, section: toy, module: lines:toy}\n"
SETTING = '    toy: int = setting(1, "Toy", unit="parsec", least=1, later=True)\n'
BEFORE = "\n    def __post_init__(self) -> None:\n        super().__post_init__()\n        if self.train_images"
# What is added to which files: a new file, or text at the end of one or before some of its text.
RECIPES = {
    "data set": {"data/toy.py": DATA_MODULE, "study/registry.py": DATA_ENTRY},
    "measurement": {"evaluation/toy.py": MEASUREMENT_MODULE, "study/measurements.py": MEASUREMENT_ENTRY},
    "table of a quantity": {
        "reporting/quantities.py": QUANTITY,
        "reporting/tables/lines.py": TABLE,
        "reporting/contents.yaml": (TABLE_ENTRY, "figures:\n"),
    },
    "training setting": {"study/settings.py": (SETTING, BEFORE)},
}
RUN = """
import json, sys
from iwae.__main__ import main
from iwae.errors import InputError
from iwae.study.configuration import read_study
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) == 0, arguments
study = read_study(json.loads(sys.argv[2]))
said = []
for group, key in (("training", "toy"), ("toy", "cut")):
    try:
        read_study({**json.loads(sys.argv[2]), group: {**json.loads(sys.argv[2])[group], key: -1}})
    except InputError as error:
        said.append(str(error).splitlines()[1].strip())
model = study.models[0]
print(json.dumps([study.sections, study.settings("toy", model), study.settings("training", model), said]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the library in which the recipes were followed."""
    package = tmp_path_factory.mktemp("copy") / "src" / "iwae"
    shutil.copytree(Path(iwae.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for changes in RECIPES.values():
        for name, change in changes.items():
            path = package / name
            text = path.read_text() if path.exists() else ""
            if isinstance(change, tuple):
                added, before = change
                assert text.count(before) == 1
                text = text.replace(before, added + before)
            else:
                text += change
            path.write_text(text)
    return package.parent


def configuration():
    """A study with the toys alone."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["grid"] |= {"datasets": ["toy"], "layers": [1], "objectives": ["iwae"], "k": [2], "seeds": [0]}
    config["experiments"] = {name: {**group, "run": False} for name, group in config["experiments"].items()}
    config["training"] |= {"stages": 1, "toy": 2}
    return config | {
        "device": "cpu",
        "toy": {"images": 3, "cut": 0.25},
        "surgery": {**config["surgery"], "sizes": [20]},
    }


@pytest.fixture(scope="module")
def outcome(copy):
    """What a command line and a configuration make of the toys, in a process of its own; and the study's folder."""
    work = copy.parent
    places = ["--results", "results", "--checkpoints", "states", "--device", "cpu"]
    commands = [
        ["fetch", "--dataset", "toy"],
        ["train", "--models", MODEL, *places, "--stages", "1", "--toy", "2"],
        ["measure", "--model", f"results/{MODEL}", "--device", "cpu", "--sections", "likelihood", "activity", "toy"]
        + ["--likelihood-samples", "20", "--toy-cut", "0.25"],
        ["collect", "--results", "results", "--models", MODEL],
        ["table", "table1", "toy", "--results", "results"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands), json.dumps(configuration())],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(copy), "TORCHDYNAMO_DISABLE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), work / "results"


def test_a_new_data_set_is_fetched_trained_on_and_tabulated(outcome):
    _, results = outcome
    with (results / "table1.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["dataset"] for row in rows} == {"toy"}
    manifest = json.loads((results / MODEL / "manifest.json").read_text())
    assert manifest["training"]["settings"]["protocol"]["held_out"] == 20
    assert list(manifest["training"]["provenance"]["data_sha256"]) == ["toy.bin"]


def test_a_new_data_set_is_fetched_by_the_workflow_whatever_its_folder_is_called(copy, tmp_path):
    pytest.importorskip("snakemake")
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, copy.parent)
    shutil.copytree(ROOT / "workflow", copy.parent / "workflow")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(configuration() | {"study": "mine"}))
    planned = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "-s", copy.parent / "Snakefile", "--configfile", "mine.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert planned.returncode == 0, planned.stdout
    assert "rule fetch_toy:" in planned.stdout


def test_a_new_measurement_is_a_section_with_its_own_settings_and_those_it_reads(outcome):
    (sections, asked, _, _), results = outcome
    assert sections[-1] == "toy"
    entry = json.loads((results / MODEL / "manifest.json").read_text())["toy"]
    activity = {"samples": 100, "authors_images": 500, "seed": 0}
    assert entry["settings"] == asked == {"images": 3, "cut": 0.25, "activity": activity}
    assert list(entry["files"]) == ["toy.csv"]


def test_a_new_quantity_is_in_the_results_and_in_a_table_of_its_own(outcome):
    _, results = outcome
    with (results / MODEL / "toy.csv").open() as stream:
        (grey,) = (float(row["grey"]) for row in csv.DictReader(stream))
    with (results / "results.csv").open() as stream:
        assert [float(row["value"]) for row in csv.DictReader(stream) if row["quantity"] == "toy"] == [grey]
    assert f"| 1 | IWAE | 2 | {grey:.2f}" in (results / "toy.md").read_text()


def test_a_new_training_setting_is_in_flags_manifests_and_configuration(outcome):
    (_, _, asked, said), results = outcome
    recorded = json.loads((results / MODEL / "manifest.json").read_text())["training"]["settings"]
    assert recorded == asked
    assert recorded["toy"] == 2
    assert said == [
        "training.toy: -1 is impossible: it must be 1 or more",
        "toy.cut: -1 is impossible: it must be 0 or more",
    ]
