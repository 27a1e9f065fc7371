"""The seal: it holds for the files that were sealed, and names each that is missing, changed or unknown."""

import shutil
import subprocess

import pytest

from iwae.errors import InputError
from iwae.reporting.verify.seal import NAME, check, read, seal


@pytest.fixture
def study(tmp_path):
    """A study folder and its figures, of a few files."""
    results, figures = tmp_path / "results/one", tmp_path / "figures/one"
    (results / "mnist/l1-vae-k1/seed0").mkdir(parents=True)
    figures.mkdir(parents=True)
    (results / "results.csv").write_text("a,b\n")
    (results / "mnist/l1-vae-k1/seed0/manifest.json").write_text("{}")
    (results / "mnist/l1-vae-k1/seed0/.manifest.json.lock").write_text("")
    (figures / "nll.png").write_bytes(bytes(range(256)))
    seal(results, figures)
    return results, figures


def test_the_files_of_a_study_are_sealed(study):
    results, _ = study
    names = ["../../figures/one/nll.png", "mnist/l1-vae-k1/seed0/manifest.json", "results.csv"]
    assert sorted(read(results)) == names and check(results) == []


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_coreutils_read_the_seal(study):
    results, figures = study
    command = ["sha256sum", "--check", "--strict", NAME]
    assert subprocess.run(command, cwd=results, capture_output=True).returncode == 0
    (figures / "nll.png").write_bytes(b"")
    assert subprocess.run(command, cwd=results, capture_output=True).returncode == 1


def test_sealing_again_gives_the_same_bytes(study):
    results, figures = study
    before = (results / NAME).read_bytes()
    for name in ("audit.md", "audit.json", "report.html"):
        (results / name).write_text("made of a sealed study")
    assert check(results) == []
    seal(results, figures)
    assert (results / NAME).read_bytes() == before


def test_a_missing_a_changed_and_an_unknown_file_are_named(study):
    results, figures = study
    (results / "results.csv").unlink()
    (results / "mnist/l1-vae-k1/seed0/manifest.json").write_text("{ }")
    (figures / "pie.png").write_text("")
    (results / "mnist/audit.md").write_text("not the study's own")
    (results / "omniglot/l1-vae-k1").mkdir(parents=True)
    for name in ("one", "two"):
        (results / "omniglot/l1-vae-k1" / name).write_text("")
    assert len(check(results)) == 5
    found = {line.split(" ")[0]: line.split(" ", 1)[1].split(":")[0] for line in check(results)}
    assert found == {
        str(results / "results.csv"): "is missing",
        str(results / "mnist/l1-vae-k1/seed0/manifest.json"): "has changed",
        str(results / "../../figures/one/pie.png"): "is unknown",
        str(results / "mnist/audit.md"): "is unknown",
        str(results / "omniglot"): "is unknown",
    }


def test_a_seal_that_is_missing_or_damaged_is_one_problem(study):
    results, _ = study
    (results / NAME).write_text("no digest\n")
    (problem,) = check(results)
    assert f"{results / NAME} is damaged in line 1" in problem
    (results / NAME).unlink()
    (problem,) = check(results)
    assert f"{results / NAME} is missing: run `python -m iwae summary`" in problem
    with pytest.raises(InputError, match="is missing"):
        read(results)


def test_a_study_without_figures_is_sealed_too(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study/results.csv").write_text("")
    seal(tmp_path / "study", tmp_path / "figures")
    assert check(tmp_path / "study") == [] and list(read(tmp_path / "study")) == ["results.csv"]
