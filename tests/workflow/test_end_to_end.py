"""The whole workflow, small: real MNIST, real training, all that a user gets; then again, and as a fresh clone."""

import csv
import os
import random
import re
import shutil
import time

import pytest

from iwae.reporting import contents
from iwae.study import manifest
from iwae.study.status import study_status

# A model of the grid and one that is continued: each is two jobs. Measurements, tables and figures of all kinds are
# test_measured's.
OVERLAY = {
    **{name: {"run": False} for name in ("rebinarized", "replaced", "annealed", "inference", "implicit", "gradients")},
    "grid": {"layers": [2], "objectives": ["iwae"], "k": [2]},
    "experiments": {"warm_starts": {"run": True, "models": ["iwae-k2-from-vae-k1"], "seeds": [0]}},
}


@pytest.fixture
def workplace(tmp_path, mnist, monkeypatch):
    """An empty working directory that finds the real data."""
    # Compiling for a few updates would take most of the time; the tests of training compile.
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    # What others may have set: a style of their own, a temporary folder that is gone, threads that are no number.
    (tmp_path / "other-style").write_text("savefig.dpi: 3\nbackend: TkAgg\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "other-style"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    (tmp_path / "data").symlink_to(mnist, target_is_directory=True)
    return tmp_path


def test_a_tiny_study_from_data_to_report(workplace, start, snakemake, tiny_study):
    study = tiny_study(**OVERLAY)
    tables, figures_there = (
        function(study.models, study.sections_of) for function in (contents.tables, contents.figures)
    )
    assert {"table1", "table2"} < set(tables) and {"nll", "learning"} < set(figures_there)
    _check_two_commands(workplace / "results/tiny", start, snakemake)
    status, output = snakemake("--logger", "iwae", overlay=OVERLAY)  # the same command goes on
    assert status == 0, output
    results = workplace / "results/tiny"
    assert re.search(r"\n\d+:\d\d  trained (\d+) of \1, measured (\d+) of \2, reported (\d+) of \3\n", output), output
    assert re.search(r"\n +data +layers +k +model +nll +paper +active +paper\n", output)
    assert re.search(r"\nmnist +2 +2 +IWAE +\d+\.\d\d +- +\d+\+\d+ +-\n", output)
    assert f"Table 1:  {results.relative_to(workplace)}/table1.md" in output
    assert "Select jobs" not in output
    _check_results(results, study)

    status, output = snakemake(overlay=OVERLAY | {"threads": 2, "job_group": "stack"})
    assert status == 0 and "Nothing to be done" in output, output

    status, output = snakemake("--report", "report.html", overlay=OVERLAY)
    assert status == 0, output
    report = (workplace / "report.html").read_text()
    assert all(f"{name}.png" in report for name in figures_there)

    status, output = snakemake("audit", overlay=OVERLAY)
    assert status == 0, output
    assert "reproduced" in (results / "audit.md").read_text()
    assert re.search(r"\nAudit: +effects: 0 reproduced, .* problems with the study's files: 0: .*audit.html\n", output)

    _check_fresh_clone(workplace, snakemake)


def _check_two_commands(results, start, snakemake):
    """The second of two commands at once is told who holds the study and changes nothing; the first is killed."""
    with start(overlay=OVERLAY) as first:
        lines = iter(first.stdout.readline, "")
        assert any("Finished jobid" in line for line in lines)  # so that there is something to lose
        status, output = snakemake(overlay=OVERLAY)
        assert status == 1
        assert f"results/tiny/.lock is held by process {first.pid} on " in output
        finished = {path: path.read_bytes() for path in results.rglob("manifest.json")}
        first.kill()
    assert finished and finished == {path: path.read_bytes() for path in finished}


def _check_results(results, study):
    """Every model has what its manifest describes, and results.csv has its numbers."""
    status = study_status(study, results, results)
    assert status.missing() == "" and status.outdated == {}
    for model in study.models:
        for section, entry in manifest.read(results / model.name).items():
            for name in entry.get("files", {}) if section != "model" else ():
                manifest.checked_file(results / model.name, section, name)
    with (results / "results.csv").open(newline="") as stream:
        nll = [float(row["value"]) for row in csv.DictReader(stream) if row["quantity"] == "nll"]
    assert len(nll) == len(study.models)
    assert all(80 < value < 784 * 0.6931472 for value in nll)  # worse than the paper's best, better than a fair coin


def _check_fresh_clone(workplace, snakemake):
    """Without data, states, logs and Snakemake's memory, all times shuffled, reports are made and nothing else."""
    (workplace / "data").unlink()
    for folder in ("checkpoints", "logs", ".snakemake"):
        shutil.rmtree(workplace / folder)
    models = {path: path.read_bytes() for path in (workplace / "results").glob("*/*/*/*/*") if path.is_file()}
    for path in (path for top in ("results", "figures") for path in (workplace / top).rglob("*") if path.is_file()):
        moment = time.time() + random.Random(path.name).randrange(-(10**6), 10**6)  # the clock may have been set back
        os.utime(path, (moment, moment))
    status, output = snakemake("figures/tiny/learning.png", "results/tiny/table1.html", "-F", overlay=OVERLAY)
    assert status == 0, output
    computing = r"iwae .*\b(fetch|train|measure) "
    assert not re.search(computing, _commands(output)), output
    assert models == {path: path.read_bytes() for path in models}
    assert not (workplace / "data").exists() and not (workplace / "checkpoints").exists()


def _commands(output):
    """The commands that were run, one a line, but for table and figure, whose names are also names of measurements."""
    return "\n".join(
        line for line in re.findall(r"python -m iwae .*", output) if not re.search(r" (table|figure) ", line)
    )
