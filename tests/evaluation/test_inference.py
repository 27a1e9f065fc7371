"""The best Gaussians of an image, where the posterior is a Gaussian that is known."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.evaluation import inference
from iwae.evaluation.inference import LocalGaussian, elbo_terms, fitted_elbos
from iwae.evaluation.noise import image_generators, image_seeds
from iwae.evaluation.noise_space import log_weights_at
from iwae.study.measurements import InferenceSettings

B, D = 3, 4
LOG_P = torch.tensor([-90.0, -120.0, 5.0])


@pytest.fixture(scope="module")
def posterior():
    """Mean (B, D) and precision (B, D, D) of the noise under the posterior."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.eye(D) + 0.4 * torch.randn(B, D, D, generator=generator).tril()  # well conditioned
    return 0.5 * torch.randn(B, D, generator=generator), factors @ factors.mT


@pytest.fixture(scope="module")
def log_weights(posterior):
    mean, precision = posterior

    def at(noise):
        shift = noise - mean
        slope = torch.einsum("bij,sbj->sbi", precision, shift)
        log_w = LOG_P + 0.5 * (noise.square() - shift * slope).sum(-1) + 0.5 * torch.logdet(precision)
        return log_w, noise - slope

    return at


def generators():
    return [torch.Generator().manual_seed(image) for image in range(B)]


def test_elbos_of_the_encoder_and_of_the_best_gaussians(log_weights, posterior):
    """With P the precision: log p - KL, which is 0 for the full covariance, and for the diagonal 1/P_ii."""
    settings = InferenceSettings(samples=16, diagonal_steps=300, full_steps=300, elbo_samples=16_000)
    mean, precision = posterior
    diagonal = torch.diagonal(precision, dim1=1, dim2=2)
    gap = 0.5 * (diagonal.log().sum(-1) - torch.logdet(precision))
    far = 0.5 * torch.einsum("bi,bij,bj->b", mean, precision, mean)
    encoder = far + 0.5 * (diagonal.sum(-1) - D - torch.logdet(precision))
    found = fitted_elbos(log_weights, D, settings, generators())
    assert gap.min() > 0.02
    assert_close(found[0].float(), LOG_P - encoder, atol=0.1, rtol=0)  # five errors of 16,000 draws
    assert_close(found[1].float(), LOG_P - gap, atol=0.03, rtol=0)
    assert_close(found[2].float(), LOG_P, atol=1e-3, rtol=0)  # without variance where q is the posterior


def test_a_covariance_of_many_units_is_fitted_too():
    """With as many as the paper's two layers have; steps as large as for 50 end hundreds of nats below the diagonal."""
    generator, units = torch.Generator().manual_seed(0), 150
    factor = torch.eye(units) + 0.05 * torch.randn(units, units, generator=generator).tril()
    precision = factor @ factor.T

    def at(noise):
        slope = noise @ precision
        return 0.5 * (noise.square() - noise * slope).sum(-1) + 0.5 * torch.logdet(precision), noise - slope

    settings = InferenceSettings(samples=4, diagonal_steps=100, full_steps=200, elbo_samples=400)
    with torch.no_grad():
        _, diagonal, full = fitted_elbos(at, units, settings, generators()[:1])
    assert diagonal < -5 and full > 0.4 * diagonal  # log p(x) is 0


def test_no_draw_leads_away_from_the_posterior(log_weights, posterior):
    """Without the score the gradient is zero there for every draw."""
    mean, precision = posterior
    factor = torch.linalg.cholesky(torch.linalg.inv(precision))
    exact = LocalGaussian(mean, torch.diagonal(factor, dim1=1, dim2=2).log(), factor.tril(-1))
    draws = torch.randn(5, B, D, generator=torch.Generator().manual_seed(1))
    noise = exact.sample(draws)
    slopes = log_weights(noise)[1] - noise + exact.slopes(draws)
    assert slopes.abs().max() < 1e-4
    assert_close(elbo_terms(log_weights(noise)[0], noise, exact, draws), LOG_P.expand(5, B), atol=1e-3, rtol=0)


def test_a_diagonal_gaussian_is_the_full_one_without_correlations():
    mean, log_scale = torch.randn(2, B, D, generator=torch.Generator().manual_seed(0))
    draws = torch.randn(5, B, D, generator=torch.Generator().manual_seed(1))
    diagonal, full = LocalGaussian(mean, log_scale), LocalGaussian(mean, log_scale, torch.zeros(B, D, D))
    assert_close(diagonal.sample(draws), full.sample(draws))
    assert_close(diagonal.slopes(draws), full.slopes(draws))


def test_every_image_has_one_row_whatever_the_batches(model_of, binary, device, monkeypatch):
    model, x, images = model_of(1), binary(3), np.array([4, 7, 9])
    settings = InferenceSettings(samples=2, diagonal_steps=2, full_steps=2, elbo_samples=8)
    monkeypatch.setattr(inference, "ROWS", {device.type: 4})  # two images, then one
    rows = inference.measure(model, x, images, settings, device)
    generators = image_generators(image_seeds(model.spec, 0, "inference", images.tolist()), device)
    with torch.no_grad():
        expected = torch.stack(fitted_elbos(log_weights_at(model, 0, device)(x), 50, settings, generators), 1)
    assert [list(row) for row in rows] == [["image", "encoder", "diagonal", "full"]] * 3
    assert [row["image"] for row in rows] == images.tolist()
    found = torch.tensor([list(row.values())[1:] for row in rows], dtype=torch.float64)
    assert_close(found, expected.cpu(), atol=0.01, rtol=0)  # float32 steps
