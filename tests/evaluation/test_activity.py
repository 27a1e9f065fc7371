"""Activity of the latent units: the definition, its correction for sampling, the authors' estimate."""

import numpy as np
import pytest
import torch

from iwae.evaluation import activity
from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.models.networks import gaussian
from iwae.study.measurements import ActivitySettings

SINGLE = 1e-5  # float32 means of order one, in other chunks


def test_correction_is_unbiased():
    images, samples, repetitions = 5, 3, 40_000
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(images, 1, dtype=torch.float64, generator=generator)
    spread = torch.linspace(0.5, 2, images, dtype=torch.float64)[:, None]
    draws = mean + spread * torch.randn(samples, images, repetitions, dtype=torch.float64, generator=generator)
    found = activity.unbiased_variance(activity.PosteriorMeans(draws.mean(0), draws.var(0)), samples)
    error = (found.std() / repetitions**0.5).item()
    exact = mean.var(correction=0).item()
    assert abs(found.mean().item() - exact) < 4 * error
    assert draws.mean(0).var(0, correction=0).mean().item() > exact + 20 * error  # what it corrects


def test_units_at_the_threshold_are_inactive():
    assert activity.inactive(np.array([0.011, 0.01, -1e-4, 3.0, 0.0])).tolist() == [1, 2, 4]
    assert activity.inactive(np.array([0.02])).tolist() == []


@pytest.mark.parametrize("layers", [1, 2])
def test_first_layer_is_the_variance_of_the_posterior_means(model_of, binary, device, layers):
    model, x = model_of(layers), binary(20)
    values = {"x": torch.from_numpy(x).to(device).float()}
    mean, _ = gaussian(model.architecture, model.parameters, model.architecture.recognition[0], values)
    found = activity.measure(model, x, ActivitySettings(samples=2, authors_images=6), device)
    assert [len(layer.definition) for layer in found] == list(model.architecture.latents)
    mean = mean.cpu().double().numpy()
    np.testing.assert_allclose(found[0].definition, mean.var(0), rtol=1e-5)
    np.testing.assert_allclose(found[0].authors, mean[:6].var(0), rtol=1e-5)


def test_second_layer_averages_over_the_first(model_of, binary, device):
    model, x, samples = model_of(2), binary(7), 30
    parameters, architecture = model.parameters, model.architecture
    q1, q2 = architecture.recognition
    posterior = gaussian(architecture, parameters, q1, {"x": torch.from_numpy(x).to(device).float()})
    (noise,) = next(noise_chunks(image_seeds(model.spec, 4, "activity", range(7)), samples, samples, (100,), device))
    h2 = gaussian(architecture, parameters, q2, {"h1": posterior.sample(noise)}).mean.cpu().double().numpy()
    expected = h2.mean(0).var(0) - (1 - 1 / 7) * h2.var(0, ddof=1).mean(0) / samples
    found = activity.measure(model, x, ActivitySettings(samples=samples, seed=4), device)[1]
    np.testing.assert_allclose(found.definition, expected, atol=SINGLE)


def test_few_samples_suffice_for_the_second_layer_but_one_inflates_it(model_of, binary, device):
    model, x = model_of(2), binary(300)
    few = activity.measure(model, x, ActivitySettings(samples=2, authors_images=300), device)[1]
    many = activity.measure(model, x, ActivitySettings(samples=100), device)[1]
    typical = many.definition.mean()
    # Over seeds of the draws the first has a deviation of 0.28 of what is typical, the second is 21 +- 0.3 times it.
    assert abs(few.definition.mean() - typical) < 1.2 * typical
    assert few.authors.mean() > 19 * typical


def test_authors_variant_uses_the_first_images_only(model_of, binary, device):
    model, x = model_of(2), binary(20)
    changed = x.copy()
    changed[8:] = 1 - changed[8:]
    settings = ActivitySettings(samples=2, authors_images=8)
    for before, after in zip(*(activity.measure(model, y, settings, device) for y in (x, changed)), strict=True):
        np.testing.assert_allclose(before.authors, after.authors, rtol=1e-6)
        assert not np.allclose(before.definition, after.definition)


def test_chunk_sizes_do_not_change_results(model_of, binary, device, monkeypatch):
    model, x, settings = model_of(2), binary(11), ActivitySettings(samples=5, authors_images=7)
    whole = activity.measure(model, x, settings, device)
    monkeypatch.setattr(activity, "_ROWS", {device.type: 20})
    done = []
    for found, expected in zip(activity.measure(model, x, settings, device, done.append), whole, strict=True):
        np.testing.assert_allclose(found.definition, expected.definition, atol=SINGLE)
        np.testing.assert_allclose(found.authors, expected.authors, atol=SINGLE)
    assert done == [4, 4, 3]


def test_unit_that_ignores_the_image_is_dead(model_of, binary, device):
    model = model_of(2)
    model.parameters["q2.mean.weight"][:, 3] = 0
    found = activity.measure(model, binary(20), ActivitySettings(samples=4), device)[1]
    assert abs(found.definition[3]) < 1e-12 and abs(found.authors[3]) < 1e-12
    assert found.definition.max() > 0.01
