"""The estimator where log p(x) is known, and its behaviour on models."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal
from torch.testing import assert_close

from iwae.bounds import importance_bound
from iwae.device import can_compile
from iwae.errors import InputError
from iwae.evaluation import likelihood
from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.models import model as plain
from iwae.study.measurements import LikelihoodSettings

SINGLE = 2e-3  # float32 rounding of sums of some 1000 nats


class LinearGaussian:
    """h ~ N(0, I), x|h ~ N(W h + b, s^2 I), and q(h|x) the exact posterior or one that is `widened`."""

    def __init__(self, images=6, pixels=4, units=3, widened=1.0):
        generator = torch.Generator().manual_seed(0)
        self.weight, self.bias, self.deviation = (
            torch.randn(pixels, units, dtype=torch.float64, generator=generator),
            torch.randn(pixels, dtype=torch.float64, generator=generator),
            0.7,
        )
        self.marginal = MultivariateNormal(
            self.bias, self.weight @ self.weight.T + self.deviation**2 * torch.eye(pixels, dtype=torch.float64)
        )
        self.x = self.marginal.sample((images,))
        precision = torch.eye(units, dtype=torch.float64) + self.weight.T @ self.weight / self.deviation**2
        mean = (self.x - self.bias) @ self.weight / self.deviation**2 @ precision.inverse()
        self.posterior = MultivariateNormal(mean, widened * precision.inverse())
        self.prior = Normal(torch.zeros(units, dtype=torch.float64), 1.0)

    def draw(self, samples):
        h = self.posterior.sample((samples,))
        log_p = Normal(h @ self.weight.T + self.bias, self.deviation).log_prob(self.x).sum(-1)
        log_w = log_p + self.prior.log_prob(h).sum(-1) - self.posterior.log_prob(h)
        return lambda start, stop: log_w[:, start:stop]


def test_exact_posterior_gives_log_p_from_every_sample():
    torch.manual_seed(1)
    model = LinearGaussian()
    bounds, deviations, ess = likelihood.estimate(model.draw(50), 6, 50)
    expected = model.marginal.log_prob(model.x).numpy()
    np.testing.assert_allclose(bounds, np.broadcast_to(expected, bounds.shape), atol=1e-10)
    np.testing.assert_allclose(deviations[:2], 0, atol=1e-10)  # k = 1, 2
    np.testing.assert_allclose(ess, 50, rtol=1e-10)


def test_estimate_meets_the_exact_log_p_within_its_error():
    torch.manual_seed(1)
    model, samples = LinearGaussian(widened=1.5), 5000
    draw = model.draw(samples)
    bounds, _, ess = likelihood.estimate(draw, 6, samples)
    exact = model.marginal.log_prob(model.x).numpy()
    # The delta method: the deviation of log mean w is that of w over its mean, and sum w^2 is known from the ess.
    error = np.sqrt(1 / ess - 1 / samples)
    assert (np.abs(bounds[-1] - exact) < 4 * error).all()
    assert (error < 0.05).all()
    # The ELBO's gap is a divergence between Gaussians of 3 units: (3 * 1.5 - 3 - 3 log 1.5) / 2.
    gap = (3 * 1.5 - 3 - 3 * np.log(1.5)) / 2
    np.testing.assert_allclose(exact.mean() - bounds[0].mean(), gap, atol=0.03)  # some 5 errors of 30,000 draws
    assert (np.diff(bounds.mean(1)) > 0).all()


def test_images_in_groups_give_the_same_estimates(monkeypatch):
    torch.manual_seed(1)
    draw = LinearGaussian(widened=2.0).draw(100)
    whole = likelihood.estimate(draw, 6, 100)
    monkeypatch.setattr(likelihood, "_GROUP", 400)
    for found, expected in zip(likelihood.estimate(draw, 6, 100), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_deviations_are_those_of_the_groups_where_there_are_twenty():
    torch.manual_seed(1)
    draw = LinearGaussian(widened=2.0).draw(100)
    log_w, found = draw(0, 6), likelihood.estimate(draw, 6, 100).deviations
    for row, k in enumerate((1, 2, 5)):
        each = log_w.reshape(100 // k, k, 6).exp().mean(1).log()
        np.testing.assert_allclose(found[row], (each - each.mean(0)).abs().mean(0), rtol=1e-10)
    assert np.isnan(found[3:]).all()  # k = 10 has ten groups


@pytest.mark.parametrize(
    ("samples", "sizes"),
    [(1, (1,)), (60, (1, 2, 5, 10, 20, 60)), (7, (1, 7)), (5000, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000))],
)
def test_curve_sizes(samples, sizes):
    assert likelihood.curve_sizes(samples) == sizes


@pytest.mark.parametrize("layers", [1, 2])
def test_model_log_weights_are_the_plain_ones(model_of, binary, device, layers):
    model, samples, seeds = model_of(layers), 50, [11, 12, 13, 14, 15]
    draw = likelihood.model_log_weights(model, binary(5), seeds, samples, device, rows=100)  # chunks of 2 images
    (noise,) = noise_chunks(seeds, samples, samples, model.architecture.latents, device)
    x = torch.from_numpy(binary(5)).to(device).float()
    expected = plain.log_weights(model.architecture, model.parameters, x, noise)
    assert_close(draw(0, 5), expected, atol=SINGLE, rtol=0)
    assert_close(draw(2, 5), expected[:, 2:], atol=SINGLE, rtol=0)


def test_a_model_in_float64_is_measured_in_float64(model_of, binary, device):
    model = model_of(1)
    exact = dataclasses.replace(model, parameters={name: value.double() for name, value in model.parameters.items()})
    rounded, found = (
        likelihood.model_log_weights(each, binary(5), list(range(5)), 30, device, rows=100)(0, 5)
        for each in (model, exact)
    )
    assert found.dtype == torch.float64
    assert_close(rounded.double(), found, atol=SINGLE, rtol=0)


def test_who_draws_may_ask_for_gradients():
    """As Hamiltonian Monte Carlo does."""

    def draw(start, stop):
        with torch.enable_grad():
            h = torch.zeros(3, stop - start, requires_grad=True)
            return torch.autograd.grad(h.exp().sum(), h)[0].log()

    assert likelihood.estimate(draw, 2, 3).bounds.tolist() == [[0.0, 0.0]] * 2


@pytest.mark.parametrize("samples", [30, 2300])
def test_chunk_sizes_do_not_change_results(model_of, binary, device, samples):
    model, seeds = model_of(1), [11, 12, 13]
    first, *others = (
        likelihood.model_log_weights(model, binary(3), seeds, samples, device, rows)(0, 3) for rows in (70, 2000, 9000)
    )
    assert first.shape == (samples, 3)
    for other in others:
        assert_close(other, first, atol=SINGLE, rtol=0)


def test_every_chunk_has_one_shape(model_of, binary, device, monkeypatch):
    shapes = set()

    def spy(architecture, parameters, prior, encoded, noise):
        shapes.add((tuple(encoded.projection.shape), tuple(noise[0].shape)))
        return likelihood.log_weights(architecture, parameters, prior, encoded, noise)

    monkeypatch.setattr(likelihood, "_WORTH_COMPILING", 0)
    monkeypatch.setattr(likelihood, "compile_function", lambda function, device: spy)
    likelihood.model_log_weights(model_of(1), binary(5), [1, 2, 3, 4, 5], 400, device, rows=800)(0, 5)
    likelihood.model_log_weights(model_of(1), binary(5), [1, 2, 3, 4, 5], 1200, device, rows=800)(0, 2)
    assert shapes == {((2, 200), (400, 2, 50)), ((1, 200), (1000, 1, 50))}


def test_compiled_function_gives_the_same_log_weights(model_of, binary, device, monkeypatch):
    if not can_compile(device):
        pytest.skip("torch.compile does not work here")
    model, seeds = model_of(1), [11, 12, 13]
    plainly = likelihood.model_log_weights(model, binary(3), seeds, 40, device, rows=80)(0, 3)
    monkeypatch.setattr(likelihood, "_WORTH_COMPILING", 0)
    compiled = likelihood.model_log_weights(model, binary(3), seeds, 40, device, rows=80)(0, 3)
    assert_close(compiled, plainly, atol=SINGLE, rtol=0)


def evaluated(model, x, images, device, samples=20, seed=0, split="test", progress=lambda images: None):
    settings = LikelihoodSettings(samples=samples, seed=seed)
    return likelihood.evaluate(model, x[images], images, settings, split, device, progress)


def test_an_image_has_the_same_estimate_in_every_subset(model_of, binary, device):
    model, x = model_of(2), binary(9)
    every, some = evaluated(model, x, np.arange(9), device), evaluated(model, x, np.array([2, 7]), device)
    np.testing.assert_allclose(some.estimates.bounds, every.estimates.bounds[:, [2, 7]], atol=SINGLE)
    assert some.images.tolist() == [2, 7]
    assert some.images.dtype == np.int32


def test_estimates_are_those_of_the_images_own_draws(model_of, binary, device):
    model, x, samples = model_of(1), binary(3), 20
    found = evaluated(model, x, np.arange(3), device, samples)
    seeds = image_seeds(model.spec, 0, "likelihood/test", [0, 1, 2])
    (noise,) = noise_chunks(seeds, samples, samples, (50,), device)
    log_w = plain.log_weights(
        model.architecture, model.parameters, torch.from_numpy(x).to(device).float(), noise
    ).double()
    np.testing.assert_allclose(found.log_likelihood, importance_bound(log_w).cpu(), atol=SINGLE)
    np.testing.assert_allclose(found.estimates.bounds[0], log_w.mean(0).cpu(), atol=SINGLE)
    nested = found.estimates.bounds[[0, 1, 3, 4]]  # k = 1, 2, 10, 20: so L_k rises for every image
    assert (np.diff(nested, axis=0) >= 0).all()
    assert ((found.estimates.ess >= 1) & (found.estimates.ess <= samples)).all()


def test_seed_and_split_enter_the_draws(model_of, binary, device):
    model, x = model_of(1), binary(3)
    variants = [{}, {"seed": 1}, {"split": "train"}]
    values = [evaluated(model, x, np.arange(3), device, **variant).log_likelihood[0] for variant in variants]
    assert len(set(values)) == 3
    assert values[0] == evaluated(model, x, np.arange(3), device).log_likelihood[0]


def test_rows_of_the_curve():
    bounds = np.array([[-4.0, -2.0, -3.0], [-3.0, -1.0, -2.0]])
    deviations = np.array([[1.0, 0.5, 0.0], [np.nan] * 3])
    record = likelihood.Likelihood(
        np.arange(3, dtype=np.int32), (1, 2), likelihood.Estimates(bounds, deviations, np.ones(3))
    )
    first, last = record.curve("test")
    error = pytest.approx(3**-0.5)
    assert first == {"split": "test", "k": 1, "bound": -3.0, "se_images": error, "images": 3, "deviation": 0.5}
    assert (last["k"], last["bound"], last["deviation"]) == (2, -2.0, None)


def test_progress_counts_every_image(model_of, binary, device):
    done = []
    evaluated(model_of(1), binary(7), np.arange(7), device, samples=300, progress=done.append)
    assert sum(done) == 7


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_log_weights_that_are_not_finite_are_refused(model_of, binary, device, value):
    model = model_of(1)
    broken = {**model.parameters, "px.logits.weight": model.parameters["px.logits.weight"] * value}
    message = r"^mnist/l1-iwae-k5/seed0 gives test image 4 a log-likelihood that is not a finite number: .*again\.$"
    with pytest.raises(InputError, match=message):
        evaluated(dataclasses.replace(model, parameters=broken), binary(9), np.array([4, 8]), device)


@pytest.mark.parametrize("shape", [(20,), (20, 1), (40, 3)])
def test_draws_of_another_shape_are_refused(refused, shape):
    said = refused(likelihood.estimate, lambda start, stop: torch.zeros(shape), 3, 20)
    assert said == f"log weights {shape} are impossible: of 3 images with 20 samples they must be (20, 3)."


def test_images_and_indices_are_as_many(model_of, binary, device, refused):
    """Else those without a seed would have the zeros of the padding for draws."""
    settings = LikelihoodSettings(samples=20)
    sentence = refused(likelihood.evaluate, model_of(1), binary(5), np.arange(3), settings, "test", device)
    assert sentence == "3 images have seeds, but there are 5: each needs one."
