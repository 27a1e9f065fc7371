"""The statistics of the verdicts, as functions of numbers: spread over seeds, tests, their correction, their power.

A claim says that an effect lies in a region, an open interval. It is tested from both sides: that the effect is inside,
and that it is outside. Exactly one of the two is false, whatever the effect.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from iwae.reporting.contrasts import Variance

LEVEL = 0.05  # the chance that any claim of a family is wrongly called reproduced, and likewise not reproduced
COVERAGE = 1 - 2 * LEVEL  # of intervals: one lies inside a region where one claim alone would be shown to
POWER = 0.8
UNEVEN = 0.001  # a test that errs so seldom leaves the pooled spread, and so the verdicts, alone where spreads are even
_POINTS = 2000  # of the distribution of an estimated standard error, in `power`


class Region(NamedTuple):
    """The open interval in which a claim says that an effect lies; infinite where it has no bound."""

    low: float = -np.inf
    high: float = np.inf

    def holds(self, value: float) -> bool | None:
        """Whether a value lies inside; None for NaN."""
        return None if np.isnan(value) else bool(self.low < value < self.high)

    def words(self, digits: int) -> str:
        """Where the effect lies: ``above 0``, ``86.51 to 87.01``."""
        low, high = (f"{end:.{digits}g}" for end in self)
        return f"below {high}" if self.low == -np.inf else f"above {low}" if self.high == np.inf else f"{low} to {high}"


class Estimate(NamedTuple):
    """An effect with its standard error and the degrees of freedom of that."""

    value: float
    se: float
    dof: float


def spread_over_seeds(kinds: Sequence[Sequence[float]]) -> Variance | None:
    """The variance of the values of each kind, one a seed, about their mean, pooled; None where no kind has two."""
    dof = sum(len(each) - 1 for each in kinds)
    if dof < 1:
        return None
    return Variance(sum(float(np.var(each)) * len(each) for each in kinds) / dof, dof)


def spreads_differ(kinds: Sequence[Sequence[float]], floor: float) -> bool:
    """Whether kinds differ in their variance over seeds by more than chance: Bartlett's test at the level `UNEVEN`.

    `floor` is what each variance is at least, that of rounding.
    """
    several = [each for each in kinds if len(each) > 1]
    if len(several) < 2:
        return False
    variances = np.maximum([np.var(each, ddof=1) for each in several], floor)
    dofs = np.array([len(each) - 1 for each in several])
    total = dofs.sum()
    statistic = total * np.log(dofs @ variances / total) - dofs @ np.log(variances)
    correction = 1 + (np.sum(1 / dofs) - 1 / total) / (3 * (len(several) - 1))
    return bool(stats.chi2.sf(statistic / correction, len(several) - 1) < UNEVEN)


def interval(estimate: Estimate) -> tuple[float, float]:
    """The central t-interval of an effect, with the chance `COVERAGE` to hold it."""
    half = float(stats.t.isf(LEVEL, estimate.dof)) * estimate.se
    return estimate.value - half, estimate.value + half


def p_inside(estimate: Estimate, region: Region) -> float:
    """The p of the hypothesis that the effect is outside `region`: two one-sided t-tests, both of which must reject."""
    return max(_tail(estimate.value - region.low, estimate), _tail(region.high - estimate.value, estimate))


def p_outside(estimate: Estimate, region: Region) -> float:
    """The p of the hypothesis that the effect is inside `region`: one t-test at each finite bound, by Bonferroni."""
    sides = [_tail(region.low - estimate.value, estimate), _tail(estimate.value - region.high, estimate)]
    return min(1.0, min(sides) * max(1, np.isfinite(region).sum()))


def _tail(distance: float, estimate: Estimate) -> float:
    """The p of a t-test that an effect lies beyond a bound, at `distance` from it on the claimed side."""
    if np.isinf(distance):
        return float(distance < 0)
    if estimate.se == 0:
        return float(distance <= 0)
    return float(stats.t.sf(distance / estimate.se, estimate.dof))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: to reject those of at most 5% errs in 5% of families."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.arange(len(order), 0, -1) * np.array(p_values)[order]))
    return adjusted.tolist()


def power(below: float, above: float, dof: float, level: float) -> float:
    """The chance to show that an effect lies in its region by a t-test of this level at each bound.

    The bounds lie so many standard errors `below` and `above` the effect, infinitely many where there is none.
    """
    quantiles = (np.arange(_POINTS) + 0.5) / _POINTS
    needed = stats.t.isf(level, dof) * np.sqrt(stats.chi2.ppf(quantiles, dof) / dof)
    chance = stats.norm.cdf(above - needed) - stats.norm.cdf(needed - below)
    return float(np.clip(chance, 0, None).mean())


def detectable(se: float, dof: float, level: float, two_sided: bool) -> float:
    """The smallest distance from a bound at which an effect is shown to lie inside with a chance of 80%.

    If `two_sided` there is a bound on the other side too, at the same distance: then the result is half the width of
    the narrowest region that could be shown.
    """

    def lacking(distance: float) -> float:
        return power(distance, distance if two_sided else np.inf, dof, level) - POWER

    most = 1.0
    while lacking(most) < 0:
        most *= 2
    return se * brentq(lacking, 0.0, most)
