"""Each image's draws depend on nothing but its seed."""

import torch

from iwae.evaluation.noise import BLOCK, image_seeds, noise_chunks
from iwae.study.specification import ModelSpec

LATENTS = (7, 4)


def draws(seeds, samples, step, device):
    chunks = list(noise_chunks(seeds, samples, step, LATENTS, device))
    return [torch.cat(layer) for layer in zip(*chunks, strict=True)]


def test_shapes_and_chunks(device):
    samples = 2 * BLOCK + 50
    whole = draws([1, 2, 3], samples, samples, device)
    assert [layer.shape for layer in whole] == [(samples, 3, 7), (samples, 3, 4)]
    for found, expected in zip(draws([1, 2, 3], samples, BLOCK, device), whole, strict=True):
        assert torch.equal(found, expected)


def test_draws_of_an_image_do_not_depend_on_the_others(device):
    together, alone = draws([1, 2, 3], 50, 50, device), draws([2], 50, 50, device)
    assert torch.equal(together[0][:, 1], alone[0][:, 0])
    assert not torch.equal(together[0][:, 0], together[0][:, 1])


def test_draws_are_standard_gaussian(device):
    (layer, _) = draws([5], 20_000, 20_000, device)
    error = 5 / 20_000**0.5
    assert (layer.mean(0).abs() < error).all()
    assert ((layer.var(0) - 1).abs() < 2 * error).all()


def test_seeds_depend_on_model_study_purpose_and_image():
    spec, other = ModelSpec("mnist", 1, "iwae", 5, 0), ModelSpec("mnist", 1, "iwae", 5, 1)
    seeds = [
        *image_seeds(spec, 0, "likelihood/test", [0, 1]),
        *image_seeds(spec, 1, "likelihood/test", [0]),
        *image_seeds(spec, 0, "likelihood/train", [0]),
        *image_seeds(other, 0, "likelihood/test", [0]),
    ]
    assert len(set(seeds)) == len(seeds)
