"""ELBO surgery: analytic cases, the identity, and an ELBO computed another way."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence
from torch.testing import assert_close

from iwae.evaluation import surgery
from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.models import model as plain
from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture
from iwae.study.measurements import SurgerySettings

IDENTITY = 1e-11  # float64 rounding of sums of some 1000 nats, averaged over draws
EXPANDED = 1e-9  # float64 rounding of (z - m)^2 written as z^2 - 2 z m + m^2
LAYERS = pytest.mark.parametrize("layers", [1, 2])


def measured(model, x, device, samples=10_000, sizes=(), seed=0, progress=lambda draws: None):
    rows = surgery.measure(model, x, SurgerySettings(samples=samples, sizes=sizes, seed=seed), device, progress)
    return {(row["images"], row["term"]): (row["value"], row["se"]) for row in rows}


def test_aggregate_posterior_of_draws_against_torch(model_of, doubled, binary, device):
    """The mixture as the terms see it: all images' components, at the latents that were drawn."""
    model, x = doubled(model_of(1)), binary(40)
    mean, log_std = surgery.encode(model, x, device)
    chosen = torch.arange(0, 40, 3)
    seeds = list(range(len(chosen)))
    noise = next(noise_chunks(seeds, 1, 1, (50,), device))[0][0]
    z = mean[chosen] + log_std[chosen].exp() * noise.double()
    components = Independent(Normal(mean, log_std.exp()), 1)
    weights = Categorical(logits=torch.zeros(40, dtype=torch.float64, device=device))
    draws = surgery.draw(model, x, chosen, Gaussian(mean, log_std), seeds)
    assert_close(draws.log_aggregate, MixtureSameFamily(weights, components).log_prob(z).cpu(), atol=EXPANDED, rtol=0)


def test_terms_by_hand():
    columns = torch.tensor(
        [[-80.0, -90.0], [2.0, 1.0], [-1.0, -2.0], [-30.0, -34.0], [2.0, 1.0], [1.0, -1.0]], dtype=torch.float64
    )
    found = surgery.terms(surgery.Draws(*columns), 8)
    # elbo: -80 - 30 - 2 + 1 = -111 and -90 - 34 - 1 + 2 = -123; marginal_kl: 1 - 1 + 30 and -1 - 2 + 34
    expected = {
        "reconstruction": (-85.0, 5.0),
        "mutual_information": (1.5, 0.5),
        "index_gap": (math.log(8) - 1.5, 0.5),
        "marginal_kl": (30.5, 0.5),
        "elbo": (-117.0, 6.0),
        "residual": (0.0, 0.0),
    }
    assert list(found) == list(expected)
    for term, values in expected.items():
        assert found[term] == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize("kind", ["l1-iwae-k5", "l2-iwae-k5", "l2-vae-k1-hvae", "l2-vae-k1-hvae-vamp4"])
def test_identity_and_elbo_computed_another_way(kind, model_named, doubled, binary, device):
    model, x = model_named(f"mnist/{kind}/seed0"), binary(60)
    found = measured(model, x, device)
    assert abs(found[60, "residual"][0]) < IDENTITY
    double = doubled(model)
    noise = next(
        noise_chunks(image_seeds(model.spec, 0, "surgery", range(60)), 1, 1, model.architecture.latents, device)
    )
    pixels = torch.from_numpy(x).to(device).double()
    log_w = plain.log_weights(model.architecture, double.parameters, pixels, [layer.double() for layer in noise])[0]
    assert found[60, "elbo"] == pytest.approx((log_w.mean().item(), log_w.std().item() / 60**0.5), abs=1e-9)
    assert 0 < found[60, "mutual_information"][0] < math.log(60)
    assert found[60, "index_gap"][0] == pytest.approx(math.log(60) - found[60, "mutual_information"][0])


@pytest.mark.parametrize("kind", ["l1-iwae-k5", "l2-vae-k1-hvae"])
def test_divergence_from_the_prior_is_information_and_marginal_kl(kind, model_named, doubled, binary, device):
    """Of z, which in an HVAE is h2, inferred first."""
    model, x = model_named(f"mnist/{kind}/seed0"), binary(200)
    found = measured(model, x, device)
    mean, log_std = surgery.encode(doubled(model), x, device)
    exact = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(-1).mean().item()
    # The draws are of every image, so the closed form differs by the noise of z alone, below the errors' sum.
    error = found[200, "mutual_information"][1] + found[200, "marginal_kl"][1]
    assert abs(found[200, "mutual_information"][0] + found[200, "marginal_kl"][0] - exact) < 3 * error


def silent(model):
    """The model with every Gaussian standard: posteriors, prior and aggregate are one."""
    parameters = model.parameters
    for name in parameters:
        if name.endswith((".mean.weight", ".mean.bias", ".scale.weight", ".scale.bias")):
            parameters[name] = torch.zeros_like(parameters[name])
    return model


@LAYERS
def test_posteriors_that_ignore_the_image_carry_no_information(model_of, binary, device, layers):
    found = measured(silent(model_of(layers)), binary(30), device)
    assert found[30, "mutual_information"] == pytest.approx((0, 0), abs=EXPANDED)
    assert found[30, "index_gap"][0] == pytest.approx(math.log(30), abs=EXPANDED)
    assert found[30, "marginal_kl"] == pytest.approx((0, 0), abs=EXPANDED)
    assert found[30, "elbo"][0] == pytest.approx(found[30, "reconstruction"][0], abs=EXPANDED)


@LAYERS
def test_posteriors_far_apart_identify_the_image(model_of, binary, device, layers):
    model = model_of(layers)
    model.parameters["q1.mean.weight"] *= 100
    found = measured(model, binary(30), device, samples=20)
    assert found[30, "index_gap"][0] == pytest.approx(0, abs=1e-6)  # what is left of the nearest other component
    assert found[30, "mutual_information"][0] == pytest.approx(math.log(30), abs=1e-6)


def test_information_of_two_components_against_quadrature(device):
    """Two Gaussians in one dimension: E log q(z|n) / q(z) as an integral over z."""
    mean = torch.tensor([[-0.7], [0.9]], dtype=torch.float64, device=device)
    log_std = torch.tensor([[0.5], [0.8]], dtype=torch.float64, device=device).log()
    mixture, generator = Mixture.of(Gaussian(mean, log_std)), torch.Generator().manual_seed(0)
    grid = torch.arange(-8, 8, 0.01, dtype=torch.float64, device=device)[:, None]
    components = mixture.component_log_probs(grid)
    exact = (0.5 * components.exp() * (components - mixture.log_prob(grid)[:, None])).sum().item() * 0.01
    n = torch.randint(2, (20_000,), generator=generator).to(device)
    z = mean[n] + log_std[n].exp() * torch.randn(20_000, 1, dtype=torch.float64, generator=generator).to(device)
    own = mixture.component_log_probs(z).gather(1, n[:, None])[:, 0]
    nothing = torch.zeros_like(own)
    draws = surgery.Draws(nothing, own, nothing, nothing, own, mixture.log_prob(z))
    value, error = surgery.terms(draws, 2)["mutual_information"]
    assert 0.1 < exact < math.log(2)
    assert abs(value - exact) < 4 * error


def test_sizes_are_those_possible_and_the_whole(model_of, binary, device):
    settings = SurgerySettings(sizes=(1000, 10, 40, 25))
    assert surgery.sizes_of(settings, 40) == [10, 25, 40]
    done = []
    found = measured(model_of(1), binary(40), device, samples=20, sizes=(1000, 25, 10), progress=done.append)
    assert [images for images, term in found if term == "elbo"] == [10, 25, 40]
    assert sum(done) == 10 + 20 + 20
    gaps = [found[images, "mutual_information"][0] for images in (10, 25, 40)]
    assert all(gap <= math.log(n) + EXPANDED for gap, n in zip(gaps, (10, 25, 40), strict=True))


def test_smaller_size_is_that_of_a_smaller_training_set(model_of, binary, device):
    model, x = model_of(2), binary(40)
    nested = measured(model, x, device, samples=8, sizes=(15,))
    alone = measured(model, x[:15], device, samples=8)
    for term in ("elbo", "mutual_information", "marginal_kl"):
        assert nested[15, term] == pytest.approx(alone[15, term], abs=1e-9)


def test_images_are_distinct_and_from_the_first(model_of):
    chosen = surgery.choose(model_of(1), 50, SurgerySettings(samples=20))
    assert len(set(chosen.tolist())) == 20 and chosen.min() >= 0 and chosen.max() < 50
    assert surgery.choose(model_of(1), 50, SurgerySettings(samples=99)).tolist() == list(range(50))


@LAYERS
def test_chunk_sizes_do_not_change_results(model_of, binary, device, layers, monkeypatch):
    whole = measured(model_of(layers), binary(31), device, samples=23)
    monkeypatch.setattr(surgery, "_QUERIES", 7)
    monkeypatch.setattr(surgery, "_IMAGES", 10)
    for key, values in measured(model_of(layers), binary(31), device, samples=23).items():
        assert values == pytest.approx(whole[key], abs=1e-9)


def test_seed_changes_the_draws(model_of, binary, device):
    values = [measured(model_of(1), binary(30), device, seed=seed)[30, "elbo"][0] for seed in (0, 1, 0)]
    assert values[0] == values[2] != values[1]
    assert np.isfinite(values).all()
