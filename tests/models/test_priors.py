"""Priors of the top layer: where they are N(0, I) or the aggregate posterior, and their starts."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.errors import InputError
from iwae.models.architecture import PIXELS, Architecture
from iwae.models.initialization import initialize
from iwae.models.mixtures import Mixture
from iwae.models.model import encode, log_weights, prior_density
from iwae.models.priors.mog import MixturePrior
from iwae.models.priors.vamp import VampPrior, pseudo_inputs
from iwae.study.protocol import Protocol

EXACT = 1e-8  # float64: rounding of sums of some 1000 nats, and softplus beyond 20


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
