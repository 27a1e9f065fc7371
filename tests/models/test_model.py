"""A model's conditionals, log weights, samples and gradients."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal
from torch.testing import assert_close

from iwae.bounds import elbo, importance_bound
from iwae.models.architecture import PIXELS, Architecture
from iwae.models.initialization import initialize
from iwae.models.model import conditional, generate, infer, joint_log_prob, log_weights, pixel_logits, reconstruct
from iwae.study.protocol import Protocol

K, B = 3, 5
SMALL = 1e-9  # rounding of float64 sums over 784 pixels
LAYERS = pytest.mark.parametrize("layers", [1, 2])


def parameters_of(architecture, device):
    """Parameters of independent draws, biases included, in float64."""
    train = np.random.default_rng(0).integers(0, 256, (11, PIXELS), dtype=np.uint8)
    drawn = initialize(architecture, Protocol(initialization="independent"), 0, train)
    generator = torch.Generator().manual_seed(1)
    return {
        name: (value.double() + 0.1 * torch.randn(value.shape, generator=generator, dtype=torch.float64)).to(device)
        for name, value in drawn.items()
    }


def noise_of(architecture, device, k=K, b=B):
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(k, b, d, generator=generator, dtype=torch.float64).to(device) for d in architecture.latents]


def images(device, b=B):
    return (torch.rand(b, PIXELS, generator=torch.Generator().manual_seed(3)) < 0.3).double().to(device)


def by_hand(parameters, network, x, heads):
    """A network in numpy, from the documented names and shapes alone."""
    p = {name: value.cpu().numpy() for name, value in parameters.items()}
    x = x.cpu().numpy()
    for layer in ("hidden1", "hidden2"):
        x = np.tanh(x @ p[f"{network}.{layer}.weight"] + p[f"{network}.{layer}.bias"])
    return [torch.from_numpy(x @ p[f"{network}.{head}.weight"] + p[f"{network}.{head}.bias"]) for head in heads]


@LAYERS
def test_log_weights_are_the_ratio_of_the_densities(layers, device):
    architecture = Architecture(layers)
    parameters, noise, x = parameters_of(architecture, device), noise_of(architecture, device), images(device)
    below, log_q, latents = x, 0, []
    for level in range(1, layers + 1):
        mean, log_std = by_hand(parameters, f"q{level}", below, ("mean", "scale"))
        below = mean + log_std.exp() * noise[level - 1].cpu()
        log_q = log_q + Normal(mean, log_std.exp()).log_prob(below).sum(-1)
        latents.append(below)
    log_p = Normal(0.0, 1.0).log_prob(latents[-1]).sum(-1)
    if layers == 2:
        mean, log_std = by_hand(parameters, "p1", latents[1], ("mean", "scale"))
        log_p = log_p + Normal(mean, log_std.exp()).log_prob(latents[0]).sum(-1)
    (logits,) = by_hand(parameters, "px", latents[0], ("logits",))
    log_p = log_p + Bernoulli(logits=logits).log_prob(x.cpu().expand_as(logits)).sum(-1)
    found = log_weights(architecture, parameters, x, noise)
    assert found.shape == (K, B)
    assert_close(found.cpu(), log_p - log_q, atol=SMALL, rtol=SMALL)


@LAYERS
def test_parts_of_the_log_weights_fit_together(layers, device):
    architecture = Architecture(layers)
    parameters, noise, x = parameters_of(architecture, device), noise_of(architecture, device), images(device)
    latents, log_q = infer(architecture, parameters, x, noise)
    assert [latent.shape for latent in latents] == [(K, B, d) for d in architecture.latents]
    log_prior, log_likelihood = joint_log_prob(architecture, parameters, x, latents)
    total = log_prior + log_likelihood - log_q
    assert_close(total, log_weights(architecture, parameters, x, noise), atol=SMALL, rtol=0)


def test_scale_head_predicts_log_variance_where_the_protocol_says_so(device):
    parameters = parameters_of(Architecture(1), device)
    mean, deviation = conditional(Architecture(1), parameters, "q1", images(device))
    same, half = conditional(Architecture(1, "log-variance"), parameters, "q1", images(device))
    assert_close(same, mean)
    assert_close(half, deviation / 2)


@LAYERS
def test_one_sample_bounds_are_the_elbo(layers, device):
    architecture = Architecture(layers)
    parameters, noise = parameters_of(architecture, device), noise_of(architecture, device, k=1)
    log_w = log_weights(architecture, parameters, images(device), noise)
    assert_close(importance_bound(log_w), elbo(log_w))


@LAYERS
def test_elbo_converges_to_the_closed_form_of_its_divergence(layers, device):
    # E_q log q(h1|x) = -sum (log deviation + 0.5 log 2 pi e): the sampled term agrees within its standard error.
    architecture, samples = Architecture(layers), 4000
    parameters = parameters_of(architecture, device)
    noise = noise_of(architecture, device, samples, 1)[:1]
    _, log_q = infer(Architecture(1), parameters, images(device, 1), noise)
    _, log_std = conditional(architecture, parameters, "q1", images(device, 1))
    entropy = Normal(0.0, log_std.exp()).entropy().sum(-1)
    error = log_q.std(0) / samples**0.5
    assert ((log_q.mean(0) + entropy).abs() < 5 * error).all()


@LAYERS
@pytest.mark.parametrize("bound", [elbo, importance_bound])
def test_gradients_agree_with_finite_differences(layers, bound, device):
    """The derivative along one random direction of every parameter."""
    architecture = Architecture(layers)
    parameters, noise, x = parameters_of(architecture, device), noise_of(architecture, device), images(device)
    generator = torch.Generator().manual_seed(4)
    directions = {
        name: torch.randn(value.shape, generator=generator, dtype=torch.float64).to(device) / value.numel() ** 0.5
        for name, value in parameters.items()
    }

    def moved(steps):
        there = {name: parameters[name] + step * directions[name] for name, step in zip(parameters, steps, strict=True)}
        return bound(log_weights(architecture, there, x, noise))

    steps = torch.zeros(len(parameters), dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(moved, (steps,), atol=1e-4, rtol=1e-5)  # differences of steps of 1e-6


@LAYERS
def test_generated_and_reconstructed_means(layers, device):
    architecture = Architecture(layers)
    parameters, x = parameters_of(architecture, device), images(device)
    noise = [layer[0] for layer in noise_of(architecture, device)]
    latent = noise[-1]
    if layers == 2:
        mean, log_std = conditional(architecture, parameters, "p1", latent)
        latent = mean + log_std.exp() * noise[0]
    assert_close(generate(architecture, parameters, noise), pixel_logits(parameters, latent).sigmoid())
    mean, _ = conditional(architecture, parameters, "q1", x)
    assert_close(reconstruct(architecture, parameters, x), pixel_logits(parameters, mean).sigmoid())
