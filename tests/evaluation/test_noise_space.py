"""Log weights as a function of noise: those of the model, with the right gradient."""

import pytest
import torch
from torch.testing import assert_close

from iwae.evaluation.noise_space import batches, log_weights_at
from iwae.models.model import log_weights

C, B = 3, 5


@pytest.mark.parametrize("layers", [1, 2])
def test_log_weights_and_their_gradient_are_the_models(layers, model_of, doubled, binary, device):
    model, x = doubled(model_of(layers)), binary(B)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(C, B, sum(model.architecture.latents), generator=generator, dtype=torch.float64).to(device)
    found, gradient = log_weights_at(model, 0, device)(x)(noise)

    def plain(noise):
        images = torch.from_numpy(x).to(device).double()
        return log_weights(model.architecture, model.parameters, images, noise.split(model.architecture.latents, -1))

    assert_close(found, plain(noise))
    noise.requires_grad_()
    assert_close(gradient, torch.autograd.grad(plain(noise).sum(), noise)[0])


def test_batches_have_one_size_and_every_image_once():
    found = list(batches(7, 3))
    assert [len(some) for some, _ in found] == [3, 3, 3]
    assert [image for some, new in found for image in some[:new]] == list(range(7))
    assert [list(some) for some, _ in batches(2, 3)] == [[0, 1]]
