"""How often the 90% intervals hold the truth, simulated: models that spread differently, some of them of one seed."""

import numpy as np
import pytest

from iwae.reporting.statistics import COVERAGE, Estimate, interval, spread_over_seeds

STUDIES = 1500
TOLERANCE = 0.03  # some four standard errors of a share of 1500 studies, and what unequal spreads cost


def held(seeds, deviations, common=0.0):
    """The share of intervals of differences between two models, of no true difference, that hold zero.

    Args:
        seeds: How many of each model.
        deviations: Draws the standard deviation over seeds of each model.
        common: Standard deviation of what a seed adds to all models.
    """
    random, found = np.random.default_rng(0), []
    for _ in range(STUDIES):
        spread, shared = deviations(random), random.normal(0, common, max(seeds))
        values = [
            [shared[seed] + spread[model] * random.normal() for seed in range(number)]
            for model, number in enumerate(seeds)
        ]
        pooled = spread_over_seeds(values)
        one, other = random.choice(len(seeds), 2, replace=False)
        both = min(seeds[one], seeds[other])
        difference = np.mean([values[one][seed] - values[other][seed] for seed in range(both)])
        low, high = interval(Estimate(difference, (2 * pooled.value / both) ** 0.5, pooled.dof))
        found.append(low < 0 < high)
    return np.mean(found)


def unequal(factor, models=10):
    """Deviations that lie up to so many times apart, whichever model has which."""
    return lambda random: factor ** random.uniform(-0.5, 0.5, models)


@pytest.mark.parametrize("seeds", [[3] * 10, [3] * 6 + [1] * 4, [2, 2] + [1] * 8])
@pytest.mark.parametrize("factor", [1, 3])
def test_intervals_hold_what_they_promise_over_all_effects(seeds, factor):
    assert held(seeds, unequal(factor)) == pytest.approx(COVERAGE, abs=TOLERANCE)


def test_what_seeds_have_in_common_makes_intervals_too_wide_and_never_too_narrow():
    assert held([3] * 10, unequal(1), common=1.0) > COVERAGE + TOLERANCE


def test_intervals_are_too_narrow_if_just_the_models_of_one_seed_spread_more():
    def deviations(random):
        return np.array([1.0] * 6 + [2.0] * 4)

    share = held([3] * 6 + [1] * 4, deviations)
    assert 0.6 < share < COVERAGE - TOLERANCE
