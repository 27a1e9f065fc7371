"""A study's README, and what the reports may import."""

import re
import shutil
from pathlib import Path

import jinja2
import pytest
import yaml

from iwae.files import write_text
from iwae.reporting.audit import audit
from iwae.reporting.contents import AUDIT_KINDS, FIGURES, TABLE_KINDS, TABLES
from iwae.reporting.figures import write_figure
from iwae.reporting.study import StudyResults
from iwae.reporting.summary import write_summary
from iwae.reporting.tables import tables_of, write_table
from iwae.reporting.tables.models import duration
from iwae.reporting.verify.integrity import configured, unknown_files
from iwae.reporting.verify.seal import check
from iwae.study.specification import grid

CAPTIONS = Path(__file__).parents[2] / "workflow/report"


@pytest.fixture(scope="module")
def study(tmp_path_factory, synthetic):
    root = tmp_path_factory.mktemp("study")
    specs = grid(["mnist"], (1, 2), ("vae", "iwae"), (1, 5), (0,))
    folder = synthetic.study(root / "results/quick", specs, stages=2)
    for name in tables_of(StudyResults.open(folder)):
        write_table(name, StudyResults.open(folder))
    write_figure("nll", StudyResults.open(folder), root / "figures/quick")
    write_summary(StudyResults.open(folder), root / "figures/quick")
    return folder


def test_the_readme_says_what_was_done(study):
    text = (study / "README.md").read_text()
    assert "cut after 2 of 8 stages (4 of 3280 passes): not comparable with the paper" in text
    assert "Protocol: authors-code." in text and "6 models; 1 seed: 0." in text
    assert "cpu: synthetic" in text and "torch: 2.9.0" in text
    assert "1 h 2 min" in text and "Training took 6 h 12 min in all, over 6 jobs." in text
    assert len(re.findall(r"/seed0 \| 4 \| ", text)) == 6
    assert (study / "table1.md").read_text().strip() in text


def test_every_link_of_the_readme_leads_to_a_file_or_a_claim_of_the_audit(study, tmp_path):
    links = re.findall(r"\]\(([^)]+)\)", (study / "README.md").read_text())
    assert any(link.startswith("../../figures/quick/nll") for link in links) and len(links) > 10
    copy = tmp_path / "results" / study.name
    shutil.copytree(study, copy)
    audit(copy, study.parents[1] / "figures" / study.name)  # its pages are written when it is asked for
    anchors = {f"audit.md#{name}" for name in re.findall(r"^#+ (\S+)$", (copy / "audit.md").read_text(), re.M)}
    others = {*links} - anchors - {"audit.md"}
    assert anchors and [link for link in others if not (study / link).is_file()] == []


def test_the_readme_is_the_same_again(study):
    before = (study / "README.md").read_text()
    write_summary(StudyResults.open(study), study.parents[1] / "figures/quick")
    assert (study / "README.md").read_text() == before


def test_one_caption_serves_every_table_and_figure():
    config = yaml.safe_load((CAPTIONS.parents[1] / "config.yaml").read_text())
    config["likelihood"] |= {"samples": 4321, "test_images": 987}
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string((CAPTIONS / "caption.rst").read_text())
    for item in (*TABLES.values(), *FIGURES.values()):
        text = template.render(snakemake={"config": config, "params": {"caption": f"{item.title}. {item.caption}"}})
        assert text.startswith(item.title) and "4321" in text and "987" in text


def test_durations():
    assert [duration(seconds) for seconds in (42.4, 185, 7800, float("nan"))] == [
        "42 s",
        "3 min 5 s",
        "2 h 10 min",
        "\N{EN DASH}",
    ]


def test_the_summary_seals_the_study(study):
    assert check(study) == []
    sums = (study / "SHA256SUMS").read_text()
    assert "  README.md\n" in sums and "  ../../figures/quick/nll.png\n" in sums and "configuration.json" in sums


def test_a_study_with_variations(varied, tmp_path):
    folder, figures = tmp_path / "results/varied", tmp_path / "figures/varied"
    shutil.copytree(varied, folder)
    for name in tables_of(StudyResults.open(folder)):
        write_table(name, StudyResults.open(folder))
    for name in ("capacity", "protocols"):
        write_figure(name, StudyResults.open(folder), figures)
    (figures / "pie.png").write_text("of no study")
    write_summary(StudyResults.open(folder), figures)
    text = (folder / "README.md").read_text()
    assert "40 models, 30 of them variations of models of the grid; 2 seeds: 0, 1." in text
    assert "Protocol: authors-code, and others." in text
    for title in ("Table 2: mnist", "mnist: nll under other protocols", "mnist: active units and nll against"):
        assert f"### {title}" in text
    assert "capacity.png" in text and "protocols.png" in text and "pie.png" not in text and "posterior.png" not in text
    assert "[table](models.md)" in text and "| mnist/l1-vae-k1-from-iwae-k50/seed1 |" not in text  # too many for a page


def test_without_a_step_the_readme_has_no_table_of_it(tmp_path, synthetic):
    folder = synthetic.study(tmp_path / "plain", synthetic.grid((1,), (1,), (0,)), sections=("surgery", "pictures"))
    for name in tables_of(StudyResults.open(folder)):
        write_table(name, StudyResults.open(folder))
    write_summary(StudyResults.open(folder), tmp_path / "figures")
    assert not (folder / "chopped.md").exists() and "inactive units" not in (folder / "README.md").read_text()


def test_what_a_study_has_no_more_is_removed_and_nothing_else(tmp_path, synthetic):
    folder, figures = tmp_path / "results/plain", tmp_path / "figures/plain"
    synthetic.study(folder, synthetic.grid((1,), (1,), (0,)), sections=("surgery", "pictures"))
    for name in tables_of(StudyResults.open(folder)):
        write_table(name, StudyResults.open(folder))
    former = {*(folder / f"chopped.{kind}" for kind in TABLE_KINDS), figures / "gradients.png"}
    kept = {folder / "signal_to_noise.csv", figures / "nll.png", tmp_path / "figures/other/gradients.png"}
    others = {folder / "chopped.txt", figures / "pie.png", figures / "chopped.csv"}
    for path in former | kept | others:
        write_text(path, "of another configuration")
    write_summary(StudyResults.open(folder), tmp_path / "figures/other")
    write_summary(StudyResults.open(folder), figures)
    assert {path for path in former | kept | others if not path.exists()} == former
    found = {Path(line.split(" is unknown")[0]) for line in unknown_files(folder, figures, configured(folder))}
    assert found == others


def test_an_audit_of_other_results_is_removed(tmp_path, synthetic):
    folder = synthetic.study(tmp_path / "plain", synthetic.grid((1,), (1,), (0,)), sections=("surgery", "pictures"))
    for name in tables_of(StudyResults.open(folder)):
        write_table(name, StudyResults.open(folder))
    audits = [folder / f"audit.{kind}" for kind in AUDIT_KINDS]
    write_text(folder / "README.md", "of other results")
    for remain in (False, True):
        for path in audits:
            write_text(path, "{}")
        write_summary(StudyResults.open(folder), tmp_path / "figures")
        assert {path.exists() for path in audits} == {remain}
