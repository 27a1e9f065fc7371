"""Faults of a study that a seal, made again afterwards, does not show: what its files say of each other does."""

import json
import re
from pathlib import Path

import pandas as pd

from iwae.data import mnist
from iwae.reporting.collect import write_results
from iwae.reporting.study import StudyResults
from iwae.reporting.summary import write_summary
from iwae.reporting.verify.rebuild import _frame_difference
from iwae.reporting.verify.seal import seal
from iwae.study import manifest

MODEL = "mnist/l1-vae-k5/seed1"
OTHER = "mnist/l1-vae-k5/seed0"


def test_swapped_model_folders_are_named(study, problems):
    results, _ = study
    one, other = results / MODEL, results / OTHER
    one.rename(results / "aside")
    other.rename(one)
    (results / "aside").rename(other)
    found = problems("models")
    assert found.naming(MODEL, "describes the model", OTHER)
    assert found.naming(f"{OTHER}/manifest.json", "describes the model")


def test_a_measurement_of_other_weights_is_named(study, synthetic, problems):
    results, _ = study
    synthetic.edit(results / MODEL / manifest.NAME, lambda content: content["activity"].update(weights="0" * 64))
    assert problems("models").naming(MODEL, "'activity' was measured of other weights")


def test_an_edited_table_cell_is_named_although_sealed_again(study, problems):
    paths, cells = [study[0] / f"table1.{kind}" for kind in ("csv", "md", "html", "tex")], []
    for path in paths:
        text = path.read_text()
        cells.append(re.search(r"8[67]\.\d\d", text).group())
        path.write_text(text.replace(cells[-1], "82.90", 1))
    found = problems("numbers")
    for path, cell in zip(paths, cells, strict=True):
        (problem,) = [one for one in found.naming(path.name) if "made again" in one]
        assert "82.90" in problem and cell[:5] in problem


def test_an_edited_cell_of_the_results_is_named_with_row_and_column(study, problems):
    results, _ = study
    frame = pd.read_csv(results / "results.csv", keep_default_na=False, dtype=str)
    frame.loc[3, "value"] = str(float(frame.loc[3, "value"]) + 1e-6)
    frame.to_csv(results / "results.csv", index=False, lineterminator="\n")
    assert problems("numbers").naming("results.csv", "row 4, column value")


def test_a_step_that_is_no_longer_asked_for_is_not_missed(study, synthetic, problems):
    results, figures = study
    path = results / "configuration.json"
    content = json.loads(path.read_text())
    content["chopped"]["run"] = False
    synthetic.edit(results / MODEL / manifest.NAME, lambda content: content.pop("chopped"))
    for name in ("chopped.csv", "chopped.npz"):
        (results / MODEL / name).unlink()
    for kind in ("csv", "md", "html", "tex"):
        (results / f"chopped.{kind}").unlink()
    write_results(results, [spec.name for spec in StudyResults.open(results).specs], content)
    assert "chopped_change" not in (results / "results.csv").read_text()
    write_summary(StudyResults.open(results), figures)
    assert problems() == []


def test_the_order_of_the_results_is_of_no_account(study, problems):
    results, _ = study
    write_results(results, [spec.name for spec in reversed(StudyResults.open(results).specs)])
    assert problems("numbers") == []


def test_an_edited_number_of_a_figure_is_named(study, synthetic, problems):
    def edit(frame):
        frame.loc[0, "bound"] += 0.01

    synthetic.edit(study[1] / "bound.csv", edit)
    assert problems("numbers").naming("bound.csv", "row 1, column bound")


def test_an_edited_readme_is_named(study, problems):
    results, _ = study
    path = results / "README.md"
    path.write_text(path.read_text().replace("Protocol: authors-code", "Protocol: paper-text"))
    assert problems("numbers").naming("README.md", "paper-text")


def test_unknown_files_or_the_folder_of_several_are_named_once_although_sealed(study, problems):
    results, figures = study
    # table3 is a table and capacity a figure, but not of this study
    alone = [results / MODEL / "notes.txt", results / "extra.csv", results / "table3.md", figures / "capacity.png"]
    folders = {
        results / "mnist/l1-vae-k5/seed7": "manifest.json",
        results / "mnist/l2-vae-k5": "seed0/manifest.json",
        results / "a": "b/c.csv",
        figures / "old": "nll.png",
    }
    for path in (*alone, *(folder / name for folder, name in folders.items())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        (path.parent / f"{path.name}.lock").write_text("")
    seal(results, figures)
    found = problems().naming("is unknown")
    named = sorted(Path(problem.split(" is unknown")[0]) for problem in found)
    assert named == sorted([*alone, *(path.parent / f"{path.name}.lock" for path in alone), *folders])


def test_changed_per_image_values_disagree_with_their_mean(study, synthetic, problems):
    def edit(arrays):
        arrays["test"][0] += 1.0

    synthetic.rewrite(study[0] / MODEL / "likelihood.npz", edit)
    assert problems("models").naming(f"{MODEL}/likelihood.csv", "bound of test")


def test_settings_that_are_not_the_configurations_are_named(study, synthetic, problems):
    results, _ = study
    synthetic.edit(
        results / MODEL / manifest.NAME, lambda content: content["training"]["settings"]["protocol"].update(held_out=0)
    )
    synthetic.edit(
        results / OTHER / manifest.NAME, lambda content: content["likelihood"]["settings"].update(samples=4000)
    )
    found = problems("models")
    assert found.naming(MODEL, "in 'training', protocol.held_out is 0, asked is 400")
    assert found.naming(OTHER, "in 'likelihood', samples is 4000, asked is 5000")


def test_other_data_are_named(study, synthetic, problems):
    results, _ = study
    damaged = dict(mnist.SHA256) | {mnist.TRAIN: "0" * 64}
    synthetic.edit(
        results / MODEL / manifest.NAME, lambda content: content["training"]["provenance"].update(data_sha256=damaged)
    )
    synthetic.edit(
        results / OTHER / manifest.NAME, lambda content: content["training"]["provenance"].pop("data_sha256")
    )
    found = problems("models")
    assert found.naming(MODEL, "another train-images-idx3-ubyte than the published one")
    assert found.naming(MODEL, "its data files are not those of")
    assert found.naming(OTHER, "made from no data files; mnist consists of")


def test_another_studys_configuration_is_named(study, synthetic, problems):
    results, figures = study
    synthetic.edit(results / "configuration.json", lambda content: content.update(study="paper"))
    seal(results, figures)
    assert problems().naming("configuration.json", "describes the study 'paper'")


def test_a_table_that_differs_in_rounding_alone_is_the_same(tmp_path):
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("a,b\nx,86.12345678901\n")
    for value, same in (("86.12345678902", True), ("86.1234", False), ("", False), ("x", False)):
        other.write_text(f"a,b\nx,{value}\n")
        assert (_frame_difference(one, other) == "") == same
    other.write_text("a,c\nx,1\n")
    assert "the columns are a, b, made again a, c" in _frame_difference(one, other)
    other.write_text("a,b\nx,1\ny,2\n")
    assert "there are 1 rows, made again 2" in _frame_difference(one, other)
