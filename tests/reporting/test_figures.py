"""Figures: series, labels, and the numbers beside them."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from iwae.reporting.figures import FIGURES, images, write_figure
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


def has_band(axes, low, high):
    """Whether the range over seeds is drawn as a band: there and back, each corner once at least."""
    corners = {*np.round(low, 9), *np.round(high, 9)}
    return any(
        {*np.round(path.vertices[:, 1], 9)} == corners
        for band in axes.collections
        if isinstance(band, PolyCollection)
        for path in band.get_paths()
    )


def has_bars(axes, values, errors):
    """Whether values have error bars."""
    bars = {
        tuple(np.round(bar[:, 1], 6))
        for lines in axes.collections
        if isinstance(lines, LineCollection)
        for bar in lines.get_segments()
    }
    wanted = zip(np.round(values - errors, 6), np.round(values + errors, 6), strict=True)
    return set(wanted) <= bars


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
            rows = frame[(frame.layers == layers) & (frame.objective == objective)].groupby("k")
            assert has_line(axes, rows.nll.mean()) and has_line(axes, rows.paper_nll.first())
            assert has_band(axes, rows.nll.min(), rows.nll.max())
            assert has_bars(axes, rows.nll.mean(), rows.se_images.first())
    labels, title = legend_of(figure)
    assert labels[:2] == ["VAE", "IWAE"] and any("paper" in label for label in labels) and title == ""
    assert "range of seeds" in labels and any("se_images" in label for label in labels)


def test_nll_of_a_cut_schedule_says_so_and_leaves_the_paper_out(cut):
    frame, figure = drawn("nll", cut)
    labels, title = legend_of(figure)
    assert "not comparable with the paper" in title and "86.76" in title
    assert not any("paper" in label for label in labels) and "range of seeds" not in labels
    assert not has_line(figure.axes[0], frame[(frame.layers == 1) & (frame.objective == "vae")].paper_nll)
    assert all("cut after 2 of 8 stages" in axes.get_title(loc="left") for axes in figure.axes)


def bars_of(axes):
    """The bars of a histogram that are not empty: left and right edge, height; and their colours."""
    bars = [(patch.get_x(), patch.get_x() + patch.get_width(), patch.get_height()) for patch in axes.patches]
    colours = [patch.get_facecolor() for patch in axes.patches]
    return [(bar, colour) for bar, colour in zip(bars, colours, strict=True) if bar[2] > 0]


def test_activity_counts_all_units_and_has_its_threshold_at_a_bins_edge(whole):
    frame, figure = drawn("activity", whole)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["VAE, k=1", "VAE, k=5", "IWAE, k=5", "", "", ""]
    totals = frame.groupby(["layers", "objective", "k", "unit_layer"]).weight.sum()
    assert set(totals.loc[1].round(6)) == {50.0} and set(totals.loc[2].xs(1, level="unit_layer").round(6)) == {100.0}
    for axes, units in zip(figure.axes, [50] * 3 + [150] * 3, strict=True):
        assert sum(height for (_, _, height), _ in bars_of(axes)) == pytest.approx(units)
        edges = {round(edge, 6) for patch in axes.patches for edge in np.log10([patch.get_x()])}
        assert -2 in edges and list(axes.get_lines()[0].get_xdata()) == [0.01, 0.01]
    heights = {}
    for (left, _, height), colour in bars_of(figure.axes[5]):
        if left > 0.0099:
            heights[colour] = heights.get(colour, 0) + height
    assert sorted(heights.values()) == [pytest.approx(6), pytest.approx(18.5)]
    labels, title = legend_of(figure)
    assert labels == ["units of h2", "units of h1", "threshold, A_u = 0.01"] and "authors' variant" in title
    assert figure.axes[3].get_ylabel() == "2 layers\nunits per bin"


def test_activities_of_zero_and_below_are_counted(tmp_path, synthetic, monkeypatch):
    study = Study.open(synthetic.study(tmp_path / "study", [ModelSpec("mnist", 1, "vae", 1, 0)]))
    table = pd.DataFrame({"layer": 1, "unit": range(4), "activity": 0.5, "activity_authors": [0.0, -1e-9, 1e-30, 0.5]})
    head = {"dataset": "mnist", "layers": 1, "objective": "vae", "k": 1, "seed": 0, "stages": 8}
    monkeypatch.setattr(Study, "concat", lambda *_: table.assign(**head))
    figure = FIGURES["activity"].draw(FIGURES["activity"].data(study))
    bars = [bar for bar, _ in bars_of(figure.axes[0])]
    assert [height for _, _, height in bars] == [3, 1] and bars[0][0] == pytest.approx(1e-6)


def test_learning(whole):
    frame, figure = drawn("learning", whole)
    assert len(figure.axes) == 4 and frame["pass"].max() == 3280
    ends = [1, 4, 13, 40, 121, 364, 1093, 3280]
    assert list(figure.axes[0].get_xticks()) == ends and set(ends) <= set(frame["pass"])
    one = frame[(frame.layers == 1) & (frame.objective == "vae") & (frame.k == 5)].groupby("pass")
    for bound in (one.train_bound, one.validation_bound):
        assert has_line(figure.axes[0], bound.mean()) and has_band(figure.axes[0], bound.min(), bound.max())
    for line in figure.axes[0].get_lines():
        if len(line.get_xdata()):
            assert list(line.get_xdata()[line.get_markevery()]) == ends
    curves = [pd.read_csv(whole / f"mnist/l1-vae-k5/seed{s}/training.csv").set_index("pass") for s in (0, 1)]
    assert one.train_bound.mean()[121] == pytest.approx(np.mean([c.train_bound[121] for c in curves]))


def test_learning_without_held_out_images(tmp_path, synthetic):
    spec = ModelSpec("mnist", 1, "vae", 1, 0)
    study = synthetic.study(tmp_path / "study", [spec], stages=3)
    frame = FIGURES["learning"].data(Study.open(study))
    frame["validation_bound"] = np.nan
    labels, _ = legend_of(FIGURES["learning"].draw(frame))
    assert labels == ["k = 1, train"]


def test_bound(whole):
    frame, figure = drawn("bound", whole)
    for (layers, _, _), rows in frame.groupby(["layers", "objective", "k"]):
        bound = rows.groupby("samples").bound
        assert has_line(figure.axes[layers - 1], bound.mean())
        assert has_band(figure.axes[layers - 1], bound.min(), bound.max())
    assert legend_of(figure)[0] == ["VAE k=1", "VAE k=5", "IWAE k=5"]


def ends_of_bars(axes):
    """By place, the end of the last part of each bar."""
    return {round(p.get_y() + p.get_height() / 2): p.get_x() + p.get_width() for p in axes.patches}


def test_surgery_bars_add_up_to_minus_the_elbo(whole):
    frame, figure = drawn("surgery", whole)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [f"{n}, {m}" for n in ("1 layer", "2 layers") for m in ("VAE k=1", "VAE k=5", "IWAE k=5")]
    ends = ends_of_bars(figure.axes[0])
    from_results = Study.open(whole).results.query("quantity == 'elbo' and layers == 1 and k == 1")["value"].mean()
    assert ends[0] == pytest.approx(-from_results)
    assert lines_of(figure.axes[0])[0][0, 0] == pytest.approx(np.log(600))
    assert set(frame.images) == {600}


def test_a_negative_part_keeps_its_sign(whole):
    frame = FIGURES["surgery"].data(Study.open(whole))
    first = frame.index[frame.term == "marginal_kl"][0]
    frame.loc[first, "value"] = -0.25
    values = frame.set_index("term")["value"].iloc[:4]
    axes = FIGURES["surgery"].draw(frame).axes[0]
    total = values["mutual_information"] - 0.25 - values["reconstruction"]
    assert ends_of_bars(axes)[0] == pytest.approx(total)
    assert "-0.25" in [text.get_text() for text in axes.texts]


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


def panels_of(name, figure):
    """What names the panels of a figure: titles, labels of rows, or the names of bars."""
    if name == "surgery":
        return [label.get_text() for label in figure.axes[0].get_yticklabels()]
    if name == "reconstructions":
        return [axes.get_ylabel() for axes in figure.axes]
    return [axes.get_title(loc="left") for axes in figure.axes if axes.axison]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "models", [((1,), ("vae",), (1,), (0,)), ((2,), ("iwae",), (7,), (0, 1)), ((2,), ("vae", "iwae"), (1, 5, 50), (0,))]
)
def test_figures_of_any_part_of_the_grid(tmp_path, synthetic, name, models):
    (layers,), objectives, ks, _ = models
    study = synthetic.study(tmp_path / "part", grid(["mnist"], *models), stages=4)
    write_figure(name, study, tmp_path / "figures")
    _, figure = drawn(name, study)
    trained = [(o, k) for o in objectives for k in ks if k > 1 or o == "vae"]  # at k = 1 both are the VAE
    kinds = [f"{o.upper()} k={k}" for o, k in trained]
    largest = [f"{o.upper()} k={ks[-1]}" for o in objectives]
    words = f"{layers} layer" + "s" * (layers > 1)
    panels = {
        "nll": [f"{words}, cut after 4 of 8 stages"],
        "bound": [f"{words}, cut after 4 of 8 stages"],
        "learning": [f"{o.upper()}, {words}, cut after 4 of 8 stages" for o in objectives],
        "activity": [kind.replace(" ", ", ") for kind in kinds],
        "surgery": [f"{words}, {kind}" for kind in kinds],
        "reconstructions": ["test image", *(f"{words}, {kind}\n4 of 8 stages" for kind in largest)],
    }
    panels["samples"] = panels["weights"] = panels["reconstructions"][1:]
    series = {
        "nll": [o.upper() for o in objectives],
        "bound": kinds,
        "learning": [f"k = {k}, {split}" for k in ks for split in ("train", "validation")],
        "activity": [f"units of h{layer}" for layer in range(layers, 0, -1)],
        "surgery": ["log N, N = 600", "mutual information I", "marginal KL", "-reconstruction"],
    }
    assert panels_of(name, figure) == panels[name]
    if name in series:
        assert legend_of(figure)[0][: len(series[name])] == series[name]
