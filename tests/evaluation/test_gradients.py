"""The noise of gradients: known draws, and the exponents of k in the problem of Rainforth et al. (2018)."""

import math

import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from iwae.bounds import elbo
from iwae.estimators import RELATIVE
from iwae.evaluation import gradients
from iwae.evaluation.gradients import noise_of
from iwae.evaluation.linear_gaussian import LinearGaussian, signal_to_noise
from iwae.models.densities import Gaussian
from iwae.reporting.figures.gradients import power_law
from iwae.study.measurements import GradientsSettings


def test_noise_of_known_draws():
    """Means 3 and 0 with deviations 2 and 1: the squares of their ratios are 9/4 and 0."""
    generator, count = torch.Generator().manual_seed(0), 20_000

    def draw():
        return {"a": 3 + 2 * torch.randn(2, generator=generator), "b": torch.randn(2, generator=generator)}

    found = noise_of(draw, count, {"both": ("a", "b"), "none": ("b",)})
    assert found["both"].ratio == pytest.approx(math.sqrt(9 / 8), rel=0.03)
    assert found["both"].variance == pytest.approx(10, rel=0.05)
    assert found["none"].ratio < 0.02  # without the bias of finitely many draws


def test_of_few_draws_the_ratio_is_unbiased_and_its_error_that_of_repetition():
    generator = torch.Generator().manual_seed(0)

    def draw():
        return {"a": torch.full((2,), 1.5) + torch.randn(2, generator=generator)}

    found = [noise_of(draw, 12, {"all": ("a",)})["all"] for _ in range(2000)]
    ratios = torch.tensor([noise.ratio for noise in found])
    assert ratios.square().mean().item() == pytest.approx(1.5**2, rel=0.03)
    assert torch.tensor([noise.se for noise in found]).mean().item() == pytest.approx(ratios.std().item(), rel=0.25)


def test_parameters_that_never_vary_do_not_count():
    values = iter([1.0, 3.0, 2.0, 0.0, 4.0])

    def draw():
        return {"a": torch.full((2,), next(values)), "b": torch.zeros(5)}

    assert noise_of(draw, 5, {"all": ("a", "b")})["all"].ratio == pytest.approx(math.sqrt(4 / 2.5 * 2 / 4 - 1 / 5))


def test_a_prior_s_parameters_are_none_of_the_decoder_s(monkeypatch, model_named, binary, device):
    model, groups = model_named("mnist/l1-vae-k1-vamp4/seed0"), []
    monkeypatch.setattr(gradients, "noise_of", lambda draw, replicates, names: groups.append((draw(), names)) or {})
    gradients.measure(model, binary(3), GradientsSettings(ks=(1,)), device)
    gradient, names = groups[0]
    assert gradient["prior.inputs"].any() and "prior.inputs" not in names["encoder"] + names["decoder"]
    assert {*names["encoder"], *names["decoder"], "prior.inputs"} == set(model.parameters)


def test_what_is_one_for_one_sample_is_measured_once(model_of, binary, device):
    settings = GradientsSettings(images=2, ks=(1, 2), replicates=5)
    rows = gradients.measure(model_of(1), binary(2), settings, device)
    found = [(row["objective"], row["estimator"], row["k"]) for row in rows if row["part"] == "encoder"]
    of_vae = [("vae", estimator, k) for estimator in ("standard", "stl") for k in (1, 2)]
    assert found == of_vae + [("iwae", estimator, 2) for estimator in ("standard", "stl", "dreg")]


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_linear_gaussian_problem_in_closed_form(spread):
    """x ~ N(mu, 2 I); at the optimum q differs from the posterior by its variance, 2/3 for 1/2, and nothing else."""
    images, units, generator = 4000, 3, torch.Generator().manual_seed(0)
    problem = LinearGaussian(images, units, spread, generator)
    assert_close(problem.x.var(0), torch.full((units,), 2.0), atol=0.2, rtol=0)  # four errors
    q, mu = problem.posterior(problem.parameters), problem.parameters["mu"]
    if not spread:
        z = q.sample(torch.randn(50, images, units, generator=generator))
        elbos = (problem.log_joint(problem.parameters, [z]) - q.log_prob(z)).mean(0)
        log_p = Gaussian(mu, torch.full_like(mu, 0.5 * math.log(2))).log_prob(problem.x)
        gap = units * (4 / 3 - 1 - math.log(4 / 3)) / 2
        assert (log_p - elbos).mean().item() == pytest.approx(gap, abs=0.005)
    found = problem.gradient(RELATIVE["standard"], elbo, 20, generator)["mu"]
    assert_close(found, q.mean.mean(0) - mu, atol=0.015, rtol=0)  # five errors of the mean of z - mu


def test_exponents_of_k():
    """-1/2 for q and 1/2 for p by the standard estimator; STL and DReG rise with k for q. Small, so only roughly."""
    rows = signal_to_noise({1: 300, 4: 300, 16: 300}, images=256, units=8)
    frame = pd.DataFrame(rows)
    frame = frame[frame.part == "encoder"]
    powers = {
        estimator: power_law(*(of[name].to_numpy() for name in ("k", "ratio", "se")))
        for estimator, of in frame.groupby("estimator")
    }
    assert powers["standard"][0] == pytest.approx(-0.5, abs=0.25)
    assert 0 < powers["standard"][1] < 0.25
    assert powers["stl"][0] > 0.1 and powers["dreg"][0] > 0.1
    same = {row["estimator"]: row["ratio"] for row in rows if row["k"] == 1 and row["part"] == "encoder"}
    assert same["stl"] == pytest.approx(same["dreg"], rel=0.2)  # one estimator at k = 1, from other draws
