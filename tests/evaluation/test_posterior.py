"""The posterior on a grid: its integral, its axes, and the pictures beside it."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.evaluation import likelihood, posterior
from iwae.models.densities import bernoulli_log_prob, standard_gaussian_log_prob
from iwae.models.model import conditional, pixel_logits, reconstruct
from iwae.settings import LikelihoodSettings

POINTS = 60
SINGLE = 2e-3  # float32: rounding of sums of some 1000 nats


@pytest.fixture
def model(model_of):
    return model_of(1, latents=2)


def log_integral(found):
    """The logarithm of the sum over the grid's cells, (m,)."""
    step = float(found.axis[1] - found.axis[0])
    return torch.logsumexp(torch.from_numpy(found.log_joint).double().flatten(1), 1).numpy() + 2 * math.log(step)


def test_integral_is_the_likelihood(model, binary, device):
    x = binary(4)
    settings = LikelihoodSettings(samples=20_000)
    sampled = likelihood.evaluate(model, x, np.arange(4), settings, "test", device)
    error = np.sqrt(1 / sampled.estimates.ess - 1 / settings.samples)
    found = log_integral(posterior.draw(model, x, POINTS, device))
    assert (np.abs(found - sampled.log_likelihood) < 4 * error + SINGLE).all()
    assert (error < 0.05).all()


def test_integral_of_a_decoder_that_ignores_h_is_exact(model, binary, device):
    model.parameters["px.hidden1.weight"][:] = 0
    logits = pixel_logits(model.parameters, torch.zeros(2, device=device))
    x = torch.from_numpy(binary(4)).to(device).float()
    found = log_integral(posterior.draw(model, binary(4), POINTS, device))
    # The sum over equal steps is exact for a Gaussian but for what lies beyond four deviations, a few 1e-4 nats.
    np.testing.assert_allclose(found, bernoulli_log_prob(x, logits).cpu(), atol=SINGLE)


def test_rows_are_the_second_coordinate(model, binary, device):
    model.parameters["px.hidden1.weight"][0] = 0  # so that p(x|h) depends on the second coordinate alone
    found = posterior.draw(model, binary(3), 7, device)
    prior = standard_gaussian_log_prob(torch.from_numpy(np.stack(np.meshgrid(found.axis, found.axis), -1))).numpy()
    log_likelihood = found.log_joint - prior
    np.testing.assert_allclose(log_likelihood, np.broadcast_to(log_likelihood[..., :1], (3, 7, 7)), atol=SINGLE)
    assert (np.ptp(log_likelihood, axis=1) > 100 * SINGLE).all()


def test_each_point_is_the_joint_density_there(model, binary, device):
    found = posterior.draw(model, binary(3), 5, device)
    x = torch.from_numpy(binary(3)).to(device).float()
    for i, j in ((0, 4), (3, 1), (2, 2)):
        h = torch.tensor([found.axis[j], found.axis[i]], device=device)
        expected = standard_gaussian_log_prob(h) + bernoulli_log_prob(x, pixel_logits(model.parameters, h))
        np.testing.assert_allclose(found.log_joint[:, i, j], expected.cpu(), atol=SINGLE)


def test_axis_covers_the_prior_and_every_posterior():
    narrow = posterior.grid_axis(torch.tensor([[0.5, -1.0]]), torch.tensor([[0.1, 0.2]]), 9)
    assert_close(narrow, torch.linspace(-4, 4, 9))
    wide = posterior.grid_axis(torch.tensor([[0.5, -3.0], [-2.0, 1.0]]), torch.tensor([[0.1, 0.5], [0.9, 0.1]]), 3)
    assert_close(wide, torch.tensor([-5.6, 0.0, 5.6]))  # 2 + 4 * 0.9, on the negative side


def test_pictures_beside_the_grid(model, binary, device):
    x = binary(3)
    found = posterior.draw(model, x, 4, device)
    on_device = torch.from_numpy(x).to(device).float()
    mean, log_deviation = conditional(model.architecture, model.parameters, "q1", on_device)
    np.testing.assert_array_equal(found.mean, mean.cpu())
    np.testing.assert_array_equal(found.deviation, log_deviation.exp().cpu())
    np.testing.assert_array_equal(found.inputs, 255 * x)
    means = reconstruct(model.architecture, model.parameters, on_device).cpu().numpy()
    assert np.abs(found.reconstructions / 255 - means).max() <= 0.5 / 255 + 1e-6
    assert {name: (array.dtype.name, array.shape) for name, array in found._asdict().items()} == {
        "axis": ("float32", (4,)),
        "log_joint": ("float32", (3, 4, 4)),
        "mean": ("float32", (3, 2)),
        "deviation": ("float32", (3, 2)),
        "inputs": ("uint8", (3, 784)),
        "reconstructions": ("uint8", (3, 784)),
    }
