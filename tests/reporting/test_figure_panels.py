"""Figures of whole studies and of parts of them: their panels and series, and the same again from the CSV."""

import numpy as np
import pandas as pd
import pytest

from iwae.reporting.contents import FIGURES
from iwae.study.specification import grid

OWN = ("capacity", "protocols", "schedules", "posterior", "implicit")  # figures of models that are not of the grid
OF_PRIORS = ("replaced", "prior_samples", "pseudo_inputs", "plane")  # made from data to figure in tests/workflow
OF_GRID = [name for name in FIGURES if name not in (*OWN, *OF_PRIORS)]


@pytest.mark.parametrize("name", [name for name in (*OF_GRID, *OWN) if FIGURES[name].numbers])
def test_the_csv_has_the_plotted_numbers(whole, varied, name, look):
    study = varied if name in OWN else whole
    _, from_csv = look.drawn(name, study)
    direct = look.draw(name, look.data(name, study), study)
    for one, other in zip(from_csv.axes, direct.axes, strict=True):
        lines = zip(look.lines_of(one), look.lines_of(other), strict=True)
        assert all(np.allclose(a, b, equal_nan=True) for a, b in lines)
        shapes = [
            [patch.get_path().get_extents(patch.get_patch_transform()).bounds for patch in axes.patches]
            for axes in (one, other)
        ]
        np.testing.assert_allclose(*shapes)
        assert look.segments_of(one) == look.segments_of(other)


PARTS = [
    ((1,), ("vae",), (1,), (0,)),
    ((2,), ("iwae",), (7,), (0, 1)),
    pytest.param(((2,), ("vae", "iwae"), (1, 5, 50), (0,)), marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=PARTS)
def part(request, tmp_path_factory, synthetic):
    """A part of the grid, and a study of it."""
    folder = tmp_path_factory.mktemp("part") / "part"
    return request.param, synthetic.study(folder, grid(["mnist"], *request.param), stages=4)


@pytest.mark.parametrize("name", OF_GRID)
def test_figures_of_any_part_of_the_grid(part, name, look):
    ((layers,), objectives, ks, _), study = part
    _, figure = look.drawn(name, study)
    trained = [(o, k) for o in objectives for k in ks if k > 1 or o == "vae"]  # at k = 1 both are the VAE
    kinds = [f"{o.upper()} k={k}" for o, k in trained]
    largest = [f"{o.upper()} k={ks[-1]}" for o in objectives]
    words = f"{layers} layer" + "s" * (layers > 1)
    panels = {
        "nll": [f"{words}"],
        "bound": [f"{words}"],
        "learning": [f"{o.upper()}, {words}" for o in objectives],
        "activity": [kind.replace(" ", ", ") for kind in kinds],
        "surgery": [f"{words}, {kind.replace(' ', ', ')}" for kind in kinds],
        "reconstructions": ["test image", *(f"{words}, {kind}" for kind in largest)],
    }
    panels["samples"] = panels["weights"] = panels["reconstructions"][1:]
    panels["picked"] = ["test image", *(f"{words}, {kind}\none of {k}" for kind in largest for k in (1, 10, 100))]
    panels["gradients"] = ["encoder, trained models", "decoder, trained models"]
    series = {
        "nll": [o.upper() for o in objectives],
        "bound": kinds,
        "learning": [f"k = {k}, {split}" for k in ks for split in ("train", "validation")],
        "activity": [f"units of h{layer}" for layer in range(layers, 0, -1)],
        "surgery": ["log N, N = 59600", "mutual information I", "marginal KL", "-reconstruction"],
    }
    assert look.panels_of(name, figure) == panels[name]
    if name in series:
        assert look.legend_of(figure)[0][: len(series[name])] == series[name]


def test_panels_name_the_data_set_where_there_are_several(tmp_path, synthetic, look):
    models = synthetic.grid((1,), (1, 5), (0,), datasets=("mnist", "mnist-static"))
    study = synthetic.study(tmp_path / "two", models, images=10)
    kinds = [f"{name}\n1 layer, {kind} k=5" for name in ("mnist", "mnist-static") for kind in ("VAE", "IWAE")]
    panels = {
        "samples": kinds,
        "weights": kinds,
        "reconstructions": ["mnist\ntest image", *kinds[:2], "mnist-static\ntest image", *kinds[2:]],
        "nll": ["1 layer, mnist", "1 layer, mnist-static"],
    }
    assert {name: look.panels_of(name, look.drawn(name, study)[1]) for name in panels} == panels
    bars = look.panels_of("surgery", look.drawn("surgery", study)[1])
    assert bars[0] == "mnist, 1 layer, VAE, k=1" and bars[-1] == "mnist-static, 1 layer, IWAE, k=5"


def test_the_curves_of_each_data_set_have_limits_of_their_own(tmp_path, synthetic, look):
    models = synthetic.grid((1, 2), (1,), (0,), datasets=("mnist", "omniglot"))
    frame, figure = look.drawn("learning", synthetic.study(tmp_path / "two", models, images=10, stages=5))
    limits = [axes.get_ylim() for axes in figure.axes]
    assert limits[0] == limits[1] != limits[2] == limits[3]
    for (low, high), dataset in zip(limits[::2], ("mnist", "omniglot"), strict=True):
        shown = frame[(frame.dataset == dataset) & (frame["pass"] >= 4)]
        assert low < shown.validation_bound.min() and shown.train_bound.max() < high < low + 60


def test_variations_change_no_figure_of_the_grid(varied, tmp_path, synthetic, look):
    plain = synthetic.study(tmp_path / "plain", synthetic.grid((1,), (1, 5, 50)))
    for name in OF_GRID:
        with_them, without = (look.data(name, study) for study in (varied, plain))
        if FIGURES[name].numbers:
            pd.testing.assert_frame_equal(with_them, without)
        else:
            np.testing.assert_equal(with_them, without)
