"""The bounds against their definitions, and the inequalities that hold sample by sample."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from iwae.bounds import (
    combined_bound,
    effective_sample_size,
    elbo,
    grouped_bound,
    importance_bound,
    mean_absolute_deviation,
    nested_bounds,
    selected_bound,
)

ROUNDING = 1e-9  # of sums of float64 numbers below 1000
SHAPES = st.tuples(st.sampled_from([1, 2, 6, 12]), st.integers(1, 5))


@st.composite
def log_weights(draw, shapes=SHAPES):
    samples, images = draw(shapes)
    values = st.floats(-900, 900)  # exp of them overflows float64 on one side and vanishes on the other
    rows = draw(st.lists(st.lists(values, min_size=images, max_size=images), min_size=samples, max_size=samples))
    return torch.tensor(rows, dtype=torch.float64)


def test_bounds_of_known_weights(device):
    w = torch.tensor([[1.0, 8.0], [3.0, 8.0], [2.0, 8.0]], dtype=torch.float64, device=device)
    log_w = w.log()
    assert_close(importance_bound(log_w), torch.tensor([math.log(2), math.log(8)], dtype=torch.float64, device=device))
    expected = torch.tensor([math.log(6) / 3, math.log(8)], dtype=torch.float64, device=device)
    assert_close(elbo(log_w), expected)
    sizes = torch.tensor([36 / 14, 3.0], dtype=torch.float64, device=device)
    assert_close(effective_sample_size(log_w), sizes)


@given(log_weights(st.tuples(st.sampled_from([8, 24]), st.integers(1, 5))))
def test_bounds_between_the_elbo_and_the_importance_bound(log_w):
    """CIWAE half way; MIWAE the ELBO with as many groups as samples, and never above L_k of all (Jensen)."""
    low, high, grouped = elbo(log_w), importance_bound(log_w), grouped_bound(log_w)
    assert_close(combined_bound(log_w) - low, high - combined_bound(log_w), atol=ROUNDING, rtol=0)
    assert (low <= grouped + ROUNDING).all() and (grouped <= high + ROUNDING).all()
    assert_close(grouped_bound(log_w[:8]), elbo(log_w[:8]), atol=ROUNDING, rtol=0)
    assert_close(grouped, nested_bounds(log_w, len(log_w) // 8).mean(0), atol=ROUNDING, rtol=0)
    with pytest.raises(ValueError, match="eight groups of 12 samples are impossible"):
        grouped_bound(torch.zeros(12, 1))


@given(log_weights())
def test_nested_bounds_reach_from_the_elbo_to_the_importance_bound(log_w):
    assert_close(nested_bounds(log_w, 1).mean(0), elbo(log_w), atol=ROUNDING, rtol=0)
    assert_close(nested_bounds(log_w, len(log_w)), importance_bound(log_w)[None], atol=ROUNDING, rtol=0)


def test_nested_bounds_are_those_of_consecutive_samples():
    log_w = torch.tensor([[1.0, 8.0], [3.0, 8.0], [2.0, 4.0], [6.0, 12.0]], dtype=torch.float64).log()
    expected = torch.tensor([[2.0, 8.0], [4.0, 8.0]], dtype=torch.float64).log()
    assert_close(nested_bounds(log_w, 2), expected)


@given(log_weights(st.tuples(st.just(12), st.integers(1, 5))), st.sampled_from([(1, 2), (2, 4), (2, 6), (3, 12)]))
def test_bound_rises_with_k_for_every_image(log_w, sizes):
    smaller, larger = sizes  # the larger groups are unions of the smaller ones, so Jensen holds without expectations
    assert (nested_bounds(log_w, smaller).mean(0) <= nested_bounds(log_w, larger).mean(0) + ROUNDING).all()


@given(log_weights(), st.floats(-500, 500))
def test_a_common_factor_shifts_bounds_and_leaves_sample_sizes_and_deviations(log_w, shift):
    assert_close(importance_bound(log_w + shift), importance_bound(log_w) + shift, atol=ROUNDING, rtol=0)
    assert_close(effective_sample_size(log_w + shift), effective_sample_size(log_w), atol=0, rtol=1e-9)
    assert_close(mean_absolute_deviation(log_w + shift), mean_absolute_deviation(log_w), atol=ROUNDING, rtol=0)


@given(log_weights())
def test_effective_sample_size_lies_between_one_and_k(log_w):
    size = effective_sample_size(log_w)
    assert (size >= 1 - ROUNDING).all()
    assert (size <= len(log_w) + ROUNDING).all()


def test_effective_sample_size_at_its_limits():
    equal = torch.full((5, 3), -700.0, dtype=torch.float64)
    assert_close(effective_sample_size(equal), torch.full((3,), 5.0, dtype=torch.float64))
    one = equal.clone()
    one[2] += 100
    assert_close(effective_sample_size(one), torch.ones(3, dtype=torch.float64))


@settings(deadline=None)
@given(log_weights())
def test_selected_bound_is_that_of_the_index(log_w):
    bounds = [elbo, importance_bound, effective_sample_size]
    for index, bound in enumerate(bounds):
        assert_close(selected_bound(bounds, log_w, torch.tensor(index)), bound(log_w))


def test_gradients_of_the_two_bounds_are_equal_and_softmax_weights():
    log_w = torch.randn(3, 5, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    (vae,) = torch.autograd.grad(elbo(log_w).sum(), log_w)
    (iwae,) = torch.autograd.grad(importance_bound(log_w).sum(), log_w)
    assert_close(vae, torch.full_like(vae, 1 / 3))
    assert_close(iwae, torch.softmax(log_w.detach(), 0))


def test_nested_bounds_refuse_a_k_that_does_not_divide():
    with pytest.raises(ValueError, match="4 does not divide the 6 samples"):
        nested_bounds(torch.zeros(6, 2), 4)


def test_deviation_of_known_estimates():
    estimates = torch.tensor([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]], dtype=torch.float64)
    assert_close(mean_absolute_deviation(estimates), torch.tensor([2.0, 0.0], dtype=torch.float64))  # of -2, -1, 3


def test_deviation_of_gaussian_log_weights():
    spread = torch.tensor([0.5, 2.0, 9.0], dtype=torch.float64)
    draws = torch.randn(200_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    log_w = spread * draws - spread.square() / 2  # log E w = 0
    found = mean_absolute_deviation(nested_bounds(log_w, 1))
    assert_close(found, spread * math.sqrt(2 / math.pi), atol=0, rtol=0.007)  # 4 errors of the mean of |draws|
    assert (found <= 2 + 2 * spread.square() / 2).all()  # the paper's appendix B, with log p - L_1 = spread^2 / 2


def test_deviation_from_few_groups_is_too_small_by_the_factor_told():
    groups, repetitions = 20, 50_000
    draws = torch.randn(groups, repetitions, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = mean_absolute_deviation(draws)
    expected = math.sqrt(2 / math.pi) * math.sqrt(1 - 1 / groups)
    assert abs(found.mean().item() - expected) < 4 * found.std().item() / repetitions**0.5
