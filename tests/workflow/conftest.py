"""What the tests of the workflow share: the configuration, Snakemake as a command, a small finished study."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from iwae.study import manifest
from iwae.study.configuration import read_study
from iwae.study.status import FILES

ROOT = Path(__file__).resolve().parents[2]
JUPYTER = "module://matplotlib_inline.backend_inline"  # what Jupyter and Colab set: here there is no such module
EXPERIMENTS = ("warm_starts", "two_latents", "capacity", "other_datasets", "protocols")
TINY = {
    "study": "tiny",
    "device": "cpu",
    "grid": {"layers": [1, 2], "k": [1, 2], "seeds": [0]},
    "experiments": {name: {"run": False} for name in EXPERIMENTS},
    "training": {"stages": 1, "train_images": 200},
    "likelihood": {"samples": 10, "test_images": 20, "train_images": 20},
    "rebinarized": {"samples": 5, "test_images": 20, "train_images": 20, "draws": 2},
    "activity": {"samples": 5, "authors_images": 50},
    "chopped": {"images": 10, "samples": 10},
    "surgery": {"samples": 50, "sizes": [50, 100]},
    "replaced": {"components": [10], "iterations": 2, "images": 20},
    "pictures": {"samples": 100, "reconstructions": 10, "posterior_images": 2, "posterior_points": 20},
    "annealed": {"images": 4, "simulated": 2, "temperatures": 3, "chains": 2, "leapfrogs": 2},
    "inference": {"images": 4, "samples": 2, "diagonal_steps": 3, "full_steps": 2, "elbo_samples": 8},
    "implicit": {"images": 4, "ks": [1, 3], "sets": 2, "groups": 2},
    "gradients": {"images": 2, "ks": [1, 2], "replicates": 5},
}


def _merged(base, overlay):
    """`overlay` over `base`, group by group, as Snakemake merges configuration files."""
    if not (isinstance(base, dict) and isinstance(overlay, dict)):
        return overlay
    return base | {key: _merged(base.get(key), value) for key, value in overlay.items()}


@pytest.fixture
def configuration():
    """The paper's configuration with some groups of keys changed."""
    base = yaml.safe_load((ROOT / "config.yaml").read_text())
    return lambda **overlay: _merged(copy.deepcopy(base), overlay)


@pytest.fixture(scope="session")
def problems(refused):
    """The problems that a configuration is refused for, one a line."""

    def problems_of(config):
        heading, *lines = refused(read_study, config).splitlines()
        assert heading == f"The configuration has {len(lines)} problem(s):"
        return [line.strip() for line in lines]

    return problems_of


@pytest.fixture
def tiny(configuration):
    """The configuration `TINY` with some groups of keys changed."""
    return lambda **overlay: _merged(configuration(**TINY), overlay)


@pytest.fixture
def tiny_study(tiny):
    """The study that it describes."""
    return lambda **overlay: read_study(tiny(**overlay))


def _finish(study, results, sections=manifest.SECTIONS, models=None):
    for model in models or study.models:
        folder = results / model.name
        folder.mkdir(parents=True, exist_ok=True)
        for section in sections:
            for name in FILES[section]:
                (folder / name).write_text(f"{section} of {model.name}\n")
            manifest.record(folder, model, section, study.settings(section, model), FILES[section], {})


@pytest.fixture
def finish():
    """Writes the files and manifests of a study that is finished, as far as the workflow can see."""
    return _finish


@pytest.fixture
def command(tmp_path):
    """Arguments and environment of Snakemake on this workflow in an empty directory, with the study `TINY`."""

    def arguments_and_environment(*arguments, overlay=None, cores="2", pythonpath=str(ROOT / "src")):
        file = tmp_path / "overlay.yaml"
        file.write_text(yaml.safe_dump(_merged(TINY, overlay or {})))
        given = [*arguments, "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path), "--cores", cores]
        environment = os.environ | {"PYTHONPATH": pythonpath, "MPLBACKEND": JUPYTER}
        return [*given, "--configfile", str(file)], environment

    return arguments_and_environment


@pytest.fixture
def start(tmp_path, command):
    """Starts Snakemake; returns its process."""

    def start_it(*arguments, stdout=subprocess.PIPE, **options):
        given, environment = command(*arguments, **options)
        pipes = {"stdout": stdout, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([sys.executable, "-m", "snakemake", *given], cwd=tmp_path, env=environment, **pipes)

    return start_it


@pytest.fixture
def snakemake(start):
    """Runs Snakemake like `start`; returns status and output."""

    def run(*arguments, **options):
        process = start(*arguments, **options)
        output, _ = process.communicate()
        return process.returncode, output

    return run


@pytest.fixture(scope="session")
def dry_runs():
    """The process `dry_runs`."""
    program = [sys.executable, str(Path(__file__).with_name("dry_runs.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.fixture
def look(tmp_path, command, dry_runs):
    """Runs Snakemake like `snakemake`, with arguments by which it changes nothing, in a third of the time."""

    def run(*arguments, **options):
        file = tmp_path / "output"
        dry_runs.stdin.write(json.dumps([*command(*arguments, **options), str(file)]) + "\n")
        dry_runs.stdin.flush()
        return int(dry_runs.stdout.readline()), file.read_text()

    return run
