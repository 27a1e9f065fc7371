"""HVAE and PixelHVAE: gated layers and masked convolutions."""

import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.models import masked
from iwae.models.architecture import Conditional
from iwae.models.densities import bernoulli_log_prob
from iwae.models.hierarchical import authors_pixelhvae, hvae, pixelhvae
from iwae.models.masked import MaskedDecoder
from iwae.models.model import pixel_logits
from iwae.models.networks import hidden
from iwae.models.priors.mog import MixturePrior

EXACT = 1e-8  # float64: rounding of sums of some 1000 nats, and softplus beyond 20


def count(architecture):
    return sum(int(np.prod(shape)) for shape in architecture.parameter_shapes.values())


def test_number_of_parameters():
    """Counted by hand from the authors' code: gated layers are two linear ones."""

    def gated(n_in, n_out):
        return 2 * (n_in + 1) * n_out

    def linear(n_in, n_out):
        return (n_in + 1) * n_out

    heads = 2 * linear(300, 40)
    networks = 2 * (gated(784, 300) + heads) + gated(300, 300) + gated(40, 300) + gated(600, 300)  # q2, q1
    networks += gated(40, 300) + gated(300, 300) + heads  # p1
    assert count(hvae()) == networks + 2 * gated(40, 300) + gated(600, 300) + linear(300, 784)
    convolutions = linear(4 + 2 * 9, 64) + 7 * linear(5 * 64, 64) + linear(64, 1)
    assert count(authors_pixelhvae()) == networks + 2 * gated(40, 784) + convolutions


def test_gated_layer_by_hand(device):
    network = Conditional("p1", "h1", ("h2",), (4,), gated=True)
    shapes = network.layer_shapes({"h1": 2, "h2": 3})
    weights_of = {f"{name}.weight": torch.randn(shape, device=device) for name, shape in shapes.items()}
    biases = {f"{name}.bias": torch.randn(shape[1], device=device) for name, shape in shapes.items()}
    p, x = weights_of | biases, torch.randn(5, 3, device=device)
    expected = (x @ p["p1.hidden1.weight"] + p["p1.hidden1.bias"]) / (
        1 + torch.exp(-x @ p["p1.hidden1.gate.weight"] - p["p1.hidden1.gate.bias"])
    )
    assert_close(hidden(p, network, {"h2": x}), expected)


@pytest.fixture
def small(device, monkeypatch):
    """A decoder of images of 3 x 3 pixels with its parameters, and latents of two images."""
    monkeypatch.setattr(masked, "_SIDE", 3)
    monkeypatch.setattr(masked, "PIXELS", 9)
    decoder = MaskedDecoder("px", "x", ("h1", "h2"), (4, 5), gated=True)
    generator, parameters = torch.Generator().manual_seed(0), {}
    for name, (n_in, n_out) in decoder.layer_shapes({"h1": 2, "h2": 3}).items():
        parameters[f"{name}.weight"] = torch.randn(n_in, n_out, generator=generator, dtype=torch.float64).to(device)
        parameters[f"{name}.bias"] = torch.randn(n_out, generator=generator, dtype=torch.float64).to(device)
    values = {"h1": torch.randn(2, 2, generator=generator), "h2": torch.randn(2, 3, generator=generator)}
    return decoder, parameters, {name: value.double().to(device) for name, value in values.items()}


def test_probabilities_of_all_images_sum_to_one(small, device):
    decoder, parameters, values = small
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9)), dtype=torch.float64, device=device)
    for latent in ({name: value[:1] for name, value in values.items()}, {n: v[1:] for n, v in values.items()}):
        log_p = bernoulli_log_prob(x, masked.pixel_logits(decoder, parameters, x, latent))
        assert_close(log_p.exp().sum().item(), 1.0, atol=1e-6, rtol=0)


def test_pixels_depend_on_those_before_and_on_every_latent(small, device):
    decoder, parameters, values = small
    x = torch.rand(1, 9, generator=torch.Generator().manual_seed(1)).double().to(device)
    one = {name: value[:1] for name, value in values.items()}
    by_pixel = torch.autograd.functional.jacobian(lambda x: masked.pixel_logits(decoder, parameters, x, one)[0], x)
    assert (torch.triu(by_pixel[:, 0]) == 0).all() and by_pixel[8].count_nonzero() > 4
    for name in one:
        jacobian = torch.autograd.functional.jacobian(
            lambda z, name=name: masked.pixel_logits(decoder, parameters, x, one | {name: z})[0], one[name]
        )
        assert (jacobian[0] != 0).all()  # of the first pixel


def test_a_decoder_of_one_layer_by_its_defaults(device):
    decoder = MaskedDecoder("px", "x", ("h1", "h2"), (2,))
    shapes = decoder.layer_shapes({"x": 784, "h1": 3, "h2": 4})
    parameters = {
        f"{layer}.{kind}": torch.full(shape if kind == "weight" else shape[1:], 0.1, device=device)
        for layer, shape in shapes.items()
        for kind in ("weight", "bias")
    }
    latents = {"h1": torch.zeros(5, 3, device=device), "h2": torch.zeros(5, 4, device=device)}
    logits = masked.pixel_logits(decoder, parameters, torch.ones(5, 784, device=device), latents)
    assert logits.shape == (5, 784) and logits.isfinite().all()


def test_pixels_are_drawn_as_their_means_say(small, device):
    """One of them, from a thousand images: its mean is that over all images before it."""
    decoder, parameters, values = small
    many = {name: value[:1].expand(2000, -1) for name, value in values.items()}
    _, means = masked.draw_pixels(decoder, parameters, many, torch.Generator(device).manual_seed(0))
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9)), dtype=torch.float64, device=device)
    one = {name: value[:1] for name, value in values.items()}
    probability = bernoulli_log_prob(x, masked.pixel_logits(decoder, parameters, x, one)).exp()
    expected = probability @ x
    error = means.std(0) / 2000**0.5
    assert ((means.mean(0) - expected).abs() < 4 * error + 1e-6).all()


def test_samples_and_images_may_have_any_leading_axes(parameters_of, noise_of, images):
    architecture = pixelhvae(prior=MixturePrior(4), channels=3, layers=2)
    parameters, latents, x = parameters_of(architecture), noise_of(architecture), images()
    found = pixel_logits(architecture, parameters, latents, x)
    assert found.shape == (3, 5, 784)
    for sample in range(3):
        alone = pixel_logits(architecture, parameters, [layer[sample] for layer in latents], x)
        assert_close(found[sample], alone, atol=EXACT, rtol=0)


def test_a_pixel_is_drawn_from_as_many_rows_as_it_depends_on(parameters_of, noise_of, device):
    architecture = pixelhvae(channels=3, layers=2)
    parameters, latents = parameters_of(architecture), [layer[0] for layer in noise_of(architecture)]
    values = dict(zip(architecture.variables, latents, strict=True))
    x, means = masked.draw_pixels(architecture.decoder, parameters, values, torch.Generator(device).manual_seed(0))
    assert_close(means, torch.sigmoid(pixel_logits(architecture, parameters, latents, x)), atol=EXACT, rtol=0)
