"""What the margins can show, and how often realised numbers are wrongly called not reproduced, by simulation.

A perfect replication differs from the paper by chance alone: by our three seeds and the paper's one for each model, and
by the binarization of the test images, which is another for the paper and the same for all models.
"""

import numpy as np
import pytest

from iwae.reporting.claims.evidence import Contrast, Evidence
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.contrasts import Variance, add
from iwae.reporting.quantities import Measured
from iwae.reporting.statistics import LEVEL, Estimate, Region, holm, p_inside, p_outside, power
from iwae.reporting.study import Kind

CLAIMS = read_claims()
VALUES = [claim for claim in CLAIMS.claims if claim.family == "values" and claim.dataset == "mnist"]
NLL, UNITS = ([claim for claim in VALUES if claim.id.startswith(name)] for name in ("nll", "active-units"))
SEEDS, SPREAD, POOLED = 3, 0.1, 10  # seeds, their standard deviation in nats, and models over which it is pooled
BITS = CLAIMS.binarization["mnist"] / CLAIMS.images["mnist"]["test"] ** 0.5


def replicated(generator: np.random.Generator, margin: float) -> list[float]:
    """p of the claims on nll of one perfect replication."""
    ours = generator.normal(0, SPREAD, (len(NLL), SEEDS))
    papers = generator.normal(0, SPREAD, len(NLL)) + generator.normal(0, BITS)
    spread = Variance(ours[:POOLED].var(axis=1, ddof=1).mean() * (1 / SEEDS + 1), POOLED * (SEEDS - 1))
    total = add(spread, Variance(BITS**2, CLAIMS.images["mnist"]["test"] - 1))
    estimates = [Estimate(value, total.value**0.5, total.dof) for value in ours.mean(axis=1) - papers]
    return [p_inside(estimate, Region(-margin, margin)) for estimate in estimates]


@pytest.mark.parametrize(("margin", "enough"), [(NLL[0].parameters["margin"], True), (0.5, False)])
def test_a_perfect_replication_of_nll_is_reproduced_with_a_good_chance(margin, enough):
    """Even if no other claim of the family is; 0.5 nats would not do."""
    generator, others = np.random.default_rng(0), [1.0] * (len(VALUES) - len(NLL))
    shown = [np.array(holm(replicated(generator, margin) + others)[: len(NLL)]) <= LEVEL for _ in range(400)]
    assert (len(NLL), len(VALUES)) == (12, 25)
    assert (np.mean(shown) >= 0.8) == enough


@pytest.mark.parametrize(("margin", "enough"), [(UNITS[0].parameters["margin"], True), (2, False)])
def test_active_units_are_shown_if_seeds_differ_by_half_a_unit(margin, enough):
    """In one layer, with no other claim of the family reproduced before it."""
    distance, pooled = margin / (0.5 * (1 / SEEDS + 1) ** 0.5), POOLED // 2  # models of as many layers
    assert (power(distance, distance, pooled * (SEEDS - 1), LEVEL / len(VALUES)) >= 0.78) == enough


@pytest.mark.parametrize("realised", [True, False])
def test_a_realised_number_is_seldom_called_not_reproduced_by_chance(make, realised):
    """The paper's model is a whole margin off, the most that still counts as equal; its number is of one seed."""
    made, generator, margin, wrong = make(), np.random.default_rng(1), 0.5, []
    kind = Kind("mnist", 1, "iwae", 5, 0)
    for _ in range(200):
        values = generator.normal(0, SPREAD, len(made.study.models))
        for model, value in zip(made.study.models, values, strict=True):
            made.values["nll", model.spec.name] = Measured(value)
        papers = margin + generator.normal(0, SPREAD)
        region = Region(papers - margin, papers + margin)
        found = Evidence(made.study, {}).find(Contrast("", "nll", {kind: 1.0}, region, realised=realised))
        wrong.append(p_outside(found.estimate, region) <= LEVEL)
    # Without the spread over the paper's seeds it would be far too often.
    assert (np.mean(wrong) <= LEVEL) == realised and (np.mean(wrong) > 0.1) != realised
