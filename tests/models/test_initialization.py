"""Shapes and first values of the parameters."""

import numpy as np
import pytest
import torch

from iwae.errors import InputError
from iwae.models.architecture import Architecture
from iwae.models.initialization import initialize, output_bias
from iwae.study.protocol import Protocol


@pytest.mark.parametrize(("layers", "count"), [(1, 425_284), (2, 521_084)])
def test_number_of_parameters(layers, count, train):
    # Counted by hand from section 5 of the paper: 784-200-200-2*50 and back; 784-200-200-2*100-100-100-2*50 and back.
    parameters = initialize(Architecture.paper(layers), Protocol(), 0, train)
    assert sum(value.numel() for value in parameters.values()) == count


def test_glorot_limits_and_zero_biases(train):
    parameters = initialize(Architecture.paper(1), Protocol(), 0, train)
    limit = (6 / (784 + 200)) ** 0.5
    largest = parameters["q1.hidden1.weight"].abs().max()
    assert 0.999 * limit < largest <= limit
    assert not parameters["q1.hidden1.bias"].any()


def test_shared_initialization_starts_layers_of_one_shape_identically(train):
    shared = initialize(Architecture.paper(1), Protocol(), 0, train)
    assert torch.equal(shared["q1.mean.weight"], shared["q1.scale.weight"])
    assert torch.equal(shared["q1.hidden2.weight"], shared["px.hidden2.weight"])
    first = np.random.RandomState(123).uniform(-0.1, 0.1, size=1)[0] / 0.1 * (6 / (200 + 50)) ** 0.5
    assert shared["q1.mean.weight"][0, 0].item() == pytest.approx(first, rel=1e-6)  # of float32
    apart = initialize(Architecture.paper(1), Protocol(initialization="independent"), 0, train)
    assert not torch.equal(apart["q1.mean.weight"], apart["q1.scale.weight"])


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"training images \(2, 1024\) are impossible"):
        initialize(Architecture.paper(1), Protocol(), 0, np.zeros((2, 1024), np.uint8))


@pytest.mark.parametrize("kind", [np.uint8, np.float32, bool])
def test_binary_images_are_refused(kind):
    with pytest.raises(InputError, match=r"up to 1 are impossible: they must be uint8 of 0\.\.255, 255 times binary"):
        initialize(Architecture.paper(1), Protocol(), 0, np.ones((2, 784), kind))


def test_seeds_differ(train):
    zero, one = (initialize(Architecture.paper(1), Protocol(), seed, train)["px.hidden1.weight"] for seed in (0, 1))
    assert not torch.equal(zero, one)


def test_output_bias_is_the_clipped_logit_of_the_mean_image(train):
    grey = np.uint8([[0, 255, 0], [0, 255, 51]])  # the mean of the last is 0.1
    expected = [np.log(0.001 / 0.999), np.log(0.999 / 0.001), np.log(0.1 / 0.9)]
    np.testing.assert_allclose(output_bias(grey), expected, rtol=1e-6)
    zeros = initialize(Architecture.paper(1), Protocol(output_bias="zeros"), 0, train)
    assert not zeros["px.logits.bias"].any()
