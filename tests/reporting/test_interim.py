"""A study that is not finished: what there is of it is shown, and what there is not is named."""

import json
import re
import shutil
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest

from iwae.errors import InputError
from iwae.files import locked
from iwae.reporting import interim
from iwae.reporting.audit import audit, inspect
from iwae.reporting.collect import INTERIM_LOCK, write_results
from iwae.reporting.interim import write_interim
from iwae.reporting.results import CONFIGURATION, read_configuration
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import build, tables_of
from iwae.reporting.verify import Inspection, Recomputation
from iwae.study.configuration import study_of

MISSING, TRAINED = "mnist/l2-iwae-k5/seed0", "mnist/l1-vae-k5/seed1"


def make_running(whole, root, synthetic):
    """A copy of a study, of which one model is not trained, and one not measured; nothing was made of it yet."""
    results = root / "results/whole"
    shutil.copytree(whole, results, ignore=shutil.ignore_patterns("*.md", "table*", "results.csv"))
    shutil.rmtree(results / MISSING)

    def change(content):
        content["activity"]["weights"] = "0" * 64  # as if the training had been continued since
        del content["likelihood"], content["surgery"], content["chopped"], content["pictures"]

    synthetic.edit(results / TRAINED / "manifest.json", change)
    return results


@pytest.fixture
def running(whole, tmp_path, synthetic):
    return make_running(whole, tmp_path, synthetic)


@pytest.fixture(scope="module")
def written(whole, tmp_path_factory, synthetic):
    """Such a study below ``results``, and beside it ``figures``, of which all is made that can be; do not change it."""
    root = tmp_path_factory.mktemp("interim")
    results = make_running(whole, root, synthetic)
    write_interim(results, root / "figures/whole")
    return root


@pytest.fixture
def few_figures(monkeypatch):
    """One figure instead of all, which take most of the time."""
    monkeypatch.setattr(interim, "figures_of", lambda study: ["nll"])


def test_the_reports_of_a_study_that_ends_wait_for_interim_ones(whole, tmp_path):
    results = Path(shutil.copytree(whole, tmp_path / "whole", ignore=shutil.ignore_patterns("results.csv")))
    reports = Thread(target=write_results, args=(results, [spec.name for spec in StudyResults.open(whole).specs]))
    with locked(results / INTERIM_LOCK):
        reports.start()
        reports.join(0.3)
        assert reports.is_alive() and not (results / "results.csv").exists()
    reports.join()
    assert (results / "results.csv").is_file()


def test_what_is_not_run_yet_is_said_on_every_page_and_in_its_cells(written):
    running, figures = written / "results/whole", written / "figures/whole"
    said = "Interim results: 10 of 12 models finished, 1 more trained and not yet measured"
    pages = [*running.glob("*.md"), *running.glob("*.html"), *running.glob("*.tex")]
    assert len(pages) == 1 + 3 * 11 and all(said in path.read_text() for path in pages)
    assert not (running / "SHA256SUMS").exists() and (figures / "nll.png").is_file()
    assert "| 2 | 5 | 2 | " in (running / "table1.md").read_text()
    models = pd.read_csv(running / "models.csv").set_index("model").trained
    assert not models[MISSING] and models[TRAINED] and models.sum() == 11
    table = pd.read_csv(running / "table1.csv").set_index(["layers", "k", "objective"]).sort_index()
    assert table.loc[(1, 5, "vae"), "seeds"] == 1 == table.loc[(2, 5, "iwae"), "seeds"]
    assert table.loc[(2, 5, "vae"), "seeds"] == 2


def test_a_cell_without_any_seed_says_so_beside_the_paper_s_value(running, tmp_path, few_figures):
    shutil.rmtree((running / MISSING).parent)
    write_interim(running, tmp_path / "figures")
    text = (running / "table1.md").read_text()
    (line,) = re.findall(r"\| 2 \| 5 \| .*", text)[:1]
    assert "| not run yet | 83.89 |" in line and "left out: 1 of " in (running / "chopped.md").read_text()
    row = pd.read_csv(running / "table1.csv").query("layers == 2 and k == 5 and objective == 'iwae'").iloc[0]
    assert pd.isna(row.nll) and row.paper_nll == 83.89 and not row.comparable and row.seeds == 0


def test_a_finished_study_is_the_same_and_sealed(running, whole, tmp_path, few_figures):
    for name in (MISSING, TRAINED):
        shutil.copytree(whole / name, running / name, dirs_exist_ok=True)
    write_interim(running, tmp_path / "figures/whole")
    assert StudyResults.open(running).unfinished == [] and (running / "SHA256SUMS").is_file()
    assert "Interim" not in (running / "README.md").read_text()


def test_an_audit_judges_what_is_there_and_finds_no_fault_in_what_is_not(written, tmp_path):
    shutil.copytree(written, tmp_path / "copy")
    results, figures = tmp_path / "copy/results/whole", tmp_path / "copy/figures/whole"
    (results / "table1.md").write_text("")
    inspections = inspect(results, figures)
    problems = [line for each in inspections for line in each.problems if "data" not in line and TRAINED not in line]
    assert len(problems) == 1 and "table1.md" in problems[0]
    assert problems[0] in inspections[-1].problems and "2 models are not run yet" in inspections[0].compared


def test_what_is_still_to_be_run_is_not_measured_afresh(written, tmp_path, monkeypatch):
    shutil.copytree(written, tmp_path / "copy")
    results, left_out = tmp_path / "copy/results/whole", []

    def recompute(results, options, missing):
        left_out.extend(missing)
        return Inspection("Measured afresh", "nothing.")

    monkeypatch.setattr("iwae.reporting.verify.recompute.recompute", recompute)
    audit(results, tmp_path / "copy/figures/whole", Recomputation(20, tmp_path))
    assert left_out == StudyResults.open(results).unfinished and len(left_out) == 2


def test_a_study_of_which_nothing_is_measured_has_all_its_pages(running, tmp_path, few_figures):
    for path in running.rglob("manifest.json"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({"model": content["model"], "training": content["training"]}))
    write_interim(running, tmp_path / "figures")
    tables = {path.stem for path in running.glob("*.md")} - {"README", "models"}
    assert {"table1", "surgery", "implicit", "replaced"} <= tables and not (tmp_path / "figures/nll.png").exists()
    assert all("not run yet" in (running / f"{name}.md").read_text() for name in tables - {"questions"})


def test_tables_about_models_that_are_not_trained_are_built(varied):
    names = [model.spec.name for model in StudyResults.open(varied).models]
    configured = study_of(read_configuration(varied / CONFIGURATION))
    study = StudyResults.of(varied, names[:1], configured)
    tables = {name: build(name, study)[1] for name in tables_of(study)}
    assert tables["table2"][0].notes == [] and "not run yet" in str(tables["table2"][0].rows)


def test_nothing_trained_and_no_configuration_are_said(running, tmp_path):
    shutil.rmtree(running / "mnist")
    with pytest.raises(InputError, match="has no trained model of those asked for"):
        write_interim(running, tmp_path)
    (running / "configuration.json").unlink()
    with pytest.raises(InputError, match=r"configuration\.json is missing"):
        write_interim(running, tmp_path)
