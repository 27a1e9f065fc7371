"""The log-densities against torch.distributions, and where probabilities round."""

import pytest
import torch
from torch.distributions import Bernoulli, Normal
from torch.nn.functional import softplus
from torch.testing import assert_close

from iwae.models.densities import Gaussian, bernoulli_log_prob, softplus_sum, standard_gaussian_log_prob

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


def test_bernoulli_density_is_that_of_torch(device):
    logits = 3 * draws(device, K, B, D)
    x = (draws(device, B, D, seed=1) > 0).double()
    found = bernoulli_log_prob(x, logits)
    assert found.shape == (K, B)
    assert_close(found, Bernoulli(logits=logits).log_prob(x.expand_as(logits)).sum(-1), atol=D * SOFTPLUS, rtol=1e-12)


def test_bernoulli_density_is_finite_where_probabilities_round_to_zero_and_one():
    logits = torch.tensor([[-1000.0], [1000.0]])
    assert_close(bernoulli_log_prob(torch.tensor([[0.0], [1.0]]), logits), torch.zeros(2))
    assert_close(bernoulli_log_prob(torch.tensor([[1.0], [0.0]]), logits), torch.full((2,), -1000.0))


@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_softplus_sum(size, device):
    logits = size * draws(device, K, B, 784)
    assert_close(softplus_sum(logits), softplus(logits).sum(-1), atol=1e-6, rtol=1e-12)


def test_softplus_sum_cannot_overflow():
    # At zero each factor is 2, the largest: 112 of them are 2^112, in float32's range.
    assert_close(softplus_sum(torch.zeros(1, 784)), torch.full((1,), 784 * torch.tensor(2.0).log().item()))
