"""The whole workflow, small: real MNIST, real training, all that a user gets; then again, and as a fresh clone."""

import csv
import os
import random
import re
import shutil

import pytest

from iwae import manifest
from iwae.standing import standing

FIGURES = ("nll", "activity", "learning", "bound", "surgery", "samples", "reconstructions", "weights")


@pytest.fixture
def workplace(tmp_path, mnist, monkeypatch):
    """An empty working directory that finds the real data."""
    # Compiling for a few updates would take most of the time; the tests of training compile.
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    (tmp_path / "data").symlink_to(mnist, target_is_directory=True)
    return tmp_path


def test_a_tiny_study_from_data_to_report(workplace, snakemake, tiny_study):
    status, output = snakemake()
    assert status == 0, output
    results, figures = workplace / "results/tiny", workplace / "figures/tiny"
    assert f"Table 1:  {results.relative_to(workplace)}/table1.md" in output
    _check_results(results, tiny_study())
    for name in FIGURES:
        for kind in ("pdf", "png", "csv"):
            assert (figures / f"{name}.{kind}").stat().st_size > 0
    for name in ("table1", "surgery"):
        for kind in ("csv", "md", "html", "tex"):
            assert (results / f"{name}.{kind}").stat().st_size > 0

    status, output = snakemake()
    assert status == 0 and "Nothing to be done" in output, output

    status, output = snakemake("--report", "report.html")
    assert status == 0, output
    report = (workplace / "report.html").read_text()
    assert all(f"{name}.png" in report for name in FIGURES)

    _check_fresh_clone(workplace, snakemake)


def _check_results(results, study):
    """Every model has what its manifest describes, and results.csv has its numbers."""
    stands = standing(study, results, results)
    assert stands.missing() == "" and stands.outdated == {}
    for model in study.models:
        for section, entry in manifest.read(results / model.name).items():
            for name in entry.get("files", {}) if section != "model" else ():
                manifest.checked_file(results / model.name, section, name)
    with (results / "results.csv").open(newline="") as stream:
        nll = [float(row["value"]) for row in csv.DictReader(stream) if row["quantity"] == "nll"]
    assert len(nll) == len(study.models)
    assert all(80 < value < 784 * 0.6931472 for value in nll)  # worse than the paper's best, better than a fair coin


def _check_fresh_clone(workplace, snakemake):
    """Without data, states, logs and Snakemake's memory, all times shuffled, figures are drawn and nothing else."""
    (workplace / "data").unlink()
    for folder in ("checkpoints", "logs", ".snakemake"):
        shutil.rmtree(workplace / folder)
    models = {path: path.read_bytes() for path in (workplace / "results").glob("*/*/*/*/*") if path.is_file()}
    for path in (path for top in ("results", "figures") for path in (workplace / top).rglob("*") if path.is_file()):
        time = 1_700_000_000 + random.Random(path.name).randrange(10**6)
        os.utime(path, (time, time))
    status, output = snakemake("figures", "-F")
    assert status == 0, output
    assert not re.search(r"iwae .*\b(fetch|train|likelihood|activity|surgery|pictures) ", _commands(output)), output
    assert models == {path: path.read_bytes() for path in models}
    assert not (workplace / "data").exists() and not (workplace / "checkpoints").exists()


def _commands(output):
    """The commands that were run, one a line, but for table and figure, whose names are also names of measurements."""
    return "\n".join(
        line for line in re.findall(r"python -m iwae .*", output) if not re.search(r" (table|figure) ", line)
    )
