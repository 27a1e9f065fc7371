"""The errors of effects: over images, shared or not, all or some of them, over their binarization, and over seeds."""

import numpy as np
import pytest

from iwae.reporting.audit.evidence import Contrast, Evidence, Kind
from iwae.reporting.audit.quantities import Measured, Sample
from iwae.reporting.audit.statistics import Region

IWAE_5 = Kind("mnist", 1, "iwae", 5)
BEST = Kind("mnist", 2, "iwae", 50)


def test_images_that_models_share_are_paired(make):
    made = make()
    contrast = Contrast("", "nll", {IWAE_5: 1.0, BEST: -1.0}, Region(low=0.0))
    evidence = Evidence(made.study, {})
    paired = evidence.find(contrast)
    assert paired.se_images == pytest.approx((2 * 0.5**2 / 3 / made.images) ** 0.5, rel=0.2)
    for seed in range(3):
        name = "nll", made.spec(BEST, seed).name
        made.values[name] = made.values[name]._replace(indices=np.arange(made.images) + 1)
    apart = Evidence(made.study, {}).find(contrast)
    assert apart.value == paired.value
    assert apart.se_images == pytest.approx((2 * 24**2 / made.images) ** 0.5, rel=0.2)


def test_the_images_add_no_error_where_the_paper_has_the_same(make):
    made = make()
    contrast = Contrast("", "nll", {IWAE_5: 1.0}, Region(85.0, 86.0), same_images=True)
    found = {
        whole: Evidence(made.study, {"mnist": {"test": whole}}).find(contrast)
        for whole in (made.images, 2 * made.images)
    }
    assert {finding.se_images for finding in found.values()} == {found[made.images].se_images}
    assert found[made.images].estimate.se < 0.05
    assert found[2 * made.images].estimate.se == pytest.approx(found[made.images].se_images / 2**0.5, rel=0.01)


def test_the_binarization_adds_its_error_where_the_paper_has_other_bits(make):
    made = make()
    contrast = Contrast("", "nll", {IWAE_5: 1.0}, Region(85.0, 86.0), same_images=True)
    given, drawn = (
        Evidence(made.study, {"mnist": {"test": made.images}}, {"mnist": spread}).find(contrast)
        for spread in (0.0, 6.0)
    )
    assert drawn.estimate.se**2 - given.estimate.se**2 == pytest.approx(6**2 / made.images)
    assert drawn.se_images == given.se_images  # that of the images alone
    # Between models, measured on the same bits, there is none.
    paired = Contrast("", "nll", {IWAE_5: 1.0, BEST: -1.0}, Region(low=0.0))
    found = [Evidence(made.study, {}, {"mnist": spread}).find(paired).estimate.se for spread in (0.0, 6.0)]
    assert found[0] == found[1]


def test_the_binarization_of_both_splits_enters_their_gap(make):
    made = make()
    samples = (Sample("test", 100, 0.5), Sample("train", 50, 0.5))
    for model in made.study.models:
        made.values["generalization_gap", model.spec.name] = Measured(0.7 + 0.01 * model.spec.seed, samples)
    contrast = Contrast("", "generalization_gap", {IWAE_5: 1.0}, Region(0.5, 0.9), same_images=True)
    whole = {"mnist": {"test": 100, "train": 200}}
    given, drawn = (Evidence(made.study, whole, {"mnist": spread}).find(contrast) for spread in (0.0, 6.0))
    assert drawn.estimate.se**2 - given.estimate.se**2 == pytest.approx(6**2 / 100 + 6**2 / 200)
    # All test images were measured, and a quarter of those for training.
    assert given.estimate.se**2 == pytest.approx(0.75 * 0.5 + 0.01**2 / 3)


def test_of_other_quantities_the_error_over_images_is_whole(make):
    made = make()
    for model in made.study.models:
        made.values["chopped_change", model.spec.name] = Measured(0.01, (Sample("test", made.images, 0.04),))
    contrast = Contrast("", "chopped_change", {IWAE_5: 1.0}, Region(-0.1, 0.1), same_images=True)
    found = Evidence(made.study, {"mnist": {"test": made.images}}, {"mnist": 7.2}).find(contrast)
    assert found.se_images == pytest.approx(0.2) and 0.2 < found.estimate.se < 0.21


def test_counts_that_agree_in_all_seeds_keep_the_error_of_rounding(make):
    made = make(spread=0.0)
    contrast = Contrast("", "active_units_2", {BEST: 1.0}, Region(high=10.0))
    assert Evidence(made.study, {}).find(contrast).estimate.se == pytest.approx((1 / 12 / 3) ** 0.5)
