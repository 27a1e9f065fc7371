"""The fast form of softplus; `log_weights` as a whole is in test_likelihood, and in tests/models for every model."""

import pytest
import torch
from torch.nn.functional import softplus
from torch.testing import assert_close

from iwae.evaluation import weights


@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_softplus_sum(size, device):
    logits = size * torch.randn(3, 5, 784, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(device)
    assert_close(weights.softplus_sum(logits), softplus(logits).sum(-1), atol=1e-6, rtol=1e-12)


def test_softplus_sum_cannot_overflow():
    # At zero each factor is 2, the largest: 112 of them are 2^112, in float32's range.
    assert_close(weights.softplus_sum(torch.zeros(1, 784)), torch.full((1,), 784 * torch.tensor(2.0).log().item()))
