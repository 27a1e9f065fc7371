"""Tables of the grid beside Table 1: other data sets, test against training images, without the inactive units."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from iwae.reporting import contents
from iwae.reporting.statements import comparison_lines
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import build, write_table

DATASETS = ("mnist", "omniglot", "mnist-fixed", "mnist-static")


@pytest.fixture(scope="module")
def many(tmp_path_factory, synthetic):
    """All data sets, one layer, k = 1 and 5, one seed; do not change it."""
    models = synthetic.grid((1,), (1, 5), (0,), datasets=DATASETS)
    return synthetic.study(tmp_path_factory.mktemp("results") / "many", models)


def rows(name, study):
    return build(name, study)[0]


def written(study, name):
    write_table(name, StudyResults.open(study))
    return (study / f"{name}.md").read_text()


def arrays(study, name, file):
    with np.load(study / name / file) as content:
        return {key: value.astype(float) for key, value in content.items()}


def best(frame):
    """The row of the IWAE with two layers and k = 5."""
    return frame[(frame.layers == 2) & (frame.k == 5) & (frame.objective == "iwae")].iloc[0]


def test_each_data_set_stands_in_one_table(many):
    study = StudyResults.open(many)
    assert set(rows("table1", study).dataset) == {"mnist", "omniglot"}
    assert set(rows("table3", study).dataset) == {"mnist-fixed", "mnist-static"}
    assert len(rows("table1", study)) + len(rows("table3", study)) == 4 * 4


def test_table3_has_the_paper_s_values_for_its_own_binarization_alone(many):
    frame = rows("table3", StudyResults.open(many)).set_index(["dataset", "k", "objective"]).sort_index()
    assert frame.loc[("mnist-fixed", 5, "iwae"), "paper_nll"] == 87.63
    assert frame.loc["mnist-fixed"].comparable.all()
    ours = frame.loc["mnist-static"]
    assert ours.paper_nll.isna().all() and ours.difference.isna().all() and not ours.comparable.any()
    assert ours.minus_vae.notna().any() and ours.paper_minus_vae.isna().all()


def test_our_own_binarization_is_never_taken_for_the_paper_s(many):
    fixed, static = written(many, "table3").split("### mnist-static", 1)
    assert "### Table 3: mnist-fixed" in fixed and "static" not in fixed and "87.63" in fixed
    assert "our own binarization of MNIST, which is not in the paper" in static and "Table 3: " not in static
    assert static.count("**mnist-static was made once from MNIST by this project") == 2
    assert "The paper has no value for any of these models" in static and "paper's nll" not in static
    assert "87.63" not in static


def test_a_cut_schedule_of_our_own_binarization_names_no_values_of_the_paper(tmp_path, synthetic):
    models = synthetic.grid((1,), (1,), (0,), datasets=("mnist-static",))
    text = written(synthetic.study(tmp_path / "cut", models, stages=2), "table3")
    assert "cut after 2 of 8 stages (4 of 3280 passes): not as in the paper." in text and "orientation" not in text


def test_omniglot_has_fewer_test_images_in_the_paper_too(tmp_path, synthetic):
    models = synthetic.grid((1,), (1,), (0,), datasets=("omniglot",))
    assert "(paper: 5000 samples, 8070 images)" in written(synthetic.study(tmp_path / "few", models), "table1")
    all_of_them = synthetic.study(tmp_path / "all", models, images=8070)
    assert "over 8070 test images, in nats per image." in written(all_of_them, "table1")


def test_generalization_by_hand(whole, synthetic):
    frame = rows("generalization", StudyResults.open(whole))
    assert len(frame) == 6  # k = 1 is one kind of model
    ours = best(frame)
    seeds = [arrays(whole, f"mnist/l2-iwae-k5/seed{seed}", "likelihood.npz") for seed in (0, 1)]
    test, train = (-np.stack([seed[split] for seed in seeds]) for split in ("test", "train"))
    assert ours.gap == pytest.approx(test.mean() - train.mean())
    errors = tuple(part.mean(axis=0).std(ddof=1) / np.sqrt(40) for part in (test, train))
    assert (ours.se_images, ours.nll_train_se_images) == pytest.approx(errors)
    assert ours.gap_se_images == pytest.approx(np.sqrt(errors[0] ** 2 + errors[1] ** 2))
    assert ours.gap_sd_seeds == pytest.approx((test.mean(axis=1) - train.mean(axis=1)).std(ddof=1))
    assert ours.gap == pytest.approx(synthetic.GAP, abs=0.6)
    assert (ours.paper_low, ours.paper_high, ours.comparable) == (0.62, 0.79, True)


def test_generalization_of_one_seed_and_a_cut_schedule(tmp_path, synthetic):
    study = synthetic.study(tmp_path / "one", synthetic.grid((1,), (1,), (0,)), stages=2)
    row = rows("generalization", StudyResults.open(study)).iloc[0]
    assert np.isnan(row.gap_sd_seeds) and not row.comparable
    text = written(study, "generalization")
    assert "One seed: the spread over seeds is not known" in text and "paper's values are shown for orientation" in text
    assert "The training images are 40 of those that the models were trained on." in text


def test_generalization_shows_what_the_paper_says_of_each_data_set(many):
    text = written(many, "generalization")
    assert "| 0.62 to 0.79 |" in text and "| 2.39 to 2.65 |" in text and "| about 3.5 |" in text
    static = text.split("### mnist-static")[1].split("### ")[0]
    assert "paper's" not in static
    comparable = pd.read_csv(many / "generalization.csv").groupby("dataset").comparable.all()
    assert comparable.to_dict() == {"mnist": True, "mnist-fixed": True, "mnist-static": False, "omniglot": True}


def test_inactive_by_hand(whole, synthetic):
    frame = rows("chopped", StudyResults.open(whole))
    assert len(frame) == 6
    ours = best(frame)
    seeds = [arrays(whole, f"mnist/l2-iwae-k5/seed{seed}", "chopped.npz") for seed in (0, 1)]
    change = np.stack([seed["whole"] - seed["chopped"] for seed in seeds])  # nll is minus these
    assert ours.change == pytest.approx(change.mean()) and ours.change > 0
    assert ours.change_se_images == pytest.approx(change.mean(axis=0).std(ddof=1) / 5)
    assert ours.change_sd_seeds == pytest.approx(change.mean(axis=1).std(ddof=1))
    assert ours.change == pytest.approx(synthetic.UNIT * (ours.removed_1 + ours.removed_2), abs=4e-4)
    assert (ours.removed_1, ours.removed_2, ours.units_1, ours.units_2) == (81.5, 44, 100, 50)
    assert (ours.images, ours.samples, ours.paper_high, ours.comparable) == (25, 5000, 0.06, True)
    assert ours.nll == pytest.approx(-np.mean([seed["whole"] for seed in seeds]))
    assert ours.held == pytest.approx(np.mean([seed["whole"] - seed["held"] for seed in seeds]))
    assert frame[frame.layers == 1].removed_2.isna().all()


def test_inactive_for_people(whole):
    text, row = written(whole, "chopped"), best(rows("chopped", StudyResults.open(whole)))
    assert f"| 100+50 | 81.5+44 | {row.change:+.4f}\N{NO-BREAK SPACE}(" in text and "| below 0.06 |" in text
    assert "Largest change: +" in text and "L_5000 over 25 test images" in text


def test_the_samples_that_count_for_a_step_are_its_own(tmp_path, synthetic):
    study = synthetic.study(tmp_path / "rough", synthetic.grid((1,), (1,), (0,)), samples=10)
    assert (
        rows("chopped", StudyResults.open(study)).comparable.all()
        and not rows("generalization", StudyResults.open(study)).comparable.any()
    )
    assert "L_10" not in written(study, "chopped")
    assert "Nll is measured by L_10 instead of L_5000" in written(study, "generalization")


def test_the_paper_s_bound_stands_beside_its_own_data_sets_alone(many):
    bounds = rows("chopped", StudyResults.open(many)).set_index("dataset").paper_high
    assert set(bounds[bounds.notna()].index) == {"mnist", "omniglot"}
    sections = written(many, "chopped").split("### ")[1:]
    assert {part.split(":")[0] for part in sections if "below 0.06" in part} == {"mnist", "omniglot"}
    assert len(sections) == 4


def test_a_protocol_that_is_no_preset_is_not_compared(many):
    study = StudyResults.open(many)
    assert rows("table1", study).comparable.all()
    for model in study.models:
        model.manifest["training"]["settings"]["protocol"]["adam_beta1"] = 0.5
    assert not rows("table1", study).comparable.any() and not rows("chopped", study).comparable.any()
    assert comparison_lines(study.models)[0].startswith("Protocol other than the authors' code and the paper's text:")


def test_a_model_that_was_begun_on_another_device_says_so(many):
    study = StudyResults.open(many)
    study.models[0].manifest["training"]["provenance"]["moves"] = [{"updates": 12_345, "device": "cuda"}]
    device, other = rows("models", study).device[:2]
    assert device == f"cuda to update 12,345, then {other}"


def test_a_table_of_all_models_names_each_line(varied, monkeypatch):
    monkeypatch.setitem(contents.TABLES, "generalization", replace(contents.TABLES["generalization"], models="all"))
    study = StudyResults.open(varied)
    (shown,) = build("generalization", study)[1]
    names = [tuple(line[:4]) for line in shown.rows]
    assert shown.columns[3].label == "variation" and len({*names}) == len(names) == len(study.kinds())
    assert ("1", "IWAE", "50", "from-vae-k1") in names
