"""The posterior on a grid: its integral, its axes, and the pictures beside it."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.evaluation import likelihood, posterior
from iwae.models.densities import bernoulli_log_prob, standard_gaussian_log_prob
from iwae.models.model import encode, pixel_logits, reconstruct
from iwae.study.measurements import LikelihoodSettings

POINTS = 60
STEEP = 600.0  # times the decoder's last weights
CENTRE = torch.tensor([0.7, -0.4])
SINGLE = 2e-3  # float32: rounding of sums of some 1000 nats


@pytest.fixture
def model(model_of):
    return model_of(1, latents=2)


@pytest.fixture
def narrow(model, device):
    """The model with a steep decoder, so that posteriors have deviations of about 0.02, and q wider, about `CENTRE`."""
    model.parameters["px.hidden1.weight"] *= 0.1  # nearly linear
    model.parameters["px.logits.weight"] *= STEEP
    model.parameters["px.logits.bias"] -= pixel_logits(
        model.architecture, model.parameters, [CENTRE.to(device)], torch.zeros(1, 784, device=device)
    )
    for name, value in (("mean", CENTRE.to(device)), ("scale", math.log(0.04))):
        model.parameters[f"q1.{name}.weight"][:] = 0
        model.parameters[f"q1.{name}.bias"][:] = value
    return model


def areas(found):
    """The areas of the cells, (m,)."""
    return np.prod(np.ptp(found.axes.astype(np.float64), axis=-1) / (found.axes.shape[-1] - 1), axis=-1)


def log_integral(found):
    """The logarithm of the sum over the grid's cells, (m,)."""
    return torch.logsumexp(torch.from_numpy(found.log_joint).double().flatten(1), 1).numpy() + np.log(areas(found))


def require_likelihood(found, model, x, device):
    """That the integral is log p(x), which importance sampling gives with an error of its own."""
    settings = LikelihoodSettings(samples=20_000)
    sampled = likelihood.evaluate(model, x, np.arange(len(x)), settings, "test", device)
    error = np.sqrt(1 / sampled.estimates.ess - 1 / settings.samples)
    assert (np.abs(log_integral(found) - sampled.log_likelihood) < 4 * error + SINGLE).all()
    assert (error < 0.05).all()


def deviations(found, density):
    """The deviations along both axes, (m, 2), of densities (m, P, P)."""
    weights = np.stack([density.sum(1), density.sum(2)], axis=1)  # (m, 2, P)
    weights /= weights.sum(-1, keepdims=True)
    mean = (weights * found.axes).sum(-1, keepdims=True)
    return np.sqrt((weights * (found.axes - mean) ** 2).sum(-1))


def test_integral_is_the_likelihood(model, binary, device):
    require_likelihood(posterior.draw(model, binary(4), POINTS, device), model, binary(4), device)


@pytest.mark.parametrize("points", [POINTS, pytest.param(200, marks=pytest.mark.slow)])
def test_a_narrow_posterior_fills_its_window(narrow, device, points):
    x = np.random.default_rng(3).integers(0, 2, (3, 784), dtype=np.uint8)  # the decoder's means at CENTRE are 1/2
    found = posterior.draw(narrow, x, points, device)
    require_likelihood(found, narrow, x, device)
    density = np.exp(found.log_joint - found.log_joint.max((1, 2), keepdims=True)).astype(np.float64)
    np.testing.assert_allclose(deviations(found, density), 0.02, atol=0.005)
    for across in ((density > 1e-3).any(1), (density > 1e-3).any(2)):
        assert (across.sum(-1) > points / 2).all()
    assert (1 / density.sum((1, 2)) < 20 / points**2).all()  # the share of the largest cell


def test_integral_of_a_decoder_that_ignores_h_is_exact(model, binary, device):
    model.parameters["px.hidden1.weight"][:] = 0
    x = torch.from_numpy(binary(4)).to(device).float()
    logits = pixel_logits(model.architecture, model.parameters, [torch.zeros(2, device=device)], x)
    found = log_integral(posterior.draw(model, binary(4), POINTS, device))
    # The sum over equal steps is exact for a Gaussian but for what lies beyond the window, less than 1e-3 nats.
    np.testing.assert_allclose(found, bernoulli_log_prob(x, logits).cpu(), atol=SINGLE)


def test_each_point_is_the_joint_density_there(model, binary, device):
    found = posterior.draw(model, binary(3), 5, device)
    x = torch.from_numpy(binary(3)).to(device).float()
    for i, j in ((0, 4), (3, 1), (2, 2)):
        h = torch.from_numpy(np.stack([found.axes[:, 0, j], found.axes[:, 1, i]], axis=1)).to(device)  # (3, 2)
        logits = pixel_logits(model.architecture, model.parameters, [h], x)
        expected = standard_gaussian_log_prob(h) + bernoulli_log_prob(x, logits)
        np.testing.assert_allclose(found.log_joint[:, i, j], expected.cpu(), atol=SINGLE)


def test_the_first_axes_cover_the_prior_and_every_q():
    narrow = posterior.common_axes(torch.tensor([[0.5, -1.0]]), torch.tensor([[0.1, 0.2]]), 9)
    assert_close(narrow, torch.linspace(-5, 5, 9).expand(1, 2, 9))
    wide = posterior.common_axes(torch.tensor([[0.5, -3.0], [-2.0, 1.0]]), torch.tensor([[0.1, 0.5], [0.9, 0.1]]), 3)
    assert_close(wide, torch.tensor([-5.6, 0.0, 5.6]).expand(2, 2, 3))  # 2 + 4 * 0.9, on the negative side


def test_a_window_is_one_step_wider_than_what_counts():
    axes = torch.stack([torch.linspace(0, 10, 11), torch.linspace(0, 20, 11)]).repeat(2, 1, 1)
    surface = torch.full((2, 11, 11), -100.0)
    surface[0, 3, 7] = surface[0, 5, 2] = -60.0  # two modes: rows 3 to 5, columns 2 to 7
    surface[0, 9, 9] = -60.0 - 9.3  # less than 1e-4 of the largest
    surface[1, 0, 10] = -3.0  # in a corner
    found = posterior.window_axes(axes, surface)
    assert_close(found[0], torch.stack([torch.linspace(1, 8, 11), torch.linspace(4, 12, 11)]))
    assert_close(found[1], torch.stack([torch.linspace(9, 11, 11), torch.linspace(-2, 2, 11)]))


def test_pictures_beside_the_grid(model, binary, device):
    x = binary(3)
    found = posterior.draw(model, x, 4, device)
    on_device = torch.from_numpy(x).to(device).float()
    mean, log_std = encode(model.architecture, model.parameters, on_device).posteriors["q1"]
    np.testing.assert_array_equal(found.mean, mean.cpu())
    np.testing.assert_array_equal(found.deviation, log_std.exp().cpu())
    np.testing.assert_array_equal(found.inputs, 255 * x)
    means = reconstruct(model.architecture, model.parameters, on_device).cpu().numpy()
    assert np.abs(found.reconstructions / 255 - means).max() <= 0.5 / 255 + 1e-6
    assert {name: (array.dtype.name, array.shape) for name, array in found._asdict().items()} == {
        "axes": ("float32", (3, 2, 4)),
        "log_joint": ("float32", (3, 4, 4)),
        "mean": ("float32", (3, 2)),
        "deviation": ("float32", (3, 2)),
        "inputs": ("uint8", (3, 784)),
        "reconstructions": ("uint8", (3, 784)),
    }
