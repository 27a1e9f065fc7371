"""Verdicts on studies with known effects: whole, cut, of one seed, incomplete, and with too large errors."""

import re
from dataclasses import replace

import numpy as np
import pytest

from iwae.reporting import quantities
from iwae.reporting.claims.content import evidence
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.claims.rules import FAMILIES
from iwae.reporting.claims.verdicts import (
    CUT,
    FEW_SEEDS,
    NOT_RUN,
    REFUTED,
    REPRODUCED,
    RUN_IN_PART,
    UNDECIDED,
    UNREAD,
    WIDE,
    judge,
)
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.reference import paper_kinds, paper_row
from iwae.reporting.statistics import LEVEL
from iwae.reporting.study import Kind

MNIST = (
    "iwae-gains-mnist",
    "vae-gains-little-mnist",
    "two-layers-mnist",
    "iwae-uses-more-units-mnist",
    "few-units-above-mnist",
    "units-far-below-total-mnist",
    "two-modes-mnist",
    "inactive-units-mnist",
    "generalization-gap-mnist",
    "continued-as-iwae-mnist",
    "continued-as-vae-mnist",
)
IWAE_5 = Kind("mnist", 1, "iwae", 5, 0)
BEST = Kind("mnist", 2, "iwae", 50, 0)


def test_a_study_with_the_papers_values_reproduces_everything(make):
    values = [
        claim.id for claim in read_claims().claims if claim.id.startswith(("nll-mnist-l", "active-units-mnist-l"))
    ]
    verdicts = make().judged(*values, *MNIST)
    assert {verdict.claim.id: verdict.verdict for verdict in verdicts if verdict.verdict != REPRODUCED} == {}
    assert all(verdict.p <= verdict.adjusted <= LEVEL and not verdict.why for verdict in verdicts)
    assert len(values) == 24  # ten models of Table 1 and the two of Table 2, in nll and in units


def test_a_value_off_by_a_nat_is_not_reproduced_and_spoils_no_other(make):
    made = make(changes={("nll", BEST): 1.0})
    off, right = made.judged("nll-mnist-l2-iwae-k50", "nll-mnist-l2-iwae-k5")
    assert (off.verdict, right.verdict) == (REFUTED, REPRODUCED)
    assert re.match(r"nll: 83\.9\d nats \(83\.\d\d to .* the paper's 82\.90, margin 0\.6$", evidence(off))
    (finding,) = off.findings
    assert finding.sum.value == pytest.approx(paper_row(Kind("mnist", 2, "iwae", 50, 0)).nll + 1, abs=0.1)
    assert finding.contrast.paper == 82.90 and finding.points is False


def test_a_reversed_order_is_not_reproduced(make):
    gap = paper_row(Kind("mnist", 1, "iwae", 5, 0)).nll - paper_row(Kind("mnist", 1, "vae", 1, 0)).nll
    (verdict,) = make(changes={("nll", IWAE_5): -gap + 0.5}).judged("iwae-gains-mnist")
    assert verdict.verdict == REFUTED
    assert [finding.points for finding in verdict.findings] == [False, True, True, True]


def test_a_cut_schedule_leaves_a_claim_undecided_but_shows_the_values(make):
    (verdict,) = make(stages=5).judged("two-layers-mnist")
    assert (verdict.verdict, verdict.why, verdict.p) == (UNDECIDED, (CUT,), None)
    assert any("cut after 5 of 8 stages" in note for note in verdict.notes)
    assert all(finding.points and min(finding.sum.se_images, finding.sum.sd_seeds) > 0 for finding in verdict.findings)
    assert "chance of 80%" in verdict.power


def test_one_seed_leaves_a_claim_undecided_with_the_paired_effect(make):
    (verdict,) = make(seeds=1).judged("iwae-uses-more-units-mnist")
    assert verdict.why == (FEW_SEEDS,) and "no model has two seeds" in verdict.power
    (verdict,) = make(seeds=1).judged("two-layers-mnist")
    assert verdict.why == (FEW_SEEDS,)
    for finding in verdict.findings:
        assert finding.sum.value / finding.sum.se_images > 5 and np.isnan(finding.sum.sd_seeds)


def test_what_was_not_run_is_named(make):
    partly, not_at_all = make(without=[BEST]).judged("two-layers-mnist", "two-layers-omniglot")
    assert (partly.why, not_at_all.why) == ((RUN_IN_PART,), (NOT_RUN,))
    assert evidence(partly) == "4 of 4 effects lie where the claim says; 1 effect not run" and not evidence(not_at_all)
    assert partly.notes == ("Not in this study: mnist/l2-iwae-k50.",)
    assert [finding.points for finding in partly.findings].count(None) == 1
    assert not_at_all.power == "Power: unknown, since no seed was measured of all models."


def test_models_without_a_seed_in_common_decide_nothing(make):
    made = make(seeds=2)
    kept = [model for model in made.study.models if (model.spec.layers == 1) == (model.spec.seed == 0)]
    made.study = replace(made.study, models=tuple(kept), known={})
    (verdict,) = made.judged("two-layers-mnist")
    assert verdict.why == (FEW_SEEDS,) and verdict.notes == ()


def test_a_large_spread_leaves_a_claim_undecided_with_its_power(make):
    (verdict,) = make(spread=2.0).judged("nll-mnist-l1-vae-k1")
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (WIDE,))
    assert verdict.p > LEVEL and verdict.power.startswith("Power: for 'nll' (standard error ")
    assert "half-width" in verdict.power and "a chance of 80%" in verdict.power


def test_p_values_are_corrected_for_the_number_of_claims_of_their_family(make):
    made = make(spread=0.15)
    (alone,) = made.judged("nll-mnist-l1-vae-k1")
    among = made.judged("nll-mnist-l1-vae-k1", "nll-mnist-l1-vae-k5", *MNIST, "two-layers-omniglot")
    assert alone.adjusted == alone.p == among[0].p
    assert max(verdict.adjusted / verdict.p for verdict in among[:2]) > 1 and among[-1].p is None
    families = [[verdict for verdict in among[:-1] if verdict.claim.family == name] for name in FAMILIES]
    assert {verdict.claim.id for verdict in families[0]} == {
        "nll-mnist-l1-vae-k1",
        "nll-mnist-l1-vae-k5",
        "generalization-gap-mnist",
    }
    for verdicts in families:
        raw, adjusted = zip(*((verdict.p, verdict.adjusted) for verdict in verdicts), strict=True)
        assert min(adjusted) == pytest.approx(min(1.0, len(raw) * min(raw)))


@pytest.mark.parametrize(("names", "level"), [(("active-units-mnist-l1-vae-k1",), "0.025"), (MNIST[:3], "0.05")])
def test_power_is_at_the_level_of_the_family(make, names, level):
    (verdict, *_) = make(spread=4.0).judged("nll-mnist-l1-vae-k1", *names)
    assert f"at the level {level} is" in verdict.power


def test_a_gain_of_the_iwae_that_is_not_considerable_is_seen(make):
    gain = paper_row(Kind("mnist", 1, "vae", 1, 0)).nll - paper_row(Kind("mnist", 1, "iwae", 5, 0)).nll
    for left, verdict in ((0.2, REFUTED), (gain, REPRODUCED)):
        (found,) = make(changes={("nll", IWAE_5): gain - left}).judged("vae-gains-little-mnist")
        assert found.verdict == verdict
    assert [finding.contrast.label.startswith("gain of IWAE") for finding in found.findings] == [True, False, False] * 4


def test_a_vae_that_loses_is_not_one_that_gains_little(make):
    kind = Kind("mnist", 1, "vae", 50, 0)
    gain = paper_row(Kind("mnist", 1, "vae", 1, 0)).nll - paper_row(Kind("mnist", 1, "vae", 50, 0)).nll
    for loss, verdict in ((0.1, REPRODUCED), (0.6, REFUTED)):
        (found,) = make(changes={("nll", kind): gain + loss}).judged("vae-gains-little-mnist")
        assert found.verdict == verdict


def test_the_gap_is_judged_by_its_mean_over_models(make):
    for change, verdict in ((1.0, REPRODUCED), (6.0, REFUTED)):  # a tenth of it in the mean
        (found,) = make(changes={("generalization_gap", BEST): change}).judged("generalization-gap-mnist")
        assert found.verdict == verdict
        (finding,) = found.findings
        assert finding.sum.value == pytest.approx(0.7 + change / 10, abs=0.02)


def test_a_spread_that_is_taken_over_is_noted(make):
    claims = read_claims()
    evidence = make().evidence(binarization=claims.binarization, taken_over=claims.taken_over)
    sentence = "How far two binarizations of omniglot lie apart was not measured: "
    sentence += "that of mnist, 7.4 nats, is taken over."
    judged = judge([claim for claim in claims.claims if claim.dataset != "mnist"], evidence)
    noted = {verdict.claim.id for verdict in judged if sentence in verdict.notes}
    concerned = ("nll-omniglot", "generalization-gap-omniglot")
    assert noted == {claim.id for claim in claims.claims if claim.id.startswith(concerned)}
    (verdict,) = judge([claim for claim in claims.claims if claim.id == "generalization-gap-mnist"], evidence)
    assert verdict.notes == ()


def test_more_latent_units(make):
    wide = Kind("mnist", 1, "vae", 1, 0, "z100")
    # What the model of the paper's size has above the other.
    base = paper_row(Kind("mnist", 1, "vae", 1, 0)).active_1 - 20
    for extra, expected in ((-3.0, REPRODUCED), (6.0, REFUTED)):
        made = make(spread=0.3, more=[wide], changes={("active", wide): base + extra})
        (verdict,) = made.judged("capacity-mnist")
        assert verdict.verdict == expected
    (verdict,) = make().judged("capacity-mnist")
    assert verdict.why == (NOT_RUN,)


def test_fixed_binarization_is_held_against_the_other_data_set(make):
    made = make(more=list(paper_kinds("mnist-fixed")))
    gap, nll = made.judged("fixed-binarization-gap-mnist-fixed", "fixed-binarization-nll-mnist-fixed")
    assert gap.verdict == UNDECIDED  # no difference was made
    assert not any(np.isnan(finding.contrast.paper) for finding in nll.findings)
    # The two test sets are not the same images, so nothing is paired.
    assert min(finding.sum.se_images for finding in nll.findings) == pytest.approx(
        (2 * 24**2 / made.images) ** 0.5, rel=0.1
    )


def test_unreadable_evidence_is_said(make, monkeypatch):
    made = make()

    def broken(study, model):
        raise KeyError("activity")

    monkeypatch.setitem(quantities.QUANTITIES, "nll", QUANTITIES["nll"]._replace(read=broken))
    (verdict,) = made.judged("two-layers-mnist")
    assert verdict.why == (UNREAD,) and verdict.notes == ("KeyError: 'activity'",)
