"""The results that the repository ships: whole, traceable, and drawn again to the pixel from a checkout alone."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from iwae.reporting.audit import inspect
from iwae.reporting.figures import figures_of, write_figure
from iwae.reporting.readme import marks, parts_of
from iwae.reporting.study import StudyResults

ROOT = Path(__file__).resolve().parents[1]
# Studies that are in the repository, finished or not; quick is what a user runs, and is ignored by git.
STUDIES = sorted(path.parent for path in (ROOT / "results").glob("*/configuration.json") if path.parent.name != "quick")
LARGEST = 150 * 2**20  # bytes of a checkout


def but(quick):
    """The studies, of which `make test` takes one alone."""
    return [pytest.param(path, marks=() if path.name == quick else pytest.mark.slow) for path in STUDIES]


@pytest.mark.parametrize("results", but("two-units"), ids=lambda path: path.name)
def test_every_file_is_what_it_was_and_every_number_is_made_again(results):
    found = inspect(results, ROOT / "figures" / results.name)
    assert [problem for inspection in found for problem in inspection.problems] == []


# The figures that this one has not are drawn by tests/workflow/test_measured.py.
@pytest.mark.parametrize("results", but("two-units"), ids=lambda path: path.name)
def test_figures_are_drawn_again_to_the_pixel(results, tmp_path):
    # With their PDFs: those come first, and each time a figure is saved its layout moves a little.
    for name in figures_of(StudyResults.open(results)):
        write_figure(name, StudyResults.open(results), tmp_path)
        ours, shipped = (matplotlib.image.imread(path / f"{name}.png") for path in (tmp_path, _figures(results)))
        np.testing.assert_array_equal(ours, shipped, err_msg=name)


def test_the_readme_shows_shipped_studies_as_they_are():
    text = (ROOT / "README.md").read_text()
    name = re.search(r"From the study \[`(.+?)`\]", text)[1]
    for part, body in parts_of(ROOT / "results" / name, ROOT / "figures" / name, ROOT).items():
        assert f"\n{body}\n".join(marks(part)) in text


@pytest.mark.slow
def test_the_paper_s_study_goes_on_from_what_is_shipped_of_it():
    """Nothing that is finished is trained again, and what is to be continued from it can be."""
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--config", "device=cpu"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    finished = [path.parent for path in (ROOT / "results/paper").rglob("manifest.json")]
    assert finished and "rule train_mnist" in said
    assert not any(f"output: {path.relative_to(ROOT)}/model.safetensors" in said for path in finished)


def test_the_repository_stays_small():
    files = [path for top in ("results", "figures") for path in (ROOT / top).rglob("*") if "quick" not in path.parts]
    assert sum(path.stat().st_size for path in files if path.is_file()) < LARGEST


def _figures(results):
    return ROOT / "figures" / results.name
