"""Binary images as tensors: what they are, and that every measurement refuses others."""

import numpy as np
import pytest
import torch

from iwae.evaluation import activity, annealed, likelihood, surgery
from iwae.evaluation.pixels import as_tensor
from iwae.study.measurements import ActivitySettings, AnnealedSettings, LikelihoodSettings, SurgerySettings

MEASUREMENTS = {
    "likelihood": lambda model, x, device: likelihood.evaluate(
        model, x, np.arange(len(x)), LikelihoodSettings(samples=2), "test", device
    ),
    "activity": lambda model, x, device: activity.measure(model, x, ActivitySettings(samples=2), device),
    "surgery": lambda model, x, device: surgery.measure(model, x, SurgerySettings(samples=2), device),
    "annealed": lambda model, x, device: annealed.estimate(model, x, range(len(x)), AnnealedSettings(), device),
}


@pytest.mark.parametrize("kind", [np.uint8, np.bool_, np.float32])
def test_zeros_and_ones_of_any_type_are_numbers(kind, device):
    found = as_tensor(np.eye(3, dtype=kind), device)
    assert found.dtype == torch.float32 and torch.equal(found, torch.eye(3, device=device))


@pytest.mark.parametrize("value", [255, 0.5, -1, np.nan])
def test_pixels_that_are_neither_0_nor_1_are_refused(value, device, refused):
    expected = f"pixels of {value:g} are impossible: images must be binary, of 0 and 1."
    assert refused(as_tensor, np.array([[0, 1, value]], np.float32), device) == expected


@pytest.mark.parametrize("measure", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_every_measurement_refuses_such_pixels(measure, model_of, binary, device, refused):
    expected = "pixels of 255 are impossible: images must be binary, of 0 and 1."
    assert refused(measure, model_of(1), 255 * binary(3), device) == expected
