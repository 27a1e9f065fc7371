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
from iwae.models.priors import Prior
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


class Wrong(Prior):
    """A prior whose parameter and density have the shapes that it is told."""

    def __init__(self, start, log_prob):
        super().__init__()
        self.__dict__ |= {"start": start, "log_prob": log_prob}

    def parameter_shapes(self, units):
        return {"prior.scale": (units,)}

    def initialize(self, units, random, train):
        return self.start

    def density(self, parameters, posterior):
        return self


def test_a_prior_that_is_not_what_it_says_is_refused(train, refused, images):
    for start, found in (({}, None), ({"prior.scale": np.ones(50)}, None), ({"prior.scale": torch.ones(3)}, "(3,)")):
        architecture = Architecture.paper(1, prior=Wrong(start, None))
        said = refused(initialize, architecture, Protocol(), 0, train)
        assert said.startswith(f"the prior's parameter prior.scale starts as a tensor of {found}, its parameter_shapes")
    x = images().float()
    for log_prob, found in ((lambda z: z.sum(), "()"), (lambda z: z, f"(2, {len(x)}, 50)")):
        architecture = Architecture.paper(1, prior=Wrong({"prior.scale": torch.ones(50)}, log_prob))
        parameters = initialize(architecture, Protocol(), 0, train)
        said = refused(log_weights, architecture, parameters, x, [torch.zeros(2, len(x), 50)])
        of = f"(2, {len(x)}, 50): it must be (2, {len(x)})"
        assert said == f"the prior's log_prob gives {found} for latents {of}, a number for each."


def test_pseudo_inputs_start_near_distinct_training_images(train):
    prior = VampPrior(11)
    inputs = pseudo_inputs(prior.initialize(50, np.random.default_rng(0), train))
    nearest = torch.cdist(inputs.double(), torch.from_numpy(train / 255)).argmin(1)
    assert sorted(nearest.tolist()) == list(range(11))
    assert_close(inputs.double(), 0.02 + 0.96 * torch.from_numpy(train / 255)[nearest], atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="vamp12 is impossible: .* there are 11"):
        VampPrior(12).initialize(50, np.random.default_rng(0), train)
