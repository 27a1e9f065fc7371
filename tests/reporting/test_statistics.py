"""The statistics of verdicts against scipy, against hand computations, and in their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iwae.reporting.contrasts import Variance, add, spread_over_images
from iwae.reporting.quantities import Sample
from iwae.reporting.statistics import (
    Estimate,
    Region,
    detectable,
    holm,
    interval,
    p_inside,
    p_outside,
    power,
    spread_over_seeds,
    spreads_differ,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
ABOVE, BELOW = Region(low=0.0), Region(high=0.0)


def test_holm_against_a_hand_computation():
    # Ascending 0.005 (x 4), 0.01 (x 3), 0.03 (x 2), 0.04 (x 1, but not below the one before).
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


@given(P_VALUES)
def test_holm_lies_between_no_correction_and_bonferronis(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= min(1, len(p_values) * p) for p, q in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)


def test_two_kinds_give_the_unpaired_t_test():
    one, other = np.random.default_rng(1).normal(size=(2, 4))
    spread = spread_over_seeds([one, other])
    estimate = Estimate(float((one - other).mean()), (spread.value * 2 / 4) ** 0.5, spread.dof)
    expected = stats.ttest_ind(one, other, alternative="less").pvalue
    assert p_inside(estimate, BELOW) == pytest.approx(expected, rel=1e-9)
    assert p_outside(estimate, BELOW) == pytest.approx(1 - expected, rel=1e-9)


def test_one_kind_gives_the_t_test_of_one_sample():
    values = np.random.default_rng(2).normal(3, 1, 5)
    spread = spread_over_seeds([values])
    assert spread == pytest.approx((values.var(ddof=1), 4))


def test_kinds_may_lack_seeds():
    assert spread_over_seeds([[1.0, 2.0], [5.0]]) == pytest.approx((0.5, 1))
    assert spread_over_seeds([[1.0], [2.0]]) is None


def test_equivalence_is_two_one_sided_tests():
    estimate, margin = Estimate(0.1, 0.05, 7), 0.25
    each = stats.t.sf([(0.1 + margin) / 0.05, (margin - 0.1) / 0.05], 7)
    assert p_inside(estimate, Region(-margin, margin)) == pytest.approx(each.max())
    beyond = Estimate(0.5, 0.05, 7)
    assert p_outside(beyond, Region(-margin, margin)) == pytest.approx(2 * stats.t.sf(0.25 / 0.05, 7))
    assert p_inside(beyond, Region(-margin, margin)) > 0.99


@given(st.floats(-3, 3), st.floats(0.01, 2), st.integers(1, 30), st.floats(-2, 0), st.floats(0.1, 2))
def test_no_effect_is_shown_to_lie_both_inside_and_outside(value, se, dof, low, width):
    estimate = Estimate(value, se, dof)
    for region in (Region(low, low + width), Region(low=low), Region(high=low)):
        assert p_inside(estimate, region) + p_outside(estimate, region) >= 1 - 1e-9


def test_the_interval_lies_inside_where_one_claim_would_be_shown():
    low, high = interval(Estimate(0.1, 0.05, 7))
    assert [low, high] == pytest.approx(stats.t.interval(0.9, 7, 0.1, 0.05))
    assert p_inside(Estimate(0.1, 0.05, 7), Region(low, high)) == pytest.approx(0.05)


def test_images_are_paired_as_far_as_means_share_them():
    one, other = np.random.default_rng(5).normal(size=(2, 50)) + np.random.default_rng(6).normal(0, 5, 50)
    indices = np.arange(50)
    same = spread_over_images([(1.0, Sample("test", indices, one)), (-0.5, Sample("test", indices[::-1], other[::-1]))])
    assert same == pytest.approx(((one - 0.5 * other).var(ddof=1) / 50, 49))
    apart = spread_over_images([(1.0, Sample("test", indices, one)), (-0.5, Sample("test", indices + 50, other))])
    assert apart == pytest.approx(((one.var() + 0.25 * other.var()) / 50 * 100 / 99, 99))


def test_without_any_error_the_value_decides():
    region = Region(0.0, 1.0)
    assert (p_inside(Estimate(0.5, 0.0, 2), region), p_outside(Estimate(0.5, 0.0, 2), region)) == (0.0, 1.0)
    assert (p_inside(Estimate(1.5, 0.0, 2), region), p_outside(Estimate(1.5, 0.0, 2), region)) == (1.0, 0.0)


def test_variances_add_by_satterthwaite():
    assert add(Variance(2.0, 3)) == (2.0, 3)
    assert add(Variance(1.0, 4), Variance(1.0, 4)) == (2.0, 8)
    total = add(Variance(1.0, 2), Variance(3.0, 100))
    assert total == pytest.approx((4.0, 16 / (1 / 2 + 9 / 100)))
    assert add(Variance(0.0, 5), Variance(0.0, 3)) == (0.0, 3)


@pytest.mark.parametrize(("distance", "dof", "level"), [(3.0, 5, 0.05), (40.0, 2, 0.0005), (2.0, 200, 0.01)])
def test_power_of_a_one_sided_test_is_that_of_the_noncentral_t(distance, dof, level):
    expected = stats.nct.sf(stats.t.isf(level, dof), dof, distance)
    assert power(distance, np.inf, dof, level) == pytest.approx(expected, abs=1e-3)
    assert power(np.inf, distance, dof, level) == pytest.approx(expected, abs=1e-3)


def test_the_detectable_distance_has_a_power_of_80_percent():
    for two_sided in (False, True):
        distance = detectable(0.3, 6, 0.01, two_sided)
        assert power(distance / 0.3, distance / 0.3 if two_sided else np.inf, 6, 0.01) == pytest.approx(0.8, abs=1e-6)
    assert detectable(0.3, 6, 0.01, True) > detectable(0.3, 6, 0.01, False)
    # Many degrees of freedom: the normal quantiles.
    expected = stats.norm.isf(0.05) + stats.norm.isf(0.2)
    assert detectable(2.0, 1e6, 0.05, False) == pytest.approx(2 * expected, rel=1e-3)


def test_power_by_simulation_of_equivalence():
    generator = np.random.default_rng(4)
    margin, seeds, level = 0.25, 4, 0.05
    draws = generator.normal(0.05, 0.1, (20_000, seeds))
    mean, se = draws.mean(1), draws.std(1, ddof=1) / seeds**0.5
    needed = stats.t.isf(level, seeds - 1) * se
    shown = ((mean + margin > needed) & (margin - mean > needed)).mean()
    expected = power((0.05 + margin) / 0.05, (margin - 0.05) / 0.05, seeds - 1, level)
    assert shown == pytest.approx(expected, abs=0.01)


def test_spreads_of_kinds_that_differ_by_chance_are_seldom_told_apart():
    """Even for kinds with two or three seeds; spreads that lie a thousandfold apart are."""
    generator = np.random.default_rng(0)
    even = [[generator.normal(size=2 + kind % 2) for kind in range(5)] for _ in range(2000)]
    assert sum(spreads_differ(values, 0.0) for values in even) <= 10
    uneven = [[values[0] * 1000.0, *values[1:]] for values in even]
    assert sum(spreads_differ(values, 0.0) for values in uneven) > 0.9 * len(uneven)
    assert not any(spreads_differ(values, 1e6) for values in even)  # below rounding all are alike
