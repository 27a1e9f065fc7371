"""Expectation maximisation: it never lowers the likelihood, and finds the mixture that draws come from."""

import torch
from torch.testing import assert_close

from iwae.evaluation import fitting
from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture


def test_likelihood_of_fixed_draws_never_falls(device):
    generator = torch.Generator(device).manual_seed(0)
    z = torch.randn(300, 3, generator=generator, dtype=torch.float64, device=device)
    z = torch.where(z > 0, z + 2, z)  # eight clusters
    mixture = Mixture.of(Gaussian(z[:5], torch.zeros(5, 3, dtype=torch.float64, device=device)))
    likelihoods = []
    for _ in range(30):
        likelihoods.append(mixture.log_prob(z).mean().item())
        mixture = fitting.maximisation(mixture, z)
    rises = torch.tensor(likelihoods).diff()
    assert (rises > -1e-6).all() and likelihoods[-1] > likelihoods[0] + 0.2
    assert_close(mixture.log_weights.exp().sum().item(), 1.0)


def test_one_component_takes_the_moments_of_the_draws(device):
    z = torch.randn(50, 3, dtype=torch.float64, device=device) + 4
    mixture = fitting.fit_mixture(lambda: z, 1, 1, torch.Generator(device).manual_seed(0))
    assert_close(mixture.components.mean[0], z.mean(0))
    assert_close(mixture.components.log_std[0].exp(), z.std(0, correction=0))


def test_mixture_that_fresh_draws_come_from_is_found(device):
    generator = torch.Generator(device).manual_seed(0)
    mean = torch.tensor([[-4.0, 0.0], [0.0, 4.0], [4.0, -4.0]], device=device)
    weights = torch.tensor([0.2, 0.3, 0.5], device=device)
    true = Mixture.of(Gaussian(mean, torch.full_like(mean, -0.7)), weights.log())

    def draw():
        return true.sample(torch.randn(4000, 2, generator=generator, device=device), generator)

    # About every second start ends where two components share the draws of one: the best of many, whatever is drawn.
    fits = [fitting.fit_mixture(draw, 3, 20, generator) for _ in range(16)]
    fresh = draw()
    found = max(fits, key=lambda mixture: mixture.log_prob(fresh).mean().item())
    order = found.components.mean[:, 0].argsort()
    assert_close(found.components.mean[order], mean, atol=0.1, rtol=0)
    assert_close(found.log_weights[order].exp(), weights, atol=0.05, rtol=0)


def test_component_without_draws_stays_finite(device):
    z = torch.zeros(4, 2, dtype=torch.float64, device=device)
    far = Gaussian(torch.tensor([[0.0, 0.0], [1e3, 1e3]], dtype=z.dtype, device=device), torch.zeros_like(z[:2]))
    mixture = fitting.maximisation(Mixture.of(far), z)
    assert torch.isfinite(mixture.log_prob(z)).all()
