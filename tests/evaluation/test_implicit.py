"""q_EW of models: its shape on a grid, what it reconstructs, and its bounds."""

import numpy as np
import pytest

from iwae.evaluation.implicit import companions, measure, reconstructions
from iwae.reporting.figures.posteriors import implicit_log_density
from iwae.study.measurements import ImplicitSettings


def gaussian(z, mean, std):
    return -0.5 * ((z - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)


@pytest.fixture(scope="module")
def example():
    """log p(x, z) and log q(z) on a grid of one dimension, and the log weights of draws of q."""
    z = np.linspace(-9, 9, 4001)

    def log_joint(z):
        return np.log(0.35) + np.logaddexp(gaussian(z, -1.5, 0.5), gaussian(z, 1.5, 0.5))

    drawn = np.random.default_rng(0).standard_normal((3000, 99))
    return z, log_joint(z), gaussian(z, 0.0, 1.0), log_joint(drawn) - gaussian(drawn, 0.0, 1.0)


def test_density_is_q_for_one_sample_and_near_the_posterior_for_a_hundred(example):
    z, log_joint, log_q, log_w = example
    step = z[1] - z[0]
    np.testing.assert_allclose(implicit_log_density(log_joint, log_q, np.full(5, -np.inf), 1), log_q)
    posterior = np.exp(log_joint) / 0.7
    distances = []
    for k in (2, 10, 100):
        found = np.exp(implicit_log_density(log_joint, log_q, np.logaddexp.reduce(log_w[:, : k - 1], axis=1), k))
        assert abs(found.sum() * step - 1) < 0.02  # of 3000 sets of companions
        distances.append(np.abs(found - posterior).sum() * step)
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.05


def test_bounds_of_images_are_in_order(model_of, binary, device):
    model, x, settings = model_of(1), binary(4), ImplicitSettings(sets=20, groups=10)
    rows = [row for k in (1, 5) for row in measure(model, x, np.arange(4), k, settings, device)]
    assert [(row["image"], row["k"]) for row in rows] == [(image, k) for k in (1, 5) for image in range(4)]
    assert all(row["importance"] == pytest.approx(row["upper"], abs=1e-3) for row in rows[:4])
    assert all(row["importance"] < row["lower"] < row["upper"] for row in rows[4:])


def test_reconstructions_are_picked_by_weight(model_of, binary, device):
    """Of two hundred draws one is taken whose image fits better than a draw of q does."""
    model, x = model_of(1), binary(5)
    model.parameters["px.hidden1.weight"] *= 8  # images that depend on h
    found = reconstructions(model, x, ImplicitSettings(ks=(1, 200)), device) / 255
    model.parameters["px.hidden1.weight"] /= 8
    assert found.shape == (2, 5, 784)
    losses = [np.abs(x - means).sum() for means in found]
    assert losses[1] < losses[0]


def test_companions_are_sums_of_weights(model_of, binary, device):
    model, x = model_of(1, latents=2), binary(3)
    settings = ImplicitSettings(ks=(1, 2, 400), sets=6)
    found = companions(model, x, settings, device)
    assert found.shape == (3, 6, 3)
    assert np.isneginf(found[0]).all()
    spread = found[1:].std(1).mean(1)
    assert spread[1] < spread[0]  # a sum of 399 weights varies less than one weight
    assert (found[2] - np.log(399) > found[1].mean(0) - 1).all()
    assert np.isfinite(found[1:]).all()
