"""Samples and reconstructions as grey levels."""

import numpy as np
import pytest
import torch

from iwae.evaluation import pictures
from iwae.models.model import reconstruct
from iwae.study.measurements import PicturesSettings


@pytest.mark.parametrize("layers", [1, 2])
def test_pictures(model_of, binary, device, layers):
    model, x = model_of(layers), binary(9)
    drawn = pictures.draw(model, x, PicturesSettings(samples=5, reconstructions=3), device)
    assert [value.shape for value in drawn] == [(5, 784), (3, 784), (3, 784)]
    assert {value.dtype for value in drawn} == {np.dtype(np.uint8)}
    np.testing.assert_array_equal(drawn.inputs, 255 * x[:3])
    means = reconstruct(model.architecture, model.parameters, torch.from_numpy(x[:3]).to(device).float()).cpu().numpy()
    assert np.abs(drawn.reconstructions / 255 - means).max() <= 0.5 / 255 + 1e-6
    assert len(np.unique(drawn.samples, axis=0)) == 5


def test_seed_decides_the_samples(model_of, binary, device):
    def samples(seed):
        return pictures.draw(model_of(1), binary(2), PicturesSettings(samples=4, seed=seed), device).samples

    np.testing.assert_array_equal(samples(0), samples(0))
    assert (samples(0) != samples(1)).any()
