"""Tables of what bounds on log p(x) say: annealing, gaps of inference, q_EW, estimators."""

import pandas as pd
import pytest

from iwae.reporting.study import StudyResults
from iwae.reporting.tables import build
from iwae.reporting.tables.questions import QUESTIONS, covered_bound
from iwae.study.specification import ModelSpec


@pytest.fixture(scope="module")
def study(whole):
    return StudyResults.open(whole)


def cells_of(table, label):
    column = next(index for index, each in enumerate(table.columns) if each.label.startswith(label))
    return [row[column] for row in table.rows]


def test_annealing_beside_the_importance_bound(study):
    frame, (table, pairs) = build("annealed", study)
    assert frame.slack.tolist() == pytest.approx([1.5 if name == "vae" else 1.0 for name in frame.objective], abs=1e-3)
    assert frame.simulated.tolist() == pytest.approx([0.1] * len(frame))
    assert frame.images.unique().tolist() == [30]
    assert len(table.rows) == len(frame)
    assert len(pairs.rows) == 2  # k = 5 with one and with two layers
    both = frame[frame.objective == "iwae"]
    assert (both.annealed_difference - both.difference).abs().max() < 1.5  # of other images
    for words in ("1.00 to 1.50 nats", "order of the models"):  # which annealing changes
        assert any(words in note for note in table.notes)


def test_other_binarizations_move_nll_and_the_gap(study):
    frame, (table,) = build("rebinarized", study)
    for name, value in (
        ("authors", 0.3),
        ("draw", 0.0),
        ("sd_draws", 0.2),
        ("authors_train", 0.1),
        ("draw_train", 0.0),
    ):
        assert frame[name].tolist() == pytest.approx([value] * len(frame), abs=1e-9)
    assert (frame.authors_gap - frame.gap).tolist() == pytest.approx([0.2] * len(frame))
    assert cells_of(table, "sd_draws")[0] == "0.20" and cells_of(table, "paper's")[0] == "0.62 to 0.79"


def test_gaps_of_inference_are_paired(study):
    frame, (table,) = build("inference", study)
    for name, gap in (("approximation_gap", 2.5), ("correlated_gap", 0.5), ("amortisation_gap", 10.0)):
        assert frame[name].tolist() == pytest.approx([gap] * len(frame), abs=1e-3)
        assert frame[f"{name}_se_images"].max() < 1e-3  # the same for every image
    assert cells_of(table, "diagonal - encoder")[0].startswith("10.00 (")


def test_elbo_of_the_implicit_distribution_is_above_the_bound(study):
    frame, (table,) = build("implicit", study)
    assert frame.samples.unique().tolist() == [1, 10, 100]
    several = frame[frame.samples > 1]
    assert several.lower.tolist() == pytest.approx([0.4] * len(several))
    assert several.upper.tolist() == pytest.approx([0.5] * len(several))
    assert frame[frame.samples == 1].lower.tolist() == pytest.approx([0.0] * (len(frame) - len(several)))
    assert any("lies 0.400 nats" in note for note in table.notes)


def test_estimators_are_compared_with_the_standard_one(synthetic, tmp_path):
    models = [ModelSpec.parse(f"mnist/l1-iwae-k5{by}/seed{seed}") for by in ("", "-by-dreg") for seed in (0, 1)]
    frame, (table,) = build("estimators", StudyResults.open(synthetic.study(tmp_path / "tiny", models)))
    assert frame.estimator.tolist() == ["standard", "DReG"]
    assert pd.isna(frame.difference[0])
    assert frame.difference[1] == pytest.approx(0.0, abs=1.0)
    assert cells_of(table, "estimator") == ["standard", "DReG"]


def test_bound_of_a_posterior_of_which_q_covers_a_fifth():
    exact = [covered_bound(k) for k in (1, 5, 50)]
    assert exact == pytest.approx([-79.68, -32.56, -0.045], abs=0.005)
    assert covered_bound(3, covered=1.0) == 0


def test_questions_are_answered_by_what_was_measured(study):
    frame, (table,) = build("questions", study)
    answers = dict(zip(frame.question, frame.answer, strict=True))
    assert set(answers) == set(QUESTIONS)
    assert "variance by 50.0 at" in answers["Is one sample enough to train a VAE?"]
    assert "+1.50 ± 0.00 (sd over 2 seeds: 0.00) above" in answers["How far is L_samples from log p(x)?"]
    assert answers["Is the IWAE's model better, or its posterior?"].startswith("IWAE minus VAE, both with k = 5: ")
    assert "at least 0.400 ± 0.000 above L_10" in answers["Is ELBO[q_EW] = L_k?"]
    assert len(table.rows) == len(frame)


def test_a_study_without_a_pair_answers_what_needs_no_measurement(synthetic, tmp_path):
    study = StudyResults.open(synthetic.study(tmp_path / "vae", synthetic.grid((1,), (1,), (0,), ("vae",))))
    frame, (table,) = build("questions", study)
    assert len(frame) == len(table.rows) == 2
