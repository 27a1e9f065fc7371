"""Tables of models that are not of the grid: continued, with other numbers of latent units, under other protocols."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from iwae.reporting.collect import write_results
from iwae.reporting.quantities import measured
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import build, write_table
from iwae.reporting.tables.formats import EMPTY
from iwae.study.specification import ModelSpec


def per_image(study, kind):
    """The nll of each seed and image, (2, images)."""
    paths = [study / f"mnist/l1-{kind}/seed{seed}/likelihood.npz" for seed in (0, 1)]
    values = []
    for path in paths:
        with np.load(path) as arrays:
            values.append(-arrays["test"].astype(float))
    return np.stack(values)


def difference(study, kind, base):
    """Mean, se_images and sd_seeds of the paired difference, by hand."""
    pairs = per_image(study, kind) - per_image(study, base)
    return pairs.mean(), pairs.mean(axis=0).std(ddof=1) / np.sqrt(pairs.shape[1]), pairs.mean(axis=1).std(ddof=1)


def rows(name, study):
    return build(name, StudyResults.open(study))[0]


def markdown(study, name):
    write_table(name, StudyResults.open(study))
    return (study / f"{name}.md").read_text()


def row(frame, **keys):
    """The only row with these values."""
    (found,) = (line for _, line in frame.iterrows() if all(line[key] == value for key, value in keys.items()))
    return found


def test_table2_by_hand(varied, synthetic):
    frame = rows("table2", varied)
    assert len(frame) == 2
    ours = row(frame, first_objective="vae", first_k=1, objective="iwae", k=50)
    expected = difference(varied, "iwae-k50-from-vae-k1", "vae-k1")
    assert (ours.change, ours.change_se_images, ours.change_sd_seeds) == pytest.approx(expected)
    assert ours.first_nll == pytest.approx(per_image(varied, "vae-k1").mean())
    assert ours.nll == pytest.approx(per_image(varied, "iwae-k50-from-vae-k1").mean())
    assert ours.change == pytest.approx(ours.nll - ours.first_nll)
    assert ours.change_se_images < ours.se_images / 10
    start, end = ModelSpec("mnist", 1, "vae", 1, 0), ModelSpec("mnist", 1, "iwae", 50, 0, "from-vae-k1")
    assert ours.first_active_units_1 == synthetic.active(start) + 0.5
    assert ours.active_change == synthetic.active(end) - synthetic.active(start)
    assert (ours.paper_first_nll, ours.paper_nll, ours.paper_first_active, ours.paper_active) == (86.76, 84.88, 19, 22)
    assert ours.paper_change == pytest.approx(-1.88) and ours.paper_active_change == 3
    assert ours.difference == pytest.approx(ours.nll - 84.88) and ours.comparable


def test_table2_the_other_way_round(varied):
    ours = row(rows("table2", varied), first_objective="iwae", first_k=50, objective="vae", k=1)
    assert ours.change == pytest.approx(difference(varied, "vae-k1-from-iwae-k50", "iwae-k50")[0])
    assert (ours.paper_first_nll, ours.paper_nll, ours.paper_active_change) == (84.78, 86.02, -2)
    assert ours.paper_change == pytest.approx(1.24)


def test_table2_for_people(varied):
    text = markdown(varied, "table2").replace("\N{NO-BREAK SPACE}", " ")
    ours = row(pd.read_csv(varied / "table2.csv"), objective="iwae", k=50)
    assert "### Table 2: mnist" in text and "| VAE k=1 |" in text and "| IWAE k=50 |" in text
    assert f"| {ours.change:+.3f} ({ours.change_se_images:.3f}, " in text and "| -1.88 |" in text and "| +3 |" in text
    assert "as many passes as the last stage of the schedule, 2187." in text
    assert "Schedule as in the paper" in text and "not comparable" not in text


def test_table2_of_a_cut_schedule_is_not_compared(tmp_path, synthetic):
    models = [spec for spec in synthetic.variations() if not spec.variation or spec.origin]
    study = synthetic.study(tmp_path / "cut", models, stages=3)
    text = markdown(study, "table2")
    assert "cut after 3 of 8 stages" in text and "not comparable with the paper" in text and "84.88" in text
    assert "second stage: difference" not in text and "as the last stage of the schedule, 9." in text
    frame = pd.read_csv(study / "table2.csv")
    assert not frame.comparable.any() and frame.difference.isna().all() and frame.change.notna().all()


def test_table2_without_the_first_stage_has_no_change(tmp_path, synthetic):
    end = ModelSpec("mnist", 1, "iwae", 50, 0, "from-vae-k1")
    synthetic.model(tmp_path, end)
    write_results(tmp_path, [end.name])
    alone = rows("table2", tmp_path).iloc[0]
    assert np.isnan(alone.first_nll) and np.isnan(alone.change) and np.isnan(alone.active_change)
    assert not alone.comparable and alone.nll > 0
    assert f"| {EMPTY} |" in markdown(tmp_path, "table2")


def test_models_the_paper_has_not_continued_have_no_values_of_its(tmp_path, synthetic):
    end = ModelSpec("omniglot", 1, "iwae", 5, 0, "from-vae-k1")
    study = synthetic.study(tmp_path / "other", [end.origin, end])
    text = markdown(study, "table2")
    assert "first stage: paper's nll" in text and "second stage: paper's" not in text and "change: paper's" not in text
    frame = pd.read_csv(study / "table2.csv")
    assert frame.paper_nll.isna().all() and frame.paper_first_nll.iloc[0] == 108.11 and not frame.comparable.any()


def test_capacity_by_hand(varied, synthetic):
    frame = rows("capacity", varied)
    assert list(zip(frame.objective, frame.latents, strict=True)) == [
        (objective, latents) for objective in ("vae", "iwae") for latents in (25, 50, 100)
    ]
    ours = row(frame, objective="iwae", latents=100)
    expected = difference(varied, "iwae-k50-z100", "iwae-k50")
    assert (ours.difference, ours.difference_se_images, ours.difference_sd_seeds) == pytest.approx(expected)
    assert ours.active_units_1 == synthetic.active(ModelSpec("mnist", 1, "iwae", 50, 0, "z100")) + 0.5
    base = row(frame, objective="iwae", latents=50)
    assert base.model == "mnist/l1-iwae-k50" and np.isnan(base.difference) and base.seeds == 2
    assert base.nll == pytest.approx(per_image(varied, "iwae-k50").mean())


def test_capacity_leaves_out_the_models_that_are_drawn(varied):
    text = markdown(varied, "capacity")
    assert (
        "| VAE | 1 | 25 | " in text
        and "| 15.5 |" in text
        and "| VAE | 1 | 2 |" not in text
        and "| IWAE | 5 |" not in text
    )


def test_capacity_is_of_the_seeds_that_were_varied(tmp_path, synthetic):
    models = [ModelSpec("mnist", 1, "vae", 1, seed) for seed in (0, 1)]
    study = synthetic.study(tmp_path / "one", [*models, replace(models[0], variation="z100")])
    assert list(rows("capacity", study).seeds) == [1, 1]
    assert "One seed: the spread over seeds is not known" in markdown(study, "capacity")


def test_a_part_of_a_study_counts_active_units_as_the_whole_does(varied):
    """What was found of a model is kept for both, so it must not depend on who asked first."""
    whole, again = StudyResults.open(varied), StudyResults.open(varied)
    others = tuple(model for model in whole.models if model.spec.variant == "paper-text")
    part = replace(whole, models=others)
    assert {model.training.protocol.activity for model in others} == {"definition"} != {whole.activity}
    assert [measured(part, "active", one) for one in others] == [measured(again, "active", one) for one in others]


def test_protocols_by_hand(varied, synthetic):
    frame = rows("protocols", varied)
    assert len(frame) == 2 * 4
    ours = row(frame, objective="vae", variant="paper-text")
    expected = difference(varied, "vae-k1-with-paper-text", "vae-k1")
    assert (ours.difference, ours.difference_se_images, ours.difference_sd_seeds) == pytest.approx(expected)
    assert ours.difference == pytest.approx(synthetic.COSTS["paper-text"], abs=0.5)
    own = row(frame, objective="vae", variant="")
    assert own.changed == "" and np.isnan(own.difference)
    assert own.nll == pytest.approx(per_image(varied, "vae-k1").mean())
    assert (frame.activity_estimate == "one-sample").all()  # although paper-text has the other
    bounds = [
        [pd.read_csv(varied / f"mnist/{kind}/seed{seed}/training.csv").validation_bound.iloc[-1] for seed in (0, 1)]
        for kind in ("l1-vae-k1", "l1-vae-k1-with-shuffle")
    ]
    shuffled = row(frame, objective="vae", variant="shuffle")
    assert shuffled.held_out == pytest.approx(np.mean(bounds[0]) - np.mean(bounds[1]))
    assert np.isnan(own.held_out)


def test_what_changed_is_read_from_the_manifests(varied):
    changed = rows("protocols", varied).set_index(["objective", "variant"]).changed
    assert changed["vae", "adam_beta1"] == "adam_beta1: 0.99 -> 0.9"
    assert changed["iwae", "shuffle"] == "shuffle: False -> True"
    fields = changed["vae", "paper-text"].split("; ")
    assert "held_out: 400 -> 0" in fields and "output_bias: train-mean -> zeros" in fields and len(fields) == 12


def test_protocols_for_people(varied):
    text = markdown(varied, "protocols")
    assert f"| 1 | VAE | 1 | own | {EMPTY} | {EMPTY} |" in text and "| adam_beta1 | adam_beta1: 0.99 -> 0.9 |" in text
    assert "| paper-text | 12 fields, listed below |" in text and "- paper-text: adam_beta1: 0.99 -> 0.9; " in text
    assert "- own: the study's own protocol, authors-code." in text
    assert "**Protocol other than" not in text  # which is what the table is about
    assert "adam_beta1: 0.99 -$>$ 0.9" in (varied / "protocols.tex").read_text().replace("\\_", "_")


def test_protocols_without_the_study_s_own_have_no_difference(tmp_path, synthetic):
    spec = ModelSpec("mnist", 2, "vae", 5, 0, "with-loss")
    synthetic.model(tmp_path, spec)
    write_results(tmp_path, [spec.name])
    alone = rows("protocols", tmp_path).iloc[0]
    assert np.isnan(alone.difference) and alone.changed == "" and alone.active_units_2 == 5


def test_protocols_of_each_data_set_have_their_own_held_out_images(tmp_path, synthetic):
    models = [ModelSpec(dataset, 1, "vae", 1, 0, "with-held_out") for dataset in ("mnist", "omniglot")]
    study = synthetic.study(tmp_path / "two", [*(replace(model, variation="") for model in models), *models])
    changed = rows("protocols", study).set_index(["dataset", "variant"]).changed
    assert changed["mnist", "held_out"] == "held_out: 400 -> 0"
    assert changed["omniglot", "held_out"] == "held_out: 1345 -> 0"
    assert markdown(study, "protocols").count("own: the study's own protocol, authors-code.") == 2
