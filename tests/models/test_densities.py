"""The log-densities against torch.distributions, by hand, and by their integrals."""

import itertools
import math

import torch
from torch.distributions import Bernoulli, Normal
from torch.testing import assert_close

from iwae.models.densities import Gaussian, bernoulli_log_prob, standard_gaussian_log_prob

K, B, D = 3, 5, 7
SOFTPLUS = 3e-9  # torch's softplus(l) is l beyond 20, off by up to exp(-20)


def draws(device, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).to(device)


def test_gaussian_densities_are_those_of_torch(device):
    z, mean, log_std = draws(device, K, B, D), draws(device, B, D, seed=1), draws(device, B, D, seed=2)
    found = Gaussian(mean, log_std).log_prob(z)
    assert found.shape == (K, B)
    assert_close(found, Normal(mean, log_std.exp()).log_prob(z).sum(-1))
    assert_close(standard_gaussian_log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(-1))


def test_the_density_of_a_sample_follows_from_its_noise(device):
    gaussian = Gaussian(draws(device, B, D), draws(device, B, D, seed=1))
    noise = draws(device, K, B, D, seed=2)
    assert_close(gaussian.sample_log_prob(noise), gaussian.log_prob(gaussian.sample(noise)))


def test_gaussian_density_by_hand():
    # (2 - 1) / 2 = 0.5: -0.125 - log 2 - 0.5 log 2 pi
    found = Gaussian(torch.tensor([1.0]), torch.tensor([math.log(2)])).log_prob(torch.tensor([2.0]))
    assert_close(found.item(), -0.125 - math.log(2) - 0.918938533, atol=1e-6, rtol=0)


def test_gaussian_density_integrates_to_one(device):
    step, reach = 0.05, 12.0  # the deviations are 0.6 and 1.5, so what lies beyond is below 1e-12
    axis = torch.arange(-reach, reach, step, dtype=torch.float64, device=device)
    z = torch.cartesian_prod(axis, axis)
    mean = torch.tensor([0.3, -0.8], dtype=torch.float64, device=device)
    log_std = torch.tensor([0.6, 1.5], dtype=torch.float64, device=device).log()
    total = Gaussian(mean, log_std).log_prob(z).exp().sum() * step**2
    assert_close(total.item(), 1.0, atol=1e-9, rtol=0)


def test_bernoulli_density_is_that_of_torch(device):
    logits = 3 * draws(device, K, B, D)
    x = (draws(device, B, D, seed=1) > 0).double()
    found = bernoulli_log_prob(x, logits)
    assert found.shape == (K, B)
    assert_close(found, Bernoulli(logits=logits).log_prob(x.expand_as(logits)).sum(-1), atol=D * SOFTPLUS, rtol=1e-12)


def test_bernoulli_density_sums_to_one_over_all_images(device):
    logits = torch.tensor([0.0, -30.0, 2.5, -0.7, 30.0], dtype=torch.float64, device=device)
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=5)), dtype=torch.float64, device=device)
    assert_close(bernoulli_log_prob(images, logits).exp().sum().item(), 1.0, atol=5 * SOFTPLUS, rtol=0)


def test_bernoulli_density_is_finite_where_probabilities_round_to_zero_and_one():
    logits = torch.tensor([[-1000.0], [1000.0]])
    assert_close(bernoulli_log_prob(torch.tensor([[0.0], [1.0]]), logits), torch.zeros(2))
    assert_close(bernoulli_log_prob(torch.tensor([[1.0], [0.0]]), logits), torch.full((2,), -1000.0))
