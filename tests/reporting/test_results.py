"""results.csv: what is collected, and what is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from iwae.errors import InputError
from iwae.reporting import collect as collecting
from iwae.reporting.collect import write_results
from iwae.reporting.quantities import SURGERY_TERMS, measured
from iwae.reporting.reference import paper, paper_range, paper_row
from iwae.reporting.results import COLUMNS, read_configuration, read_results
from iwae.reporting.study import Kind, StudyResults
from iwae.study.manifest import NAME as MANIFEST
from iwae.study.specification import ModelSpec

NAME = "mnist/l2-iwae-k5/seed0"


@pytest.fixture
def one(tmp_path, synthetic):
    """A study folder with one model, free to be damaged."""
    synthetic.model(tmp_path / "one", ModelSpec.parse(NAME))
    return tmp_path / "one"


def collect(study, names):
    return collecting.collect(StudyResults.of(study, names), names)


def quantities(frame):
    return frame.set_index("quantity")["value"]


def test_collect_reads_every_quantity_of_a_model(one, synthetic):
    frame = collect(one, [NAME])
    assert list(frame.columns) == COLUMNS
    assert set(frame.study) == {"one"} and set(frame.passes) == {3280}
    values = quantities(frame)
    with np.load(one / NAME / "likelihood.npz") as arrays:
        test, ess = arrays["test"].astype(float), arrays["test_ess"].astype(float)
    assert values["nll"] == pytest.approx(-test.mean())
    assert frame.set_index("quantity").loc["nll", "se"] == pytest.approx(test.std(ddof=1) / np.sqrt(40))
    assert values["ess"] == pytest.approx(ess.mean())
    assert values["active_units_1"] == 18 and values["active_units_authors_1"] == 18
    assert values["active_units_2"] == 5 and values["active_units_authors_2"] == 6
    assert values["elbo"] == pytest.approx(-synthetic.quality(ModelSpec.parse(NAME)) - 1)
    assert values["mutual_information"] + values["index_gap"] == pytest.approx(np.log(59_600))  # the largest N
    with np.load(one / NAME / "chopped.npz") as arrays:
        change = arrays["whole"].astype(float) - arrays["chopped"]
    row = frame.set_index("quantity").loc["chopped_change"]
    assert row["value"] == pytest.approx(change.mean()) and row.n == 25
    assert row.se == pytest.approx(change.std(ddof=1) / 5)
    assert row["value"] == pytest.approx(synthetic.UNIT * (100 - 18 + 50 - 6), abs=4e-4)
    assert values["updates"] == 2980 * 3280 and values["wall_seconds"] == synthetic.PROVENANCE["wall_seconds"]
    counts = frame[frame.quantity.str.startswith("active_units")]
    assert set(frame[frame.quantity.isin(SURGERY_TERMS)].n) == {200}
    assert counts.se.isna().all() and list(counts.n) == [100, 50, 100, 50]


def test_draws_are_counted_as_made_where_there_are_fewer_images(one, synthetic):
    synthetic.edit(one / NAME / MANIFEST, lambda content: content["surgery"]["settings"].update(samples=100_000))
    frame = collect(one, [NAME])
    assert set(frame[frame.quantity.isin(SURGERY_TERMS)].n) == {59_600}


def test_results_survive_writing_and_reading(one):
    write_results(one, [NAME])
    pd.testing.assert_frame_equal(read_results(one / "results.csv"), collect(one, [NAME]))


def test_models_of_different_schedules_are_no_study(one, synthetic):
    other = ModelSpec.parse("mnist/l1-vae-k1/seed0")
    synthetic.model(one, other, stages=2)
    with pytest.raises(InputError, match="ran 2 and 8 stages of the schedule: name those of one study"):
        collect(one, [NAME, other.name])
    assert set(collect(one, [NAME]).passes) == {3280}


@pytest.mark.parametrize("file", ["training.csv", "likelihood.npz", "surgery.csv", "pictures.npz"])
def test_a_missing_or_changed_file_is_named(one, file):
    path = one / NAME / file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match=rf"{path} is not the file its manifest describes.*\.$"):
        collect(one, [NAME])
    path.unlink()
    with pytest.raises(InputError, match=rf"{path} is missing.*\.$"):
        collect(one, [NAME])


def test_a_folder_of_another_model_is_refused(one):
    shutil.copytree(one / NAME, one / "mnist/l2-iwae-k5/seed1")
    with pytest.raises(InputError, match="seed1/manifest.json describes the model mnist/l2-iwae-k5/seed0, not "):
        collect(one, ["mnist/l2-iwae-k5/seed1"])


def test_an_absent_model_and_an_absent_step_are_named(one, synthetic):
    with pytest.raises(InputError, match="l1-vae-k1/seed0 holds no model"):
        collect(one, ["mnist/l1-vae-k1/seed0"])
    synthetic.edit(one / NAME / MANIFEST, lambda content: content.pop("activity"))
    with pytest.raises(InputError, match="has no section 'activity'"):
        collect(one, [NAME])


@pytest.mark.parametrize("lost", ["device", "wall_seconds", "stack"])
def test_a_training_that_does_not_say_how_it_went_is_named(one, synthetic, lost):
    path = one / NAME / MANIFEST
    synthetic.edit(path, lambda content: content["training"]["provenance"].pop(lost))
    with pytest.raises(InputError, match=f"^{path} is damaged \\(of its training it has no '{lost}'\\): restore it or"):
        collect(one, [NAME])


def test_a_step_that_the_study_asks_for_is_missed(one, synthetic):
    other = ModelSpec.parse("mnist/l1-vae-k1/seed0")
    synthetic.model(one, other, sections=("surgery",))
    names = [NAME, other.name]
    asked = synthetic.configuration("one", [ModelSpec.parse(name) for name in names])
    with pytest.raises(InputError, match=f"{other.name}/manifest.json has no section 'rebinarized'"):
        write_results(one, names, asked)
    assert not (one / "results.csv").exists() and not (one / "configuration.json").exists()
    frame = collect(one, names)  # not known what is asked for: what there is
    assert list(frame[frame.quantity == "chopped_change"].layers) == [2]


def test_a_step_that_the_study_does_not_ask_for_is_not_looked_at(one, synthetic):
    sections = ("training", "likelihood", "activity", "surgery")
    synthetic.edit(one / NAME / MANIFEST, lambda content: content["chopped"].update(weights="0" * 64))
    (one / NAME / "pictures.npz").unlink()
    asked = synthetic.configuration("one", [ModelSpec.parse(NAME)], sections=sections) | {"pictures": {"run": False}}
    write_results(one, [NAME], asked)
    found = set(read_results(one / "results.csv").quantity)
    assert "elbo" in found and "chopped_change" not in found
    with pytest.raises(InputError, match="is missing"):
        write_results(one, [NAME], synthetic.configuration("one", [ModelSpec.parse(NAME)], sections=sections))


def test_steps_that_no_model_has_are_left_out(tmp_path, synthetic):
    synthetic.model(tmp_path, ModelSpec.parse(NAME), sections=())
    found = set(collect(tmp_path, [NAME]).quantity)
    assert "nll" in found and not found & {*SURGERY_TERMS, "chopped_change"}


def test_variations_may_lack_steps_and_keep_their_names(one, synthetic):
    name = "mnist/l1-iwae-k5-z2/seed0"
    synthetic.model(one, ModelSpec.parse(name), sections=())
    write_results(one, [NAME, name])
    frame = read_results(one / "results.csv")
    assert frame.groupby("layers").variation.unique().map(list).to_dict() == {1: ["z2"], 2: [""]}
    study = StudyResults.open(one)
    assert [model.spec.name for model in study.models] == [name, NAME]
    assert [model.spec.name for model in study.grid] == [NAME]
    assert measured(study, "active_units_1", study.models[0]).value == 2
    assert measured(study, "active_units_2", study.models[0]) is None


def test_measurements_of_other_weights_are_refused(one, synthetic):
    synthetic.edit(one / NAME / MANIFEST, lambda content: content["activity"].update(weights="0" * 64))
    with pytest.raises(InputError, match="has no section 'activity' of these weights"):
        collect(one, [NAME])


def test_no_names_and_impossible_names_are_refused(one):
    with pytest.raises(InputError, match="has no trained model of those asked for"):
        collect(one, [])
    with pytest.raises(InputError, match="is not a model's name"):
        collect(one, ["nonsense"])


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\n"])
def test_a_file_that_is_no_results_is_refused(tmp_path, content):
    path = tmp_path / "results.csv"
    with pytest.raises(InputError, match=f"{path} is missing"):
        read_results(path)
    path.write_text(content)
    with pytest.raises(InputError, match=f"{path} "):
        read_results(path)


def test_results_that_are_not_about_the_models_there_are_refused(one):
    write_results(one, [NAME])
    path = one / "results.csv"
    text = path.read_text()
    path.write_text(text.replace(",3280,", ",1093,"))
    with pytest.raises(InputError, match="is not about .*run `python -m iwae collect` again"):
        StudyResults.open(one)


def test_reference_numbers():
    table = paper()
    keys = ["dataset", "layers", "k", "objective", "variation"]
    assert len(table) == 3 * 2 * 3 * 2 + 2 and not table.duplicated(keys).any()
    best = paper_row(Kind("mnist", 2, "iwae", 50, 0))
    assert (best.nll, best.active_1, best.active_2) == (82.90, 26, 7)
    first = paper_row(Kind("mnist", 1, "vae", 1, 0))
    assert (first.nll, first.active_1) == (86.76, 19) and pd.isna(first.active_2)
    assert paper_row(Kind("omniglot", 2, "iwae", 1, 0)).nll == 107.56
    assert paper_row(Kind("mnist-fixed", 1, "vae", 50, 0)).nll == 89.05
    for unknown in (("mnist", 1, "vae", 7, 0), ("mnist-static", 1, "vae", 1, 0), ("mnist", 1, "iwae", 50, 0, "z2")):
        assert paper_row(Kind(*unknown)).isna().all()
    better = paper_row(Kind("mnist", 1, "iwae", 50, 0, "from-vae-k1"))
    worse = paper_row(Kind("mnist", 1, "vae", 1, 0, "from-iwae-k50"))
    assert (better.nll, better.active_1, better.source) == (84.88, 22, "Table 2")
    assert (worse.nll, worse.active_1) == (86.02, 23)
    assert (
        table.loc[table.layers == 1, "active_2"].isna().all() and table.loc[table.layers == 2, "active_2"].notna().all()
    )


def test_callers_cannot_change_the_reference():
    table = paper()
    table["nll"] = 0.0
    assert paper_row(Kind("mnist", 1, "vae", 1, 0)).nll == 86.76


def test_ranges_of_the_paper_s_text():
    ranges = {name: paper_range("generalization_gap", name) for name in ("mnist", "omniglot", "mnist-fixed")}
    assert [(found.low, found.high) for found in ranges.values()] == [(0.62, 0.79), (2.39, 2.65), (3.5, 3.5)]
    assert paper_range("generalization_gap", "mnist-static").isna().all()
    bounds = [paper_range("chopped_change", name) for name in ("mnist", "omniglot")]
    assert [bound.high for bound in bounds] == [0.06, 0.06] and all(pd.isna(bound.low) for bound in bounds)


def test_the_configuration_is_kept_and_says_which_steps_a_study_has(tmp_path, synthetic):
    spec = ModelSpec.parse(NAME)
    study = synthetic.study(tmp_path / "study", [spec])
    written = synthetic.configuration("study", [spec])
    assert read_configuration(study / "configuration.json") == json.loads(json.dumps(written))
    assert "chopped" in StudyResults.open(study).sections
    write_results(study, [NAME], synthetic.configuration("study", [spec], sections=()))
    assert "chopped" not in StudyResults.open(study).sections  # although the folder still has it
    (study / "configuration.json").unlink()
    assert "chopped" in StudyResults.open(study).sections


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"device": "cpu", "training": 3}'])
def test_a_damaged_configuration_is_refused(one, content):
    path = one / "configuration.json"
    with pytest.raises(InputError, match=f"{path} is missing"):
        read_configuration(path)
    write_results(one, [NAME])
    path.write_text(content)
    with pytest.raises(InputError, match=f"{path} is "):
        _ = StudyResults.open(one).sections
