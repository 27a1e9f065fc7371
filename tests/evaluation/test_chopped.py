"""Models without some of their units against networks that never had them."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae.evaluation import chopped, weights
from iwae.models import model as plain
from iwae.study.measurements import ChoppedSettings

S, B = 3, 5
EXACT = 1e-8  # float64: rounding of sums of some 1000 nats, and softplus beyond 20
SINGLE = 2e-3  # float32: the same
MODELS = pytest.mark.parametrize(
    ("layers", "scale"), [(n, scale) for n in (1, 2) for scale in ("log-deviation", "log-variance")]
)
NOTHING = [np.array([], dtype=np.int64)] * 2
CHOICES = [
    [np.array([7]), np.array([], dtype=np.int64)],
    [np.array([], dtype=np.int64), np.array([0, 49])],
    [np.array([0, 3, 20, 49]), np.array([5, 6])],
    [np.arange(49), np.arange(49)],
]


@pytest.fixture
def random_model(model_of):
    """A function as `model_of`, whose biases are random too, in float64."""

    def build(layers, scale="log-deviation"):
        model, generator = model_of(layers, scale), torch.Generator().manual_seed(3)
        parameters = {name: value.double() for name, value in model.parameters.items()}
        for name in (name for name in parameters if name.endswith("bias")):
            parameters[name] += 0.3 * torch.randn(parameters[name].shape, generator=generator).to(parameters[name])
        return dataclasses.replace(model, parameters=parameters)

    return build


def sliced(parameters, removed):
    """The parameters of the smaller network."""
    parameters = dict(parameters)
    for level, units in enumerate(removed, start=1):
        outputs = {f"{network}{level}.{head}" for network in "qp" for head in ("mean", "scale")}
        inputs = {1: {"px.hidden1", "q2.hidden1"}, 2: {"p1.hidden1"}}[level]
        for name, value in parameters.items():
            layer, kind = name.rsplit(".", 1)
            kept = np.delete(np.arange(len(value)), units) if layer in inputs else slice(None)
            if layer in outputs:
                parameters[name] = value[..., np.delete(np.arange(value.shape[-1]), units)]
            elif kind == "weight":
                parameters[name] = value[kept]
    return parameters


def log_weights(model, parameters, x, noise):
    encoded = weights.encode(model.architecture, parameters, x)
    prior = plain.prior_density(model.architecture, parameters)
    fast = weights.log_weights(model.architecture, parameters, prior, encoded, noise)
    assert_close(fast, plain.log_weights(model.architecture, parameters, x, noise), atol=EXACT, rtol=0)
    return fast


def drawn(model, binary, device):
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(S, B, d, generator=generator).to(device).double() for d in model.architecture.latents]
    return torch.from_numpy(binary(B)).to(device).double(), noise


@MODELS
@pytest.mark.parametrize("removed", CHOICES)
def test_log_weights_are_those_of_a_smaller_network(random_model, binary, device, layers, scale, removed):
    model, removed = random_model(layers, scale), removed[:layers]
    x, noise = drawn(model, binary, device)
    found = log_weights(model, chopped.without(model.architecture, model.parameters, removed), x, noise)
    kept = [
        layer[..., np.delete(np.arange(layer.shape[-1]), units)] for layer, units in zip(noise, removed, strict=True)
    ]
    smaller = sliced(model.parameters, removed)
    for level, units in enumerate(removed, start=1):
        assert smaller[f"q{level}.mean.weight"].shape[-1] == model.architecture.latents[level - 1] - len(units)
    latents = tuple(layer.shape[-1] for layer in kept)
    small = dataclasses.replace(model, architecture=dataclasses.replace(model.architecture, latents=latents))
    assert_close(found, log_weights(small, smaller, x, kept), atol=EXACT, rtol=0)


@pytest.mark.parametrize("scale", ["log-deviation", "log-variance"])
def test_a_unit_that_always_has_one_value_may_be_held_there(random_model, binary, device, scale):
    """In the lower of two layers p follows q to it; without it, what the other networks make of it is lost."""
    model, removed = random_model(2, scale), [np.array([7]), NOTHING[0]]
    parameters = {name: value.clone() for name, value in model.parameters.items()}
    for network in ("q1", "p1"):
        for head, constant in (("mean", 1.7), ("scale", -14)):
            parameters[f"{network}.{head}.weight"][:, 7] = 0
            parameters[f"{network}.{head}.bias"][7] = constant
    x, noise = drawn(model, binary, device)
    expected = log_weights(model, parameters, x, noise)
    means = [np.full(units, 1.7) for units in model.architecture.latents]
    held, gone = (chopped.without(model.architecture, parameters, removed, *at) for at in ([means], []))
    assert_close(log_weights(model, held, x, noise), expected, atol=0.01, rtol=0)
    assert (log_weights(model, gone, x, noise) - expected).abs().max() > 1


def test_what_reads_held_units_has_their_part_in_its_bias(random_model):
    model, removed, random = random_model(2), CHOICES[2], np.random.default_rng(0)
    means = [random.normal(size=units) for units in model.architecture.latents]
    held = chopped.without(model.architecture, model.parameters, removed, means)
    for layer, level in (("px.hidden1", 0), ("q2.hidden1", 0), ("p1.hidden1", 1)):
        weight, bias = (model.parameters[f"{layer}.{kind}"].cpu().numpy() for kind in ("weight", "bias"))
        expected = bias + means[level][removed[level]] @ weight[removed[level]]
        np.testing.assert_allclose(held[f"{layer}.bias"].cpu(), expected, rtol=1e-12)


def test_the_model_itself_stays_as_it_is(random_model):
    model = random_model(2)
    before = {name: value.clone() for name, value in model.parameters.items()}
    changed = chopped.without(model.architecture, model.parameters, CHOICES[2])
    assert all(torch.equal(value, before[name]) for name, value in model.parameters.items())
    assert list(changed) == list(before)
    assert {name: value.shape for name, value in changed.items()} == {n: value.shape for n, value in before.items()}


def measured(model, x, removed, device, at=0.0, progress=lambda images: None):
    means = [np.full(units, at) for units in model.architecture.latents]
    return chopped.measure(model, x, np.arange(len(x)), removed, means, ChoppedSettings(samples=20), device, progress)


@pytest.mark.parametrize("layers", [1, 2])
def test_to_remove_nothing_changes_no_bit(model_of, binary, device, layers):
    model = model_of(layers)
    assert (
        chopped.without(model.architecture, model.parameters, NOTHING[:layers]) == model.parameters
    )  # the very tensors
    found = measured(model, binary(4), NOTHING[:layers], device)
    np.testing.assert_array_equal(found.chopped, found.whole)
    np.testing.assert_array_equal(found.held, found.whole)


def test_units_that_work_are_missed(random_model, binary, device):
    model = random_model(1)
    single = dataclasses.replace(model, parameters={name: value.float() for name, value in model.parameters.items()})
    done: list[int] = []
    found = measured(single, binary(4), [np.arange(30)], device, progress=done.append)
    assert (np.abs(found.chopped - found.whole) > 10 * SINGLE).all()
    np.testing.assert_array_equal(found.held, found.chopped)  # at 0
    assert sum(done) == 12  # each image three times
    elsewhere = measured(single, binary(4), [np.arange(30)], device, at=1.0)
    np.testing.assert_array_equal(elsewhere.chopped, found.chopped)
    assert (np.abs(elsewhere.held - found.held) > 10 * SINGLE).all()
