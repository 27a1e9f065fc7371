"""The errors of effects: over images, shared or not, all or some of them, over their binarization, and over seeds."""

from dataclasses import replace

import numpy as np
import pytest

from iwae.reporting.claims.evidence import Contrast, Evidence
from iwae.reporting.quantities import Measured, Sample
from iwae.reporting.reference import paper_kinds
from iwae.reporting.statistics import Region
from iwae.reporting.study import Kind

IWAE_5 = Kind("mnist", 1, "iwae", 5, 0)
BEST = Kind("mnist", 2, "iwae", 50, 0)


def test_images_that_models_share_are_paired(make):
    made = make()
    contrast = Contrast("", "nll", {IWAE_5: 1.0, BEST: -1.0}, Region(low=0.0))
    evidence = Evidence(made.study, {})
    paired = evidence.find(contrast)
    assert paired.sum.se_images == pytest.approx((2 * 0.5**2 / 3 / made.images) ** 0.5, rel=0.2)
    for seed in range(3):
        name = "nll", replace(BEST, seed=seed).name
        value, (sample,), *_ = made.values[name]
        made.values[name] = Measured(value, (sample._replace(indices=sample.indices + made.images),))
    made.study.known.clear()
    apart = Evidence(made.study, {}).find(contrast)
    assert apart.sum.value == paired.sum.value
    assert apart.sum.se_images == pytest.approx((2 * 24**2 / made.images) ** 0.5, rel=0.2)


def test_the_images_add_no_error_where_the_paper_has_the_same(make):
    made = make()
    contrast = Contrast("", "nll", {IWAE_5: 1.0}, Region(85.0, 86.0), realised=True)
    found = {
        whole: Evidence(made.study, {"mnist": {"test": whole}}).find(contrast)
        for whole in (made.images, 2 * made.images)
    }
    assert {finding.sum.se_images for finding in found.values()} == {found[made.images].sum.se_images}
    assert found[made.images].estimate.se < 0.05
    assert found[2 * made.images].estimate.se == pytest.approx(found[made.images].sum.se_images / 2**0.5, rel=0.01)


def test_the_binarization_adds_its_error_where_the_paper_has_other_bits(make):
    made = make()
    contrast = Contrast("", "nll", {IWAE_5: 1.0}, Region(85.0, 86.0), realised=True)
    given, drawn = (
        Evidence(made.study, {"mnist": {"test": made.images}}, {"mnist": spread}).find(contrast)
        for spread in (0.0, 6.0)
    )
    assert drawn.estimate.se**2 - given.estimate.se**2 == pytest.approx(6**2 / made.images)
    assert drawn.sum.se_images == given.sum.se_images  # that of the images alone
    # Between models, measured on the same bits, there is none.
    paired = Contrast("", "nll", {IWAE_5: 1.0, BEST: -1.0}, Region(low=0.0))
    found = [Evidence(made.study, {}, {"mnist": spread}).find(paired).estimate.se for spread in (0.0, 6.0)]
    assert found[0] == found[1]


def sample(split, images, variance):
    """Values of images, with the sum 0, whose mean has this variance."""
    values = np.resize([1.0, -1.0], images)
    return Sample(split, np.arange(images), values * (variance * (images - 1)) ** 0.5)


def test_the_binarization_of_both_splits_enters_their_gap(make):
    made = make()
    samples = (sample("test", 100, 0.5), sample("train", 50, 0.5))
    for model in made.study.models:
        made.values["generalization_gap", model.spec.name] = Measured(0.7 + 0.01 * model.spec.seed, samples)
    contrast = Contrast("", "generalization_gap", {IWAE_5: 1.0}, Region(0.5, 0.9), realised=True)
    whole = {"mnist": {"test": 100, "train": 200}}
    given, drawn = (Evidence(made.study, whole, {"mnist": spread}).find(contrast) for spread in (0.0, 6.0))
    assert drawn.estimate.se**2 - given.estimate.se**2 == pytest.approx(6**2 / 100 + 6**2 / 200)
    # All test images were measured, and a quarter of those for training; our three seeds and the paper's one.
    assert given.estimate.se**2 == pytest.approx(0.75 * 0.5 + 0.01**2 * (1 / 3 + 1))


def test_a_mean_over_models_of_gaps_is_paired_within_a_split(make):
    """What images have in common stays in the mean, what they are to one model alone is divided by their number."""
    made = make()
    kinds = [kind for kind in paper_kinds("mnist") if not kind.variation]
    common = {"test": made.random.normal(0, 5, 200), "train": made.random.normal(0, 5, 400)}
    for model in made.study.models:
        samples = [
            Sample(split, np.arange(len(each)), each + made.random.normal(0, 3, len(each)))
            for split, each in common.items()
        ]
        made.values["generalization_gap", model.spec.name] = Measured(0.7, tuple(samples))
    mean = Contrast("", "generalization_gap", dict.fromkeys(kinds, 0.1), Region(0.5, 0.9))
    found = Evidence(made.study, {}).find(mean)
    rest = 3**2 / 30  # ten kinds, three seeds
    assert found.sum.se_images**2 == pytest.approx((5**2 + rest) / 200 + (5**2 + rest) / 400, rel=0.15)
    # All are binarized at once, so a mean over models has the whole error of it, and a difference none.
    drawn = Evidence(made.study, {}, {"mnist": 6.0}).find(mean._replace(realised=True))
    given = Evidence(made.study, {}, {}).find(mean._replace(realised=True))
    assert drawn.estimate.se**2 - given.estimate.se**2 == pytest.approx(6**2 / 200 + 6**2 / 400)


def test_gaps_on_two_data_sets_are_independent(make):
    fixed = replace(IWAE_5, dataset="mnist-fixed")
    made = make(more=[fixed])
    values = {"mnist": (sample("test", 100, 0.1), sample("train", 50, 0.2)), "mnist-fixed": (sample("test", 100, 0.4),)}
    for model in made.study.models:
        made.values["generalization_gap", model.spec.name] = Measured(0.7, values[model.spec.dataset])
    contrast = Contrast("", "generalization_gap", {fixed: 1.0, IWAE_5: -1.0}, Region(low=0.0))
    assert Evidence(made.study, {}).find(contrast).sum.se_images ** 2 == pytest.approx(0.1 + 0.2 + 0.4)


def test_two_binarizations_of_the_same_images_are_paired(make):
    static = replace(IWAE_5, dataset="mnist-static")
    made = make(more=[static])
    grey, bits = (
        made.random.normal(0, 20, 100),
        {name: made.random.normal(0, 2, 100) for name in ("mnist", "mnist-static")},
    )
    for model in made.study.models:
        values = grey + bits[model.spec.dataset]
        made.values["nll", model.spec.name] = Measured(values.mean(), (Sample("test", np.arange(100), values),))
    found = Evidence(made.study, {}).find(Contrast("", "nll", {static: 1.0, IWAE_5: -1.0}, Region(low=0.0)))
    assert found.sum.se_images == pytest.approx((2 * 2**2 / 100) ** 0.5, rel=0.2)


def test_the_papers_seed_counts_where_its_numbers_are_realised(make):
    made = make(spread=0.3)
    contrast = Contrast("", "active_1", {IWAE_5: 1.0}, Region(20.0, 24.0))
    bound, realised = (made.evidence().find(contrast._replace(realised=each)).estimate for each in (False, True))
    assert realised.se**2 == pytest.approx(4 * bound.se**2)  # 1/3 + 1 instead of 1/3
    assert (realised.dof, realised.value) == (bound.dof, bound.value)


def test_of_other_quantities_the_error_over_images_is_whole(make):
    made = make()
    for model in made.study.models:
        made.values["chopped_change", model.spec.name] = Measured(0.01, (sample("test", made.images, 0.04),))
    contrast = Contrast("", "chopped_change", {IWAE_5: 1.0}, Region(-0.1, 0.1), realised=True)
    found = made.evidence(binarization={"mnist": 7.2}).find(contrast)
    assert found.sum.se_images == pytest.approx(0.2) and 0.2 < found.estimate.se < 0.21


def test_models_with_two_layers_do_not_widen_the_error_of_those_with_one(make):
    """Unless none of these has two seeds: then the spread is theirs."""
    made = make(spread=0.02)
    for model in made.study.models:
        if model.spec.layers == 2:
            made.values["active_1", model.spec.name] = Measured(20.0 + 10 * model.spec.seed)
    contrast = Contrast("", "active_1", {IWAE_5: 1.0}, Region(high=50.0))
    assert Evidence(made.study, {}).find(contrast).estimate.se < 0.5
    fewer = [model for model in made.study.models if model.spec.layers == 2 or model.spec.seed == 0]
    study = replace(made.study, models=tuple(fewer), specs=tuple(model.spec for model in fewer))
    assert Evidence(study, {}).find(contrast).estimate.se == pytest.approx(10)


def test_counts_that_agree_in_all_seeds_keep_the_error_of_rounding(make):
    made = make(spread=0.0)
    contrast = Contrast("", "active_2", {BEST: 1.0}, Region(high=10.0))
    assert Evidence(made.study, {}).find(contrast).estimate.se == pytest.approx((1 / 12 / 3) ** 0.5)
