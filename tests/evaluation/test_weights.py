"""The fast form of the log weights against the plain one."""

import pytest
import torch
from torch.nn.functional import softplus
from torch.testing import assert_close

from iwae.evaluation import weights
from iwae.models import model as plain

S, B = 3, 5
SINGLE = 2e-3  # float32: rounding of sums over 784 pixels of some 1000 nats


@pytest.mark.parametrize("layers", [1, 2])
def test_fast_form_equals_the_plain_one_in_float32(model_of, binary, device, layers):
    model, generator = model_of(layers), torch.Generator().manual_seed(0)
    architecture, parameters, x = model.architecture, model.parameters, torch.from_numpy(binary(B)).to(device).float()
    noise = [torch.randn(S, B, d, generator=generator).to(device) for d in architecture.latents]
    prior, encoded = plain.prior_density(architecture, parameters), weights.encode(architecture, parameters, x)
    found = weights.log_weights(architecture, parameters, prior, encoded, noise)
    assert found.shape == (S, B)
    assert_close(found, plain.log_weights(architecture, parameters, x, noise), atol=SINGLE, rtol=0)


@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_softplus_sum(size, device):
    logits = size * torch.randn(S, B, 784, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(device)
    assert_close(weights.softplus_sum(logits), softplus(logits).sum(-1), atol=1e-6, rtol=1e-12)


def test_softplus_sum_cannot_overflow():
    # At zero each factor is 2, the largest: 112 of them are 2^112, in float32's range.
    assert_close(weights.softplus_sum(torch.zeros(1, 784)), torch.full((1,), 784 * torch.tensor(2.0).log().item()))
