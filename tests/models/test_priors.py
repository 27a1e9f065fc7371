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
from iwae.models.model import encode, generate, generate_latents, log_weights, prior_density
from iwae.models.priors.mog import MixturePrior
from iwae.models.priors.standard import StandardGaussian
from iwae.models.priors.vamp import VampPrior, pseudo_inputs
from iwae.study.protocol import Protocol

K = 4
EXACT = 1e-8  # float64: rounding of sums of some 1000 nats, and softplus beyond 20
PRIORS = {
    "mog": Architecture.paper(1, prior=MixturePrior(K)),
    "mog, two layers": Architecture.paper(2, prior=MixturePrior(K)),
    "vamp": Architecture.paper(1, prior=VampPrior(K)),
}
EACH = pytest.mark.parametrize("architecture", PRIORS.values(), ids=PRIORS)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("components", [1, 3])
def test_components_that_are_all_standard_are_the_standard_prior(layers, components, parameters_of, noise_of, images):
    architecture = Architecture.paper(layers, prior=MixturePrior(components))
    parameters = parameters_of(architecture)
    for name in architecture.prior.unit_parameters:
        parameters[name] = torch.zeros_like(parameters[name])
    found = log_weights(architecture, parameters, images(), noise_of(architecture))
    standard = log_weights(Architecture.paper(layers), parameters, images(), noise_of(architecture))
    assert_close(found, standard, atol=EXACT, rtol=0)


def test_pseudo_inputs_that_are_the_images_give_the_aggregate_posterior(parameters_of, images, device):
    architecture = Architecture.paper(1, prior=VampPrior(5))
    parameters, x = parameters_of(architecture), images()
    parameters["prior.inputs"] = 100 * (2 * x - 1)  # whose sigmoid is x, but for 1e-44
    z = torch.randn(7, 50, dtype=torch.float64, device=device)
    aggregate = Mixture.of(encode(architecture, parameters, x).posteriors["q1"])
    assert_close(prior_density(architecture, parameters).log_prob(z), aggregate.log_prob(z), atol=EXACT, rtol=0)


@EACH
def test_gradients_of_the_prior_agree_with_finite_differences(
    architecture, parameters_of, noise_of, images, along_directions, device
):
    parameters, noise, x = parameters_of(architecture), noise_of(architecture), images()
    # The networks that a VampPrior is made of too: derivatives reach them by log p(z) and by log q(z|x).
    names = [*architecture.prior.parameter_shapes(50), "q1.mean.weight", "q1.hidden1.weight"]
    bound = along_directions(
        lambda there: importance_bound(log_weights(architecture, there, x, noise)), parameters, names
    )
    steps = torch.zeros(len(names), dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(bound, (steps,), atol=1e-4, rtol=1e-5)  # differences of steps of 1e-6


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
def test_fast_form_equals_the_plain_one(architecture, parameters_of, noise_of, images):
    parameters, noise, x = parameters_of(architecture), noise_of(architecture), images()
    prior, encoded = prior_density(architecture, parameters), weights.encode(architecture, parameters, x)
    found = weights.log_weights(architecture, parameters, prior, encoded, noise)
    assert_close(found, log_weights(architecture, parameters, x, noise), atol=EXACT, rtol=0)


@EACH
def test_removed_units_of_the_top_layer_are_standard_noise(architecture, parameters_of, noise_of, images):
    """Another value of their noise changes nothing, as it would where prior and posterior differ."""
    parameters, noise, x = parameters_of(architecture), noise_of(architecture), images()
    removed = [np.array([], dtype=np.int64)] * (architecture.layers - 1) + [np.array([0, 7, 49])]
    without = chopped.without(architecture, parameters, removed)
    before = log_weights(architecture, without, x, noise)
    noise[-1][..., [0, 7, 49]] += 1
    assert_close(log_weights(architecture, without, x, noise), before, atol=EXACT, rtol=0)


@EACH
def test_start_leaves_the_networks_as_they_are(architecture, train):
    plain = initialize(Architecture.paper(architecture.layers), Protocol(), 0, train)
    parameters = initialize(architecture, Protocol(), 0, train)
    assert {name: tuple(value.shape) for name, value in parameters.items()} == architecture.parameter_shapes
    assert {value.dtype for value in parameters.values()} == {torch.float32}
    assert all(torch.equal(parameters[name], value) for name, value in plain.items())


def test_mixture_starts_with_the_moments_of_the_standard_prior(train):
    prior = MixturePrior(2000)
    mean, scale = prior.initialize(10, np.random.default_rng(0), train).values()
    assert_close(mean.var(0, correction=0) + scale.exp().square().mean(0), torch.ones(10), atol=0.05, rtol=0)
    assert_close(mean.mean(0), torch.zeros(10), atol=0.05, rtol=0)


def test_pseudo_inputs_start_near_distinct_training_images(train):
    prior = VampPrior(11)
    inputs = pseudo_inputs(prior.initialize(50, np.random.default_rng(0), train))
    nearest = torch.cdist(inputs.double(), torch.from_numpy(train / 255)).argmin(1)
    assert sorted(nearest.tolist()) == list(range(11))
    assert_close(inputs.double(), 0.02 + 0.96 * torch.from_numpy(train / 255)[nearest], atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="vamp12 is impossible: .* there are 11"):
        VampPrior(12).initialize(50, np.random.default_rng(0), train)


@EACH
def test_samples_come_from_components_that_are_drawn(architecture, parameters_of, noise_of, device):
    """The same noise gives other images where the components are others."""
    parameters = parameters_of(architecture)
    noise = [layer[0] for layer in noise_of(architecture)]
    first, same, other = (
        generate(architecture, parameters, noise, torch.Generator(device).manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first.shape == (5, PIXELS) and torch.equal(first, same) and not torch.equal(first, other)


@EACH
def test_another_prior_may_take_the_place_of_the_models_own(architecture, parameters_of, noise_of):
    noise = [layer[0] for layer in noise_of(architecture)]
    *_, top = generate_latents(architecture, parameters_of(architecture), noise, prior=StandardGaussian())
    assert torch.equal(top, noise[-1])
