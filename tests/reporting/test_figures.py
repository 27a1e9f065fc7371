"""Figures: series, labels, the numbers beside them, and the same bytes again."""

import io

import numpy as np
import pandas as pd
import pytest

from iwae.errors import InputError
from iwae.reporting.figures import FIGURES, images, write_figure
from iwae.reporting.results import write_results
from iwae.reporting.study import Study
from iwae.specification import ModelSpec, grid


def drawn(name, study):
    """The numbers of a figure as its CSV gives them, and the figure drawn from exactly these."""
    recipe = FIGURES[name]
    stream = io.StringIO(recipe.data(Study.open(study)).to_csv(index=False))
    frame = pd.read_csv(stream)
    return frame, recipe.draw(frame)


def lines_of(axes):
    """The lines with more than one point, (points, 2) each."""
    return [line.get_xydata() for line in axes.get_lines() if len(line.get_xdata()) > 1]


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()], legend.get_title().get_text()


def has_line(axes, values):
    return any(len(line) == len(values) and np.allclose(line[:, 1], values) for line in lines_of(axes))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_written_and_is_the_same_bytes_again(cut, tmp_path, name):
    for folder in ("first", "second"):
        write_figure(name, cut, tmp_path / folder)
    for suffix in ("pdf", "png", "csv"):
        first, second = ((tmp_path / folder / f"{name}.{suffix}").read_bytes() for folder in ("first", "second"))
        assert first == second and len(first) > 500
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == [
        f"{name}.{s}" for s in ("csv", "pdf", "png")
    ]


@pytest.mark.parametrize("name", FIGURES)
def test_the_csv_has_the_plotted_numbers(whole, name):
    _, from_csv = drawn(name, whole)
    direct = FIGURES[name].draw(FIGURES[name].data(Study.open(whole)))
    for one, other in zip(from_csv.axes, direct.axes, strict=True):
        assert all(np.allclose(a, b, equal_nan=True) for a, b in zip(lines_of(one), lines_of(other), strict=True))
        for a, b in zip(one.get_images(), other.get_images(), strict=True):
            np.testing.assert_allclose(a.get_array(), b.get_array())
        bars = [[patch.get_bbox().bounds for patch in axes.patches] for axes in (one, other)]
        np.testing.assert_allclose(*bars)


def test_nll(whole):
    frame, figure = drawn("nll", whole)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["1 layer", "2 layers"]
    assert figure.axes[0].get_ylabel() == "nll (nats per image)"
    for axes, layers in zip(figure.axes, (1, 2), strict=True):
        for objective in ("vae", "iwae"):
            rows = frame[(frame.layers == layers) & (frame.objective == objective)].sort_values("k")
            assert has_line(axes, rows.nll) and has_line(axes, rows.paper_nll)
    labels, title = legend_of(figure)
    assert labels[:2] == ["VAE", "IWAE"] and any("paper" in label for label in labels) and title == ""
    assert "range of seeds" in labels and any("se_images" in label for label in labels)


def test_nll_of_a_cut_schedule_says_so_and_leaves_the_paper_out(cut):
    frame, figure = drawn("nll", cut)
    labels, title = legend_of(figure)
    assert "not the paper's schedule" in title and "86.76" in title
    assert not any("paper" in label for label in labels) and "range of seeds" not in labels
    assert not has_line(figure.axes[0], frame[(frame.layers == 1) & (frame.objective == "vae")].paper_nll)
    assert all("cut after 2 of 8 stages" in axes.get_title(loc="left") for axes in figure.axes)


def test_activity_counts_all_units_and_has_its_threshold_at_a_bins_edge(whole):
    frame, figure = drawn("activity", whole)
    totals = frame.groupby(["layers", "objective", "k", "unit_layer"]).units.sum()
    assert set(totals.loc[1].round(6)) == {50.0} and set(totals.loc[2].xs(1, level="unit_layer").round(6)) == {100.0}
    active = frame[frame.log10_low > -2.001].groupby(["layers", "objective", "k", "unit_layer"]).units.sum()
    assert active.loc[2, "iwae", 5, 1] == pytest.approx(18.5) and active.loc[2, "iwae", 5, 2] == pytest.approx(6)
    assert np.isclose(frame.log10_low, -2).any()
    assert "authors' variant" in legend_of(figure)[1]


def test_activities_of_zero_and_below_are_counted(tmp_path, synthetic, monkeypatch):
    study = Study.open(synthetic.study(tmp_path / "study", [ModelSpec("mnist", 1, "vae", 1, 0)]))
    table = pd.DataFrame({"layer": 1, "unit": range(4), "activity": 0.5, "activity_authors": [0.0, -1e-9, 1e-30, 0.5]})
    head = {"dataset": "mnist", "layers": 1, "objective": "vae", "k": 1, "seed": 0, "stages": 8}
    monkeypatch.setattr(Study, "concat", lambda *_: table.assign(**head))
    frame = FIGURES["activity"].data(study)
    assert frame.units.sum() == 4 and frame.loc[frame.log10_low == -6, "units"].item() == 3


def test_learning(whole):
    frame, figure = drawn("learning", whole)
    assert len(figure.axes) == 4 and frame["pass"].max() == 3280
    ends = [1, 4, 13, 40, 121, 364, 1093, 3280]
    assert list(figure.axes[0].get_xticks()) == ends and set(ends) <= set(frame["pass"])
    one = frame[(frame.layers == 1) & (frame.objective == "vae") & (frame.k == 5)].sort_values("pass")
    assert has_line(figure.axes[0], one.train_bound) and has_line(figure.axes[0], one.validation_bound)
    curves = [pd.read_csv(whole / f"mnist/l1-vae-k5/seed{s}/training.csv").set_index("pass") for s in (0, 1)]
    assert one.set_index("pass").train_bound[121] == pytest.approx(np.mean([c.train_bound[121] for c in curves]))


def test_learning_without_held_out_images(tmp_path, synthetic):
    spec = ModelSpec("mnist", 1, "vae", 1, 0)
    study = synthetic.study(tmp_path / "study", [spec], stages=3)
    frame = FIGURES["learning"].data(Study.open(study))
    frame[["validation_bound", "validation_bound_min", "validation_bound_max"]] = np.nan
    labels, _ = legend_of(FIGURES["learning"].draw(frame))
    assert labels == ["k = 1, train"]


def test_bound(whole):
    frame, figure = drawn("bound", whole)
    for (layers, _, _), rows in frame.groupby(["layers", "objective", "k"]):
        assert has_line(figure.axes[layers - 1], rows.sort_values("samples").bound)
    assert legend_of(figure)[0] == ["VAE k=1", "VAE k=5", "IWAE k=5"]


def test_surgery_bars_add_up_to_minus_the_elbo(whole):
    frame, figure = drawn("surgery", whole)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [f"{n}, {m}" for n in ("1 layer", "2 layers") for m in ("VAE k=1", "VAE k=5", "IWAE k=5")]
    ends = {}
    for patch in figure.axes[0].patches:
        place = round(patch.get_y() + patch.get_height() / 2)
        ends[place] = max(ends.get(place, 0), patch.get_x() + patch.get_width())
    from_results = Study.open(whole).results.query("quantity == 'elbo' and layers == 1 and k == 1")["value"].mean()
    assert ends[0] == pytest.approx(-from_results)
    assert lines_of(figure.axes[0])[0][0, 0] == pytest.approx(np.log(600))
    assert set(frame.images) == {600}


def test_pictures_are_those_of_the_largest_k_and_the_first_seed(whole):
    names = [model.spec.name for model in images.shown(Study.open(whole))]
    assert names == [f"mnist/l{n}-{o}-k5/seed0" for n in (1, 2) for o in ("vae", "iwae")]
    frame, figure = drawn("samples", whole)
    with np.load(whole / names[0] / "pictures.npz") as arrays:
        np.testing.assert_array_equal(
            frame.loc[frame.panel == "1 layer, VAE k=5", images.PIXELS], arrays["samples"][:64]
        )
    canvas = figure.axes[0].get_images()[0].get_array()
    first = frame.loc[0, images.PIXELS].to_numpy(float).reshape(28, 28) / 255
    assert canvas.shape == (8 * 29 - 1, 8 * 29 - 1)
    np.testing.assert_allclose(canvas[:28, :28], first)


def test_reconstructions_begin_with_the_test_images(whole):
    frame, figure = drawn("reconstructions", whole)
    assert [axes.get_ylabel() for axes in figure.axes][0] == "test image" and len(figure.axes) == 5
    assert set(np.unique(frame.loc[frame.panel == "test image", images.PIXELS])) == {0, 255}


def test_weights_are_the_units_of_largest_norm(whole):
    frame, _ = drawn("weights", whole)
    rows = frame[frame.panel == "2 layers, IWAE k=5"]
    norms = np.linalg.norm(rows[images.PIXELS], axis=1)
    assert len(rows) == images.WEIGHTS and (np.diff(norms) <= 1e-2).all()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "models", [((1,), ("vae",), (1,), (0,)), ((2,), ("iwae",), (7,), (0, 1)), ((2,), ("vae", "iwae"), (1, 5, 50), (0,))]
)
def test_figures_of_any_part_of_the_grid(tmp_path, synthetic, name, models):
    study = synthetic.study(tmp_path / "part", grid(["mnist"], *models), stages=4)
    write_figure(name, study, tmp_path / "figures")


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_models_with_different_schedules(tmp_path, synthetic, name):
    specs = grid(["mnist"], (1,), ("vae", "iwae"), (1, 5), (0,))
    for spec in specs:
        synthetic.model(tmp_path / "study", spec, stages=5 if spec.objective == "vae" else 2)
    write_results(tmp_path / "study", [spec.name for spec in specs])
    write_figure(name, tmp_path / "study", tmp_path / "figures")
    assert "2 of 8 stages" in (tmp_path / "figures" / f"{name}.csv").read_text() or name not in ("samples", "weights")


def test_bad_input_is_refused(tmp_path, synthetic):
    with pytest.raises(InputError, match="figure 'pie' is unknown: use one of nll, activity"):
        write_figure("pie", tmp_path, tmp_path)
    with pytest.raises(InputError, match="results.csv is missing"):
        write_figure("nll", tmp_path, tmp_path)
    study = synthetic.study(tmp_path / "study", [ModelSpec("mnist", 1, "vae", 1, 0)], stages=2)
    path = study / "mnist/l1-vae-k1/seed0/pictures.npz"
    path.unlink()
    with pytest.raises(InputError, match=f"{path} is missing"):
        write_figure("samples", study, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()
