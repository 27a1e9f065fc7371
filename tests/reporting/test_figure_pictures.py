"""Figures of images: which models, which images, and the posterior of models with two latent units."""

import shutil

import numpy as np
import pytest
from matplotlib.patches import Ellipse

from iwae.reporting import figures
from iwae.reporting.figures import images, posteriors
from iwae.reporting.study import StudyResults
from iwae.study import manifest
from iwae.study.specification import ModelSpec


def shown_in(folder):
    study = StudyResults.open(folder)
    return images.shown(study, study.kinds(), "pictures")


def test_pictures_are_those_of_the_largest_k_and_the_first_seed(whole, look):
    names = [model.spec.name for model in shown_in(whole).values()]
    assert names == [f"mnist/l{n}-{o}-k5/seed0" for n in (1, 2) for o in ("vae", "iwae")]
    panels, figure = look.drawn("samples", whole)
    with np.load(whole / names[0] / "pictures.npz") as arrays:
        samples = arrays["samples"][:64]
    np.testing.assert_array_equal(panels["1 layer, VAE k=5"], samples)
    canvas = figure.axes[0].get_images()[0].get_array()
    assert canvas.shape == (8 * 29 - 1, 8 * 29 - 1)
    np.testing.assert_allclose(canvas[:28, 29:57], samples[1].reshape(28, 28) / 255)


def test_reconstructions_begin_with_the_test_images(whole, look):
    panels, figure = look.drawn("reconstructions", whole)
    assert [axes.get_ylabel() for axes in figure.axes][0] == "test image" and len(figure.axes) == 5
    assert set(np.unique(panels["test image"])) == {0, 255}


def test_weights_are_the_units_of_largest_norm(whole, look):
    panels, _ = look.drawn("weights", whole)
    norms = np.linalg.norm(panels["2 layers, IWAE k=5"], axis=1)
    assert len(norms) == images.WEIGHTS and (np.diff(norms) <= 1e-5).all()


def test_where_all_weights_were_deleted_on_purpose_there_is_no_figure_of_them(whole, tmp_path):
    study = StudyResults.open(shutil.copytree(whole, tmp_path / "whole"))
    for model in study.models:
        manifest.strip(model.folder)
    assert figures.plotted("weights", StudyResults.open(study.folder)) == {}


@pytest.mark.parametrize("finest", [100, 20])
def test_the_posterior_is_that_of_the_folder_normalised(varied, look, monkeypatch, finest):
    monkeypatch.setattr(posteriors, "_CELLS", finest)
    found, _ = look.drawn("posterior", varied)
    panel = found["1 layer, IWAE k=5"][2]
    with np.load(varied / "mnist/l1-iwae-k5-z2/seed0/pictures.npz") as arrays:
        axes, log_joint = arrays["posterior_axes"][2].astype(float), arrays["posterior_log_joint"][2].astype(float)
        mean, image = arrays["posterior_mean"][2], arrays["posterior_inputs"][2]
    steps = np.ptp(axes, axis=1) / (axes.shape[1] - 1)
    whole = np.exp(log_joint - log_joint.max())
    whole /= whole.sum() * steps.prod()
    density = panel.density
    columns, rows = (np.abs(axis[:, None] - part).argmin(0) for axis, part in zip(axes, panel.axes, strict=True))
    every = 60 // min(finest, 60)  # the synthetic grid has 60 points along each axis
    assert (np.diff(columns) == every).all() and (np.diff(rows) == every).all()
    expected = whole[np.ix_(rows, columns)]
    large = expected > 1.1 * posteriors.LEAST * expected.max()
    np.testing.assert_allclose(density[large], expected[large], rtol=1e-6)
    assert (density[expected < 0.9 * posteriors.LEAST * expected.max()] == 0).all()
    assert density.sum() * steps.prod() * every**2 == pytest.approx(1, abs=0.02)  # less the tails
    np.testing.assert_array_equal(panel.mean, mean)
    np.testing.assert_array_equal(panel.image, image)


def test_a_density_of_one_point_keeps_a_cell_of_zeros_about_it():
    axes = np.stack([np.linspace(0, 1, 5), np.linspace(2, 4, 5)])
    log_joint = np.full((5, 5), -800.0)
    log_joint[4, 1] = -90.0  # at the last row
    (first, second), density = posteriors._thinned(posteriors.normalised(log_joint, axes), axes)
    np.testing.assert_allclose(density, [[0, 0, 0], [0, 8, 0]])  # a cell is 1/4 by 1/2
    assert (first.tolist(), second.tolist()) == ([0, 0.25, 0.5], [3.5, 4])


def test_posteriors_have_a_row_for_each_model_and_a_column_for_each_image(varied, look):
    found, figure = look.drawn("posterior", varied)
    titles = [part.get_suptitle() for part in figure.subfigs]
    assert titles == list(found) == ["1 layer, VAE k=1", "1 layer, IWAE k=5", "1 layer, IWAE k=50"]
    assert len(figure.axes) == 3 * 2 * 6
    panel = figure.axes[6]
    assert panel.get_ylabel() == "h1_2" and figure.axes[-1].get_xlabel() == "h1_1"
    one, two = [patch for patch in panel.patches if isinstance(patch, Ellipse)]
    mean, deviation = found["1 layer, VAE k=1"][0][2:4]
    assert tuple(one.get_center()) == tuple(two.get_center()) == pytest.approx(tuple(mean))
    assert (one.get_width(), one.get_height()) == pytest.approx(2 * deviation)
    assert (two.get_width(), two.get_height()) == pytest.approx(4 * deviation)


def test_panels_are_squares_that_hold_the_density_and_q(varied, look):
    found, figure = look.drawn("posterior", varied)
    for place, (_, _, mean, deviation, *_) in enumerate(found["1 layer, VAE k=1"]):
        panel = figure.axes[6 + place]
        limits, extent = np.array([panel.get_xlim(), panel.get_ylim()]), panel.get_images()[0].get_extent()
        assert np.ptp(limits[0]) == pytest.approx(np.ptp(limits[1])) and panel.get_aspect() == 1
        for low, high in (np.reshape(extent, (2, 2)).T, (mean - 2 * deviation, mean + 2 * deviation)):
            assert (limits[:, 0] < low).all() and (high < limits[:, 1]).all()


def test_panels_have_two_or_three_ticks_that_do_not_meet(varied, look):
    _, figure = look.drawn("posterior", varied)
    figure.draw_without_rendering()
    for panel in (axes for axes in figure.axes if len(axes.patches) == 2):
        boxes = [label.get_window_extent() for label in panel.get_xticklabels()]
        low, high = panel.get_xlim()
        seen = [box for box, x in zip(boxes, panel.get_xticks(), strict=True) if low <= x <= high]
        assert 1 <= len(seen) <= 3 and all(one.x1 < other.x0 for one, other in zip(seen, seen[1:], strict=False))


def test_a_posterior_s_brightest_point_is_where_its_log_joint_is_highest(varied, look):
    _, figure = look.drawn("posterior", varied)
    with np.load(varied / "mnist/l1-vae-k1-z2/seed0/pictures.npz") as arrays:
        (first, second), log_joint = arrays["posterior_axes"][0], arrays["posterior_log_joint"][0]
    row, column = np.unravel_index(log_joint.argmax(), log_joint.shape)
    shown = figure.axes[6].get_images()[0]
    height, width = np.unravel_index(shown.get_array().argmax(), shown.get_array().shape)
    left, right, bottom, top = shown.get_extent()
    rows, columns = shown.get_array().shape
    brightest = left + (width + 0.5) * (right - left) / columns, bottom + (height + 0.5) * (top - bottom) / rows
    assert brightest == pytest.approx((first[column], second[row]))
    assert shown.origin == "lower"


def test_posteriors_of_more_seeds_are_those_of_the_first(tmp_path, synthetic, look):
    models = [ModelSpec("mnist", 1, "vae", 1, seed, "z2") for seed in (3, 1)]
    found, _ = look.drawn("posterior", synthetic.study(tmp_path / "two", models))
    with np.load(tmp_path / "two/mnist/l1-vae-k1-z2/seed1/pictures.npz") as arrays:
        np.testing.assert_array_equal(found["1 layer, VAE k=1"][0].mean, arrays["posterior_mean"][0])
