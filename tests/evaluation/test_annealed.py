"""Annealed importance sampling of models."""

import numpy as np
import torch
from torch.testing import assert_close

from iwae.bounds import importance_bound
from iwae.evaluation.annealed import estimate, simulate
from iwae.evaluation.noise import draw_each, image_generators
from iwae.evaluation.noise_space import log_weights_at
from iwae.models.model import encode, infer
from iwae.study.measurements import AnnealedSettings


def test_one_temperature_is_the_importance_bound_on_the_same_noise(model_of, binary, device):
    model, x, seeds, settings = model_of(2), binary(3), [4, 5, 6], AnnealedSettings(temperatures=1, chains=7)
    found = estimate(model, x, seeds, settings, device)
    generators, units = image_generators(seeds, device), sum(model.architecture.latents)
    draw_each(generators, 7, units, torch.float32)  # the start of the chains that find the steps
    noise = draw_each(generators, 7, units, torch.float32)
    expected = importance_bound(log_weights_at(model, 0, device)(x)(noise)[0])
    assert_close(torch.from_numpy(found.lower).float(), expected.cpu())
    assert np.isnan(found.acceptance).all()  # there are no moves


def test_noise_of_simulated_images_leads_to_draws_of_the_prior(model_of, device):
    model = model_of(2)
    x, noise = simulate(model, 40, 0, device)
    assert set(x.ravel().tolist()) == {0, 1}
    encoded = encode(model.architecture, model.parameters, torch.from_numpy(x).to(device).float())
    latents, _ = infer(model.architecture, model.parameters, encoded, noise.split(model.architecture.latents, -1))
    top = latents[-1]
    assert abs(top.mean().item()) < 5 / top.numel() ** 0.5
    assert abs(top.var().item() - 1) < 5 * (2 / top.numel()) ** 0.5


def test_bounds_of_simulated_images_close_in_and_do_not_depend_on_their_batch(model_of, device):
    model = model_of(1)
    x, noise = simulate(model, 6, 0, device)
    gaps = []
    for temperatures in (10, 60):
        settings = AnnealedSettings(temperatures=temperatures, chains=8, leapfrogs=3)
        found = estimate(model, x, list(range(6)), settings, device, noise)
        gaps.append(found.upper.mean() - found.lower.mean())
        assert ((found.acceptance > 0.3) & (found.acceptance < 0.95)).all()
    assert 0 < gaps[1] < 0.5 * gaps[0]
    alone = estimate(model, x[4:], [4, 5], settings, device, noise[4:])
    assert_close(torch.from_numpy(alone.lower), torch.from_numpy(found.lower[4:]), atol=0.02, rtol=0)  # float32 moves


def test_more_chains_tighten_both_bounds(model_of, device):
    model = model_of(1)
    x, noise = simulate(model, 20, 0, device)
    one, many = (
        estimate(model, x, range(20), AnnealedSettings(temperatures=2, chains=chains, leapfrogs=2), device, noise)
        for chains in (1, 32)
    )
    assert one.lower.mean() < many.lower.mean() < many.upper.mean() < one.upper.mean()
