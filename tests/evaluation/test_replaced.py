"""Replaced priors: leave-one-out by hand, and gains against closed forms and the surgery."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from iwae.bounds import importance_bound
from iwae.evaluation import likelihood, replaced, run, surgery
from iwae.evaluation.noise import image_seeds
from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture
from iwae.models.model import prior_density
from iwae.study.measurements import ReplacedSettings, SurgerySettings

FLOAT32 = 2e-3  # nats, of sums of some hundred in float32


def generator(device, seed=0):
    return torch.Generator(device).manual_seed(seed)


def gained(model, x, device, samples, priors, own=True):
    """Gains for all images: `priors` maps draws (Q, D) and the own image (Q,) to log-densities (Q,) by name."""

    def of(z, some):
        index = torch.arange(some.start, some.stop, device=device).repeat(len(z)) if own else None
        return {name: value.view(z.shape[:2]) for name, value in priors(z.flatten(0, 1), index).items()}

    return replaced.gains(model, x, image_seeds(model.spec, 0, "test", range(len(x))), samples, of, device)


def test_aggregate_with_and_without_the_own_image_by_hand(device):
    """Three images with posteriors N(0, 1), N(1, 1) and N(3, 1); a draw of the second at z = 1."""
    mean = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64, device=device)
    found = replaced.aggregate_log_probs(
        Mixture.of(Gaussian(mean, torch.zeros_like(mean))), torch.ones_like(mean[:1]), torch.tensor([1], device=device)
    )
    first, own, third = (math.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi) for distance in (1, 0, 2))
    assert found["aggregate"].item() == pytest.approx(math.log((first + own + third) / 3))
    assert found["leave-one-out"].item() == pytest.approx(math.log((first + third) / 2))


def test_leave_one_out_where_the_own_image_is_all_there_is(device):
    mean = torch.tensor([[0.0], [1e3]], device=device)
    aggregate = Mixture.of(Gaussian(mean, torch.zeros_like(mean)))
    found = replaced.aggregate_log_probs(aggregate, mean[:1], torch.tensor([0], device=device))
    assert_close(found["leave-one-out"].item(), -0.5e6 - 0.5 * math.log(2 * math.pi), rtol=1e-5, atol=0)


def test_aggregate_in_blocks_is_the_whole_mixture(device, monkeypatch):
    posteriors = Gaussian(*torch.randn(2, 9, 4, device=device))
    aggregate, z, own = Mixture.of(posteriors), torch.randn(7, 4, device=device), torch.arange(7, device=device)
    monkeypatch.setattr(replaced, "_QUERIES", 3)
    assert_close(replaced.aggregate_log_probs(aggregate, z, own)["aggregate"], aggregate.log_prob(z))
    assert_close(replaced.aggregate_log_probs(aggregate, z, None)["aggregate"], aggregate.log_prob(z))


def test_gain_in_the_elbo_is_what_the_divergence_falls_by(model_of, binary, device):
    """KL(q || p) - KL(q || P), both in closed form, for another diagonal Gaussian P."""
    model, x = model_of(1), binary(12)
    shift, log_std = torch.full((50,), 0.3, device=device), torch.full((50,), -0.2, device=device)
    found = gained(model, x, device, 4000, lambda z, own: {"other": Gaussian(shift, log_std).log_prob(z)})["other"]
    mean, spread = replaced.top_posteriors(model, x, generator(device))
    q = Normal(mean, spread.exp())
    exact = (kl_divergence(q, Normal(0.0, 1.0)) - kl_divergence(q, Normal(shift, log_std.exp()))).sum(-1)
    assert_close(found.elbo, exact, atol=0.5, rtol=0)
    assert_close(found.elbo.mean(), exact.mean(), atol=0.1, rtol=0)


def test_gains_of_one_sample_are_those_of_the_elbo_and_the_own_prior_gains_nothing(model_of, binary, device):
    model, x = model_of(2), binary(5)
    zeros = torch.zeros(1, 50, device=device)

    def priors(z, own):
        return {"same": Mixture.of(Gaussian(zeros, zeros)).log_prob(z), "other": Gaussian(zeros + 1, zeros).log_prob(z)}

    found = gained(model, x, device, 1, priors)
    assert_close(found["same"].bound, torch.zeros(5, device=device), atol=FLOAT32, rtol=0)
    assert_close(found["other"].bound, found["other"].elbo, atol=FLOAT32, rtol=0)
    assert (found["other"].elbo.abs() > 0.1).all()


def test_gain_in_the_bound_is_what_a_model_with_the_other_prior_has_more(model_named, binary, device):
    own, other = (model_named(f"mnist/l1-iwae-k5{prior}/seed0") for prior in ("", "-mog4"))  # else the same parameters
    x, samples, seeds = binary(5), 20, image_seeds(own.spec, 0, "test", range(5))
    density = prior_density(other.architecture, other.parameters)
    found = gained(own, x, device, samples, lambda z, own: {"other": density.log_prob(z)})["other"]
    log_w = [likelihood.model_log_weights(each, x, seeds, samples, device, 100)(0, 5) for each in (own, other)]
    before, after = map(importance_bound, log_w)
    assert_close(found.bound, after - before, atol=2 * FLOAT32, rtol=0)
    assert (found.bound.abs() > 10 * FLOAT32).all()


def test_aggregate_gains_the_marginal_kl_of_the_surgery(model_of, binary, device):
    model, x = model_of(1), binary(60)
    aggregate = Mixture.of(replaced.top_posteriors(model, x, generator(device)))
    gain = gained(model, x, device, 500, lambda z, own: replaced.aggregate_log_probs(aggregate, z, own))
    terms = surgery.measure(model, x, SurgerySettings(samples=60, sizes=()), device)
    marginal = next(row for row in terms if row["term"] == "marginal_kl")
    assert abs(gain["aggregate"].elbo.mean().item() - marginal["value"]) < 3 * marginal["se"]
    assert gain["leave-one-out"].elbo.mean() < gain["aggregate"].elbo.mean() - 1


def test_every_draw_leaves_out_the_image_that_it_came_from(model_of, binary, device):
    model, x = model_of(1), binary(8)
    model.parameters["q1.mean.weight"] *= 100  # posteriors far apart
    settings = ReplacedSettings(components=(2,), iterations=1, posteriors=2, images=4, samples=3)
    found = replaced.measure(model, x, x, settings, device)
    (images, of_train), (_, of_test) = found["train"], found["test"]
    assert len(images) == 4
    assert (of_train["leave-one-out"].bound < of_train["aggregate"].bound - 100).all()
    assert (of_train["gaussian"].elbo != of_test["gaussian"].elbo).all()  # the splits have draws of their own


@pytest.mark.parametrize("layers", [1, 2])
def test_posteriors_of_the_top_layer(model_of, binary, device, layers):
    model, x = model_of(layers), binary(7)
    found = replaced.top_posteriors(model, x, generator(device))
    assert found.mean.shape == (7, 50)
    again = replaced.top_posteriors(model, x, generator(device, 1))
    assert torch.equal(found.mean, again.mean) == (layers == 1)  # of two layers at one draw of h1


def test_fitted_priors_explain_draws_the_better_the_more_they_know(model_of, binary, device):
    posteriors = replaced.top_posteriors(model_of(1, latents=2), binary(400), generator(device))
    with torch.inference_mode():
        found = replaced.fitted_priors(posteriors, (2, 20, 500), 20, 30, generator(device))
        z = posteriors.sample(torch.randn(400, 2, generator=generator(device, 2), device=device))
    assert list(found) == ["gaussian", "mog2", "mog20", "posteriors30"]  # 500 components are more than images
    likelihoods = [found[name].log_prob(z).mean().item() for name in ("gaussian", "mog20")]
    standard = Gaussian(*torch.zeros(2, 2, device=device)).log_prob(z).mean().item()
    assert standard < likelihoods[0] < likelihoods[1]


def test_chunk_sizes_do_not_change_gains(model_of, binary, device, monkeypatch):
    model, x = model_of(2), binary(7)

    def priors(z, own):
        return {"other": Gaussian(*torch.ones(2, 50, device=device)).log_prob(z)}

    whole = gained(model, x, device, 5, priors)["other"]
    monkeypatch.setattr(replaced, "ROWS", {device.type: 11})
    parts = gained(model, x, device, 5, priors)["other"]
    assert_close(parts, whole, atol=FLOAT32, rtol=0)


def test_section_holds_every_image_and_the_means(folder, device):
    settings = ReplacedSettings(components=(2, 500), iterations=2, posteriors=4, images=6, samples=3)
    run.measure(folder, folder / "data", {"replaced": settings}, device.type, 1)
    rows = pd.read_csv(folder / "replaced.csv").to_dict("records")
    priors = ["gaussian", "mog2", "posteriors4", "aggregate"]  # 500 components are more than the nine images
    found = [(row["split"], row["prior"]) for row in rows]
    assert found == [("test", name) for name in priors] + [("train", name) for name in (*priors, "leave-one-out")]
    arrays = np.load(folder / "replaced.npz")
    for row in rows:
        for name in ("elbo", "bound"):
            values = arrays[f"{row['split']}_{row['prior']}_{name}"].astype(float)
            assert values.shape == arrays[f"{row['split']}_images"].shape == (row["images"],) == (6,)
            assert row[name] == pytest.approx(values.mean())
            assert row[f"{name}_se_images"] == pytest.approx(values.std(ddof=1) / 6**0.5)
