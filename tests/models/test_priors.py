"""Priors of the top layer: where they are N(0, I) or the aggregate posterior, their derivatives, starts and draws."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.bounds import importance_bound
from iwae.errors import InputError
from iwae.evaluation import chopped, weights
from iwae.models.architecture import PIXELS, Architecture
from iwae.models.initialization import initialize
from iwae.models.mixtures import Mixture
from iwae.models.model import encode, generate, log_weights, prior_density
from iwae.models.priors.mog import MixturePrior
from iwae.models.priors.vamp import VampPrior, pseudo_inputs
from iwae.study.protocol import Protocol

S, B, K = 3, 5, 4
EXACT = 1e-8  # float64: rounding of sums of some 1000 nats, and softplus beyond 20
TRAIN = np.random.default_rng(0).integers(0, 256, (11, PIXELS), dtype=np.uint8)
PRIORS = {
    "mog": Architecture.paper(1, prior=MixturePrior(K)),
    "mog, two layers": Architecture.paper(2, prior=MixturePrior(K)),
    "vamp": Architecture.paper(1, prior=VampPrior(K)),
}
EACH = pytest.mark.parametrize("architecture", PRIORS.values(), ids=PRIORS)


def parameters_of(architecture, device):
    drawn = initialize(architecture, Protocol(initialization="independent"), 0, TRAIN)
    generator = torch.Generator().manual_seed(1)
    return {
        name: (value.double() + 0.1 * torch.randn(value.shape, generator=generator, dtype=torch.float64)).to(device)
        for name, value in drawn.items()
    }


def noise_of(architecture, device):
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(S, B, d, generator=generator, dtype=torch.float64).to(device) for d in architecture.latents]


def images(device, b=B):
    return (torch.rand(b, PIXELS, generator=torch.Generator().manual_seed(3)) < 0.3).double().to(device)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("components", [1, 3])
def test_components_that_are_all_standard_are_the_standard_prior(layers, components, device):
    architecture = Architecture.paper(layers, prior=MixturePrior(components))
    parameters = parameters_of(architecture, device)
    for name in architecture.prior.unit_parameters:
        parameters[name] = torch.zeros_like(parameters[name])
    found = log_weights(architecture, parameters, images(device), noise_of(architecture, device))
    standard = log_weights(Architecture.paper(layers), parameters, images(device), noise_of(architecture, device))
    assert_close(found, standard, atol=EXACT, rtol=0)


def test_pseudo_inputs_that_are_the_images_give_the_aggregate_posterior(device):
    architecture = Architecture.paper(1, prior=VampPrior(B))
    parameters, x = parameters_of(architecture, device), images(device)
    parameters["prior.inputs"] = 100 * (2 * x - 1)  # whose sigmoid is x, but for 1e-44
    z = torch.randn(7, 50, dtype=torch.float64, device=device)
    aggregate = Mixture.of(encode(architecture, parameters, x).posteriors["q1"])
    assert_close(prior_density(architecture, parameters).log_prob(z), aggregate.log_prob(z), atol=EXACT, rtol=0)


@EACH
def test_gradients_of_the_prior_agree_with_finite_differences(architecture, device):
    parameters, noise, x = parameters_of(architecture, device), noise_of(architecture, device), images(device)
    generator = torch.Generator().manual_seed(4)
    # The networks that a VampPrior is made of too: derivatives reach them by log p(z) and by log q(z|x).
    names = [*architecture.prior.parameter_shapes(50), "q1.mean.weight", "q1.hidden1.weight"]
    directions = {
        name: torch.randn(parameters[name].shape, generator=generator, dtype=torch.float64).to(device)
        / parameters[name].numel() ** 0.5
        for name in names
    }

    def moved(steps):
        there = parameters | {
            name: parameters[name] + s * directions[name] for name, s in zip(names, steps, strict=True)
        }
        return importance_bound(log_weights(architecture, there, x, noise))

    steps = torch.zeros(len(names), dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(moved, (steps,), atol=1e-4, rtol=1e-5)  # differences of steps of 1e-6


def test_black_and_white_pseudo_pixels_are_free_to_move(device):
    """Clipped to [0, 1], as the authors do, they have no gradient."""
    architecture = Architecture.paper(1, prior=VampPrior(2))
    train = np.repeat(np.uint8([[0], [255]]), PIXELS, axis=1)
    parameters = {n: p.to(device) for n, p in initialize(architecture, Protocol(), 0, train).items()}
    inputs = parameters["prior.inputs"].requires_grad_()
    z = torch.randn(9, 50, generator=torch.Generator().manual_seed(0)).to(device)
    prior_density(architecture, parameters).log_prob(z).sum().backward()
    used = parameters["q1.hidden1.weight"].abs().sum(1) > 0
    assert (inputs.grad[:, used] != 0).all()


@EACH
def test_fast_form_equals_the_plain_one(architecture, device):
    parameters, noise, x = parameters_of(architecture, device), noise_of(architecture, device), images(device)
    prior, encoded = prior_density(architecture, parameters), weights.encode(architecture, parameters, x)
    found = weights.log_weights(architecture, parameters, prior, encoded, noise)
    assert_close(found, log_weights(architecture, parameters, x, noise), atol=EXACT, rtol=0)


@EACH
def test_removed_units_of_the_top_layer_are_standard_noise(architecture, device):
    """Another value of their noise changes nothing, as it would where prior and posterior differ."""
    parameters, noise, x = parameters_of(architecture, device), noise_of(architecture, device), images(device)
    removed = [np.array([], dtype=np.int64)] * (architecture.layers - 1) + [np.array([0, 7, 49])]
    without = chopped.without(architecture, parameters, removed)
    before = log_weights(architecture, without, x, noise)
    noise[-1][..., [0, 7, 49]] += 1
    assert_close(log_weights(architecture, without, x, noise), before, atol=EXACT, rtol=0)


@EACH
def test_start_leaves_the_networks_as_they_are(architecture):
    plain = initialize(Architecture.paper(architecture.layers), Protocol(), 0, TRAIN)
    parameters = initialize(architecture, Protocol(), 0, TRAIN)
    assert {name: tuple(value.shape) for name, value in parameters.items()} == architecture.parameter_shapes
    assert {value.dtype for value in parameters.values()} == {torch.float32}
    assert all(torch.equal(parameters[name], value) for name, value in plain.items())


def test_mixture_starts_with_the_moments_of_the_standard_prior():
    prior = MixturePrior(2000)
    mean, scale = prior.initialize(10, np.random.default_rng(0), TRAIN).values()
    assert_close(mean.var(0, correction=0) + scale.exp().square().mean(0), torch.ones(10), atol=0.05, rtol=0)
    assert_close(mean.mean(0), torch.zeros(10), atol=0.05, rtol=0)


def test_pseudo_inputs_start_near_distinct_training_images():
    prior = VampPrior(11)
    inputs = pseudo_inputs(prior.initialize(50, np.random.default_rng(0), TRAIN))
    nearest = torch.cdist(inputs.double(), torch.from_numpy(TRAIN / 255)).argmin(1)
    assert sorted(nearest.tolist()) == list(range(11))
    assert_close(inputs.double(), 0.02 + 0.96 * torch.from_numpy(TRAIN / 255)[nearest], atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="vamp12 is impossible: .* there are 11"):
        VampPrior(12).initialize(50, np.random.default_rng(0), TRAIN)


@EACH
def test_samples_come_from_components_that_are_drawn(architecture, device):
    """The same noise gives other images where the components are others."""
    parameters = parameters_of(architecture, device)
    noise = [layer[0] for layer in noise_of(architecture, device)]
    first, same, other = (
        generate(architecture, parameters, noise, torch.Generator(device).manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first.shape == (B, PIXELS) and torch.equal(first, same) and not torch.equal(first, other)
