"""q_EW of models: its shape on a grid, what it reconstructs, and its bounds."""

import numpy as np
import pytest
import torch

from iwae.evaluation.implicit import companions, measure, reconstructions
from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.models.model import encode, infer, log_weights, pixel_means
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


def test_an_image_has_the_same_bounds_in_every_subset(model_of, binary, device):
    model, x, settings = model_of(1), binary(4), ImplicitSettings(sets=3, groups=2)
    (*_, last) = measure(model, x, np.arange(4), 5, settings, device)
    (alone,) = measure(model, x[3:], np.array([3]), 5, settings, device)
    assert alone == pytest.approx(last, abs=2e-3)  # float32


def test_reconstructions_are_picked_by_weight(model_of, binary, device):
    """Of two hundred draws the one of nearly all the weight, where the images depend on h as much as here."""
    model, x, k = model_of(1), binary(5), 200
    a, w = model.architecture, model.parameters
    w["px.logits.weight"] *= 8
    found = reconstructions(model, x, ImplicitSettings(ks=(1, k)), device)
    assert found.shape == (2, 5, 784)
    seeds = image_seeds(model.spec, 0, f"implicit/reconstruction/{k}", range(5))
    (noise,) = next(noise_chunks(seeds, k, k, a.latents, device))
    pixels = torch.from_numpy(x).to(device).float()
    share, best = torch.softmax(log_weights(a, w, pixels, [noise]), 0).max(0)
    latents, _ = infer(a, w, encode(a, w, pixels), [noise[best, torch.arange(5, device=device)]])
    sure = (share > 0.999).cpu().numpy()
    assert sure.sum() >= 3
    expected = 255 * pixel_means(a, w, latents).cpu().numpy()
    np.testing.assert_allclose(found[1][sure], expected[sure], atol=0.501)  # rounded


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
