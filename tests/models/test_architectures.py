"""What holds of every architecture and prior: derivatives, the fast form of the log weights, removed units, images."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.bounds import importance_bound
from iwae.evaluation import chopped, weights
from iwae.models.architecture import PIXELS, Architecture
from iwae.models.hierarchical import hvae, pixelhvae
from iwae.models.initialization import initialize
from iwae.models.model import generate, generate_latents, log_weights, prior_density, reconstruct
from iwae.models.priors.mog import MixturePrior
from iwae.models.priors.standard import StandardGaussian
from iwae.models.priors.vamp import VampPrior
from iwae.study.protocol import Protocol

EXACT = 1e-8  # float64: rounding of sums of some 1000 nats, and softplus beyond 20
MODELS = {
    "one layer": Architecture.paper(1),
    "two layers": Architecture.paper(2),
    "mog": Architecture.paper(1, prior=MixturePrior(4)),
    "mog, two layers": Architecture.paper(2, prior=MixturePrior(4)),
    "vamp": Architecture.paper(1, prior=VampPrior(4)),
    "hvae": hvae(),
    "hvae, vamp": hvae(prior=VampPrior(4)),
    "pixelhvae, mog": pixelhvae(prior=MixturePrior(4), channels=3, layers=2),
}
EACH = pytest.mark.parametrize("architecture", MODELS.values(), ids=MODELS)
OF_PRIORS = pytest.mark.parametrize("architecture", [MODELS[name] for name in ("mog", "mog, two layers", "vamp")])


@EACH
def test_gradients_agree_with_finite_differences(architecture, parameters_of, noise_of, images, device):
    """The derivative along one random direction of every parameter."""
    parameters, noise, x = parameters_of(architecture), noise_of(architecture), images()
    generator = torch.Generator().manual_seed(4)
    directions = {
        name: torch.randn(value.shape, generator=generator, dtype=torch.float64).to(device) / value.numel() ** 0.5
        for name, value in parameters.items()
    }

    def bound(steps):
        there = {name: parameters[name] + step * directions[name] for name, step in zip(parameters, steps, strict=True)}
        return importance_bound(log_weights(architecture, there, x, noise))

    steps = torch.zeros(len(parameters), dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(bound, (steps,), atol=1e-4, rtol=1e-5)  # differences of steps of 1e-6


@EACH
def test_fast_form_equals_the_plain_one(architecture, parameters_of, noise_of, images):
    parameters, noise, x = parameters_of(architecture), noise_of(architecture), images()
    prior, encoded = prior_density(architecture, parameters), weights.encode(architecture, parameters, x)
    found = weights.log_weights(architecture, parameters, prior, encoded, noise)
    assert_close(found, log_weights(architecture, parameters, x, noise), atol=EXACT, rtol=0)


@EACH
def test_removed_units_are_noise_that_nothing_reads(architecture, parameters_of, noise_of, images):
    """Another value of it changes nothing, as it would where prior and posterior differ."""
    parameters, x = parameters_of(architecture), images()
    for layer in range(architecture.layers):
        noise, removed = noise_of(architecture), [np.array([], dtype=np.int64)] * architecture.layers
        removed[layer] = np.array([0, 7, 39])
        without = chopped.without(architecture, parameters, removed)
        before = log_weights(architecture, without, x, noise)
        noise[layer][..., removed[layer]] += 1
        assert_close(log_weights(architecture, without, x, noise), before, atol=EXACT, rtol=0)


@EACH
def test_images_are_generated_and_reconstructed(architecture, parameters_of, noise_of, images, device):
    """From draws that the seed decides, where the prior or the pixels need any."""
    parameters, noise = parameters_of(architecture), [layer[0] for layer in noise_of(architecture)]
    first, same, other = (
        generate(architecture, parameters, noise, torch.Generator(device).manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, same) and torch.equal(first, other) == (architecture.prior.components == 0)
    for means in (first, reconstruct(architecture, parameters, images(), torch.Generator(device).manual_seed(0))):
        assert means.shape == (5, PIXELS) and ((means > 0) & (means < 1)).all()


@EACH
def test_parameters_have_the_documented_names_shapes_and_type(architecture, train):
    parameters = initialize(architecture, Protocol(), 0, train)
    assert {name: tuple(value.shape) for name, value in parameters.items()} == architecture.parameter_shapes
    assert {value.dtype for value in parameters.values()} == {torch.float32}


@OF_PRIORS
def test_start_leaves_the_networks_as_they_are(architecture, train):
    plain = initialize(Architecture.paper(architecture.layers), Protocol(), 0, train)
    parameters = initialize(architecture, Protocol(), 0, train)
    assert all(torch.equal(parameters[name], value) for name, value in plain.items())


@OF_PRIORS
def test_another_prior_may_take_the_place_of_the_models_own(architecture, parameters_of, noise_of):
    noise = [layer[0] for layer in noise_of(architecture)]
    *_, top = generate_latents(architecture, parameters_of(architecture), noise, prior=StandardGaussian())
    assert torch.equal(top, noise[-1])
