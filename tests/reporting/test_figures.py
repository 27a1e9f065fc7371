"""Figures of numbers: series, labels, bars, bands and limits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from iwae.reporting.figures.gradients import power_law
from iwae.reporting.results import read_results
from iwae.reporting.study import Model
from iwae.study.specification import ModelSpec


def test_nll(whole, look):
    frame, figure = look.drawn("nll", whole)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["1 layer", "2 layers"]
    assert figure.axes[0].get_ylabel() == "nll (nats per image)"
    for axes, layers in zip(figure.axes, (1, 2), strict=True):
        for objective in ("vae", "iwae"):
            rows = frame[(frame.layers == layers) & (frame.objective == objective)].groupby("k")
            assert look.has_line(axes, rows.nll.mean()) and look.has_line(axes, rows.paper_nll.first())
            assert look.has_band(axes, rows.nll.min(), rows.nll.max())
            assert look.has_bars(axes, rows.nll.mean(), rows.se_images.first())
    labels, title = look.legend_of(figure)
    assert labels[:2] == ["VAE", "IWAE"] and any("paper" in label for label in labels) and title == ""
    assert "range of seeds" in labels and any("one standard error" in label for label in labels)


def test_nll_of_a_cut_schedule_says_so_and_leaves_the_paper_out(cut, look):
    frame, figure = look.drawn("nll", cut)
    labels, title = look.legend_of(figure)
    assert "not comparable with the paper" in title and "86.76" in title
    assert not any("paper" in label for label in labels) and "range of seeds" not in labels
    assert not look.has_line(figure.axes[0], frame[(frame.layers == 1) & (frame.objective == "vae")].paper_nll)


def test_activity_counts_all_units_and_has_its_threshold_at_a_bins_edge(whole, look):
    frame, figure = look.drawn("activity", whole)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["VAE, k=1", "VAE, k=5", "IWAE, k=5", "", "", ""]
    totals = frame.groupby(["layers", "objective", "k", "unit_layer"]).weight.sum()
    assert set(totals.loc[1].round(6)) == {50.0} and set(totals.loc[2].xs(1, level="unit_layer").round(6)) == {100.0}
    for axes, units in zip(figure.axes, [50] * 3 + [150] * 3, strict=True):
        assert sum(height for (_, _, height), _ in look.bars_of(axes)) == pytest.approx(units)
        edges = {round(edge, 6) for patch in axes.patches for edge in np.log10([patch.get_x()])}
        assert -2 in edges and list(axes.get_lines()[0].get_xdata()) == [0.01, 0.01]
    heights = {}
    for (left, _, height), colour in look.bars_of(figure.axes[5]):
        if left > 0.0099:
            heights[colour] = heights.get(colour, 0) + height
    assert sorted(heights.values()) == [pytest.approx(6), pytest.approx(18.5)]
    labels, title = look.legend_of(figure)
    assert labels == ["units of h2", "units of h1", "threshold, A_u = 0.01"] and "authors' estimate" in title
    assert figure.axes[3].get_ylabel() == "2 layers\nunits per bin"


def test_activities_of_zero_and_below_are_counted(tmp_path, synthetic, monkeypatch, look):
    study = synthetic.study(tmp_path / "study", [ModelSpec("mnist", 1, "vae", 1, 0)])
    table = pd.DataFrame({"layer": 1, "unit": range(4), "activity": 0.5, "activity_authors": [0.0, -1e-9, 1e-30, 0.5]})
    monkeypatch.setattr(Model, "table", lambda *_: table)
    figure = look.draw("activity", look.data("activity", study), study)
    bars = [bar for bar, _ in look.bars_of(figure.axes[0])]
    assert [height for _, _, height in bars] == [3, 1] and bars[0][0] == pytest.approx(1e-6)


def test_learning(whole, look):
    frame, figure = look.drawn("learning", whole)
    assert len(figure.axes) == 4 and frame["pass"].max() == 3280
    ends = [1, 4, 13, 40, 121, 364, 1093, 3280]
    assert list(figure.axes[0].get_xticks()) == ends and set(ends) <= set(frame["pass"])
    one = frame[(frame.layers == 1) & (frame.objective == "vae") & (frame.k == 5)].groupby("pass")
    for bound in (one.train_bound, one.validation_bound):
        assert look.has_line(figure.axes[0], bound.mean()) and look.has_band(figure.axes[0], bound.min(), bound.max())
    for line in figure.axes[0].get_lines():
        if len(line.get_xdata()):
            assert list(line.get_xdata()[line.get_markevery()]) == ends
    curves = [pd.read_csv(whole / f"mnist/l1-vae-k5/seed{s}/training.csv").set_index("pass") for s in (0, 1)]
    assert one.train_bound.mean()[121] == pytest.approx(np.mean([c.train_bound[121] for c in curves]))


def test_learning_without_held_out_images(tmp_path, synthetic, look):
    spec = ModelSpec("mnist", 1, "vae", 1, 0)
    study = synthetic.study(tmp_path / "study", [spec], stages=3)
    frame = look.data("learning", study)
    frame["validation_bound"] = np.nan
    labels, _ = look.legend_of(look.draw("learning", frame, study))
    assert labels == ["k = 1, train"]


def test_bound(whole, look):
    frame, figure = look.drawn("bound", whole)
    for (layers, _, _), rows in frame.groupby(["layers", "objective", "k"]):
        bound = rows.groupby("samples").bound
        assert look.has_line(figure.axes[layers - 1], bound.mean())
        assert look.has_band(figure.axes[layers - 1], bound.min(), bound.max())
        annealed = rows.annealed.dropna().mean()
        assert any(list(line.get_ydata()) == [pytest.approx(annealed)] for line in figure.axes[layers - 1].lines)
    assert look.legend_of(figure)[0] == ["VAE k=1", "VAE k=5", "IWAE k=5", "by annealing"]


def test_surgery_bars_add_up_to_minus_the_elbo(whole, look):
    frame, figure = look.drawn("surgery", whole)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [f"{n}, {m}" for n in ("1 layer", "2 layers") for m in ("VAE, k=1", "VAE, k=5", "IWAE, k=5")]
    ends = look.ends_of_bars(figure.axes[0])
    found = read_results(whole / "results.csv").query("quantity == 'elbo' and layers == 1 and k == 1")
    assert ends[0] == pytest.approx(-found["value"].mean())
    assert look.lines_of(figure.axes[0])[0][0, 0] == pytest.approx(np.log(59_600))
    assert set(frame.images) == {59_600}


def test_a_negative_part_keeps_its_sign(whole, look):
    frame = look.data("surgery", whole)
    first = frame.index[frame.term == "marginal_kl"][0]
    frame.loc[first, "value"] = -0.25
    values = frame.set_index("term")["value"].iloc[:4]
    axes = look.draw("surgery", frame, whole).axes[0]
    total = values["mutual_information"] - 0.25 - values["reconstruction"]
    assert look.ends_of_bars(axes)[0] == pytest.approx(total)
    assert "-0.25" in [text.get_text() for text in axes.texts]


def test_capacity(varied, look):
    frame, figure = look.drawn("capacity", varied)
    units, nll = figure.axes
    assert (units.get_ylabel(), nll.get_ylabel()) == ("active units", "nll (nats per image)")
    assert list(units.get_xticks()) == list(nll.get_xticks()) == [25, 50, 100]
    for _, rows in frame.groupby(["objective", "k"]):
        by_size = rows.groupby("latents")
        assert look.has_line(units, by_size.active_units.mean()) and look.has_line(nll, by_size.nll.mean())
        assert look.has_band(nll, by_size.nll.min(), by_size.nll.max())
        assert look.has_bars(nll, by_size.nll.mean(), by_size.se_images.first())
    labels, title = look.legend_of(figure)
    assert labels[:2] == ["VAE k=1", "IWAE k=50"] and title == "latent units" and "range of seeds" in labels


def test_capacity_is_of_the_models_of_the_table_alone(varied, synthetic, look):
    frame = look.data("capacity", varied)
    assert set(frame.latents) == {25, 50, 100} and len(frame) == 2 * 3 * 2
    vae = frame[(frame.objective == "vae") & (frame.seed == 0)]
    assert set(vae.active_units) == {synthetic.active(ModelSpec("mnist", 1, "vae", 1, 0))}


def test_protocols(varied, look):
    frame, figure = look.drawn("protocols", varied)
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["paper-text\n12 fields", "adam_beta1\n0.99 -> 0.9", "shuffle\nFalse -> True"]
    zero = axes.get_lines()[0]
    assert list(zero.get_xdata()) == [0, 0]
    bars = {tuple(end for end, _ in bar): bar[0][1] for bar in look.segments_of(axes)}
    for (objective, variant), rows in frame.groupby(["objective", "variant"]):
        first = rows.iloc[0]
        ends = (round(first.difference - first.se_images, 6), round(first.difference + first.se_images, 6))
        place = ["paper-text", "adam_beta1", "shuffle"].index(variant)
        assert bars[ends] == pytest.approx(place + (-1 if objective == "vae" else 1) / 6, abs=1e-6)
        assert first.difference == pytest.approx(rows.of_seed.mean())
    labels, _ = look.legend_of(figure)
    assert labels[:2] == ["1 layer, VAE, k=1", "1 layer, IWAE, k=5"] and "each seed" in labels


def test_protocols_of_two_data_sets_and_one_seed(tmp_path, synthetic, look):
    models = synthetic.grid((1,), (5,), (0,), datasets=("mnist", "omniglot"))
    models += [replace(model, variation=f"with-{variant}") for model in models for variant in ("loss", "scale")]
    frame, figure = look.drawn("protocols", synthetic.study(tmp_path / "two", models, stages=2))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["mnist", "omniglot"]
    labels, _ = look.legend_of(figure)
    assert labels[:2] == ["1 layer, VAE, k=5", "1 layer, IWAE, k=5"] and "each seed" not in labels
    assert len(frame) == 2 * 2 * 2
    np.testing.assert_allclose(frame.of_seed, frame.difference)


def test_an_exponent_is_found_and_its_error_is_its_spread():
    generator, x = np.random.default_rng(0), np.array([1.0, 10.0, 100.0])
    exponent, _ = power_law(x, 3 * x**-0.5, 0.1 * x)
    assert exponent == pytest.approx(-0.5)
    noise = np.array([0.02, 0.05, 0.1])
    found = [power_law(x, y := x**0.5 * np.exp(noise * generator.standard_normal(3)), noise * y) for _ in range(2000)]
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(0.5, abs=0.002)
    assert values.std() == pytest.approx(errors.mean(), rel=0.05)
