"""Adam against steps computed by hand, the textbook's optimiser, and the authors' update written out."""

import math

import numpy as np
import pytest
import torch

from iwae.study.protocol import PRESETS
from iwae.training.adam import adam_update, initial_second_moment, step_scalars

CODE, TEXT = PRESETS["authors-code"], PRESETS["paper-text"]


def run(protocol, gradients, rate=0.01, start=0.5):
    """The parameter after each step, from `start`, in float64."""
    parameter = torch.full((1,), start, dtype=torch.float64)
    first, second = torch.zeros_like(parameter), initial_second_moment(protocol, parameter)
    scalars = step_scalars(protocol, 1, np.full(len(gradients), rate)).double()
    path = []
    for gradient, scalar in zip(gradients, scalars, strict=True):
        adam_update(protocol, parameter, torch.full_like(parameter, gradient), first, second, scalar)
        path.append(parameter.item())
    return path


def test_the_text_is_the_textbook_s_adam():
    gradients = np.random.default_rng(0).normal(size=50)
    parameter = torch.nn.Parameter(torch.full((1,), 0.5, dtype=torch.float64))
    optimizer = torch.optim.Adam([parameter], lr=0.01, betas=(0.9, 0.999), eps=1e-4)
    expected = []
    for gradient in gradients:
        parameter.grad = torch.full((1,), gradient, dtype=torch.float64)
        optimizer.step()
        expected.append(parameter.item())
    # The step's scalars are float32: 1e-7 each.
    assert run(TEXT, gradients) == pytest.approx(expected, rel=2e-6)


def test_the_code_against_its_update_written_out():
    gradients = np.random.default_rng(1).normal(size=30)
    m, v, parameter, expected = 0.0, 1.0, 0.5, []
    for t, gradient in enumerate(gradients, start=1):
        alpha = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.99**t)
        parameter -= alpha * m / (math.sqrt(v) + 1e-4)
        m, v = 0.99 * m + 0.01 * gradient, 0.999 * v + 0.001 * gradient**2
        expected.append(parameter)
    assert run(CODE, gradients) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("adam_beta1", 0.9),
        ("adam_beta2", 0.99),
        ("adam_epsilon", 1e-2),
        ("adam_epsilon_place", "corrected"),
        ("adam_second_moment", "zeros"),
        ("adam_moments", "current"),
    ],
)
def test_each_field_changes_the_path(field, value):
    gradients = [1.0, -0.5, 0.25, 0.1]
    assert run(CODE.with_overrides({field: value}), gradients)[-1] != run(CODE, gradients)[-1]


def test_scalars_go_on_where_a_block_ended():
    whole = step_scalars(CODE, 1, np.full(20, 1e-3))
    parts = torch.cat([step_scalars(CODE, 1, np.full(7, 1e-3)), step_scalars(CODE, 8, np.full(13, 1e-3))])
    assert torch.equal(whole, parts)


def test_after_ten_million_steps_the_corrections_are_gone():
    assert step_scalars(CODE, 9_774_400, np.array([1e-4]))[0].tolist() == pytest.approx([1e-4, 1e-4])
