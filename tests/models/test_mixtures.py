"""Mixtures and correlated Gaussians against torch.distributions, and by their draws."""

import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal
from torch.testing import assert_close

from iwae.models.densities import Gaussian, standard_gaussian_log_prob
from iwae.models.mixtures import CorrelatedGaussian, Mixture

EXPANDED = 1e-9  # float64 rounding of (z - m)^2 written as z^2 - 2 z m + m^2
WEIGHTS = torch.tensor([0.1, 0.2, 0.3, 0.1, 0.25, 0.05], dtype=torch.float64)


def draws(device, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).to(device)


def test_log_density_is_that_of_torch(device):
    gaussians, z = Gaussian(draws(device, 6, 4), 0.5 * draws(device, 6, 4, seed=1)), 2 * draws(device, 3, 5, 4, seed=2)
    mixture = Mixture.of(gaussians, WEIGHTS.log().to(device))
    components = Independent(Normal(gaussians.mean, gaussians.log_std.exp()), 1)
    assert_close(mixture.component_log_probs(z[0]), components.log_prob(z[0][:, None]), atol=EXPANDED, rtol=0)
    expected = MixtureSameFamily(Categorical(WEIGHTS.to(device)), components).log_prob(z)
    assert_close(mixture.log_prob(z), expected, atol=EXPANDED, rtol=0)


def test_one_or_equal_components_are_one_gaussian(device):
    z = draws(device, 3, 5, 4, seed=2)
    for k in (1, 3):
        mixture = Mixture.of(Gaussian(*torch.zeros(2, k, 4, dtype=z.dtype, device=device)))
        assert_close(mixture.log_prob(z), standard_gaussian_log_prob(z), atol=EXPANDED, rtol=0)


def test_draws_take_every_component_as_often_as_its_weight_says(device):
    """A chi-square test with 5 degrees of freedom, and draws that have their component's moments."""
    apart = Gaussian(100 * torch.arange(6.0, device=device)[:, None], torch.full((6, 1), 0.5, device=device))
    generator = torch.Generator(device).manual_seed(0)
    noise = torch.randn(6000, 1, generator=generator, device=device)
    z = Mixture.of(apart, WEIGHTS.float().log().to(device)).sample(noise, generator)
    chosen = (z / 100).round().long()[:, 0]
    expected = 6000 * WEIGHTS
    chi_square = ((chosen.bincount(minlength=6).cpu() - expected).square() / expected).sum().item()
    assert chi_square < 20.5  # exceeded by chance once in 1000 times
    assert_close(z, apart.mean[chosen] + torch.exp(apart.log_std[chosen]) * noise)


def test_draws_of_several_samples_of_images_are_refused(refused):
    """They would share one component for each index of the first axis."""
    mixture = Mixture.of(Gaussian(torch.zeros(2, 3), torch.zeros(2, 3)))
    said = refused(mixture.sample, torch.zeros(5, 4, 3))
    assert said == "noise (5, 4, 3) is impossible: a mixture draws from (n, D)."


def test_float32_density_is_near_the_exact_one(device):
    """With means and deviations as trained posteriors have them: nats that do not matter."""
    components = Gaussian(2 * draws(device, 500, 50), 0.5 * draws(device, 500, 50, seed=1) - 1.5)
    z = components.sample(draws(device, 500, 50, seed=2))
    rounded = Mixture.of(Gaussian(*(part.float() for part in components))).log_prob(z.float())
    assert (rounded - Mixture.of(components).log_prob(z)).abs().max() < 5e-3


def test_nearest_gaussian_has_the_moments_of_the_mixture(device):
    components = Gaussian(draws(device, 3, 4), 0.5 * draws(device, 3, 4, seed=1) - 1)  # fewer than dimensions
    nearest = CorrelatedGaussian.nearest(components)
    z = Mixture.of(components).sample(draws(device, 200_000, 4, seed=2), torch.Generator(device).manual_seed(3))
    expected = MultivariateNormal(z.mean(0), torch.cov(z.T))
    assert_close(nearest.mean, expected.loc, atol=0.02, rtol=0)
    assert_close(nearest.factor @ nearest.factor.T, expected.covariance_matrix, atol=0.03, rtol=0)
    assert_close(nearest.log_prob(z).mean(), expected.log_prob(z).mean(), atol=1e-3, rtol=0)
    assert_close(nearest.sample(draws(device, 200_000, 4)).T.cov(), expected.covariance_matrix, atol=0.03, rtol=0)
