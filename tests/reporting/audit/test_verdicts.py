"""Verdicts on studies with known effects: whole, cut, of one seed, incomplete, and with too large errors."""

import numpy as np
import pytest

from iwae.protocol import Protocol
from iwae.reporting.audit import evidence as evidences
from iwae.reporting.audit.claims import Claim, paper_kinds, read_claims
from iwae.reporting.audit.evidence import Contrast, Evidence, Kind
from iwae.reporting.audit.quantities import QUANTITIES, Measured, Sample
from iwae.reporting.audit.statistics import LEVEL, Region
from iwae.reporting.audit.verdicts import CUT, FEW_SEEDS, NOT_RUN, REFUTED, REPRODUCED, UNDECIDED, UNREAD, WIDE, judge
from iwae.reporting.reference import paper_row
from iwae.reporting.study import Model, Study
from iwae.settings import LikelihoodSettings, TrainingSettings
from iwae.specification import ModelSpec

CLAIMS = read_claims()
IMAGES = 300


def named(prefix: str) -> list[Claim]:
    return [claim for claim in CLAIMS.claims if claim.id.startswith(prefix)]


def only(name: str) -> Claim:
    (claim,) = (claim for claim in CLAIMS.claims if claim.id == name)
    return claim


class Made:
    """A study whose models have the paper's values, a spread over seeds, and changes of some kinds."""

    def __init__(self, monkeypatch, dataset="mnist", seeds=3, spread=0.02, stages=8, changes=(), without=(), more=()):
        self.random, self.spread, self.changes = np.random.default_rng(0), spread, dict(changes)
        self.common = self.random.normal(0, 24, IMAGES)
        self.common -= self.common.mean()
        self.values: dict[tuple[str, str], Measured] = {}
        kinds = [kind for kind in paper_kinds(dataset) if kind not in without]
        specs = [self.spec(kind, seed) for kind in [*kinds, *more] for seed in range(seeds)]
        self.study = Study(None, None, tuple(self.model(spec, stages) for spec in specs))
        for quantity in QUANTITIES:
            read = QUANTITIES[quantity]._replace(read=self.reader(quantity))
            monkeypatch.setitem(evidences.QUANTITIES, quantity, read)

    @staticmethod
    def spec(kind: Kind, seed: int) -> ModelSpec:
        return ModelSpec(kind.dataset, kind.layers, kind.objective, kind.k, seed, kind.variation)

    @staticmethod
    def model(spec: ModelSpec, stages: int) -> Model:
        model = Model(spec, None)
        training = TrainingSettings(Protocol(), stages=stages).as_dict()
        sections = {"training": training, "likelihood": LikelihoodSettings().as_dict()}
        sections["chopped"] = sections["likelihood"]
        model.__dict__["manifest"] = {name: {"settings": settings} for name, settings in sections.items()}
        return model

    def reader(self, quantity):
        def read(study, model):
            key = quantity, model.spec.name
            if key not in self.values:
                self.values[key] = self.measured(quantity, model.spec)
            return self.values[key]

        return read

    def measured(self, quantity: str, spec: ModelSpec) -> Measured | None:
        kind = Kind(spec.dataset, spec.layers, spec.objective, spec.k, spec.variation)
        row = paper_row(*kind[:2], kind.k, kind.objective, kind.variation)
        change = self.changes.get((quantity, kind), 0.0) + self.spread * self.random.normal()
        if quantity == "nll":
            noise = self.random.normal(0, 0.5, IMAGES)
            each = (100.0 if row is None else row.nll) + change + self.common + noise - noise.mean()
            sample = Sample("test", IMAGES, each.var(ddof=1) / IMAGES)
            return Measured(each.mean(), (sample,), np.arange(IMAGES), each)
        units = [20.0 if row is None else float(row[f"active_{layer}"]) for layer in range(1, spec.layers + 1)]
        found = {"active_units": sum(units), "active_share": 0.2, "share_between_modes": 0.02, "chopped_change": 0.01}
        found |= {f"active_units_{layer}": count for layer, count in enumerate(units, start=1)}
        found["generalization_gap"] = 0.7
        return Measured(found[quantity] + change) if quantity in found else None

    def judged(self, *names):
        whole = {"mnist": {"test": IMAGES, "train": IMAGES}}
        return judge([only(name) for name in names], Evidence(self.study, whole))


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
IWAE_5 = Kind("mnist", 1, "iwae", 5)
BEST = Kind("mnist", 2, "iwae", 50)


def test_a_study_with_the_papers_values_reproduces_everything(monkeypatch):
    values = [claim.id for prefix in ("nll-mnist-l", "active-units-mnist-l") for claim in named(prefix)]
    verdicts = Made(monkeypatch).judged(*values, *MNIST)
    assert {verdict.claim.id: verdict.verdict for verdict in verdicts if verdict.verdict != REPRODUCED} == {}
    assert all(verdict.p <= verdict.adjusted <= LEVEL and not verdict.why for verdict in verdicts)
    assert len(values) == 24  # ten models of Table 1 and the two of Table 2, in nll and in units


def test_a_value_off_by_a_nat_is_not_reproduced_and_spoils_no_other(monkeypatch):
    made = Made(monkeypatch, changes={("nll", BEST): 1.0})
    off, right = made.judged("nll-mnist-l2-iwae-k50", "nll-mnist-l2-iwae-k5")
    assert (off.verdict, right.verdict) == (REFUTED, REPRODUCED)
    (finding,) = off.findings
    assert finding.value == pytest.approx(paper_row("mnist", 2, 50, "iwae").nll + 1, abs=0.1)
    assert finding.contrast.paper == 82.90 and finding.points is False


def test_a_reversed_order_is_not_reproduced(monkeypatch):
    gap = paper_row("mnist", 1, 5, "iwae").nll - paper_row("mnist", 1, 1, "vae").nll
    (verdict,) = Made(monkeypatch, changes={("nll", IWAE_5): -gap + 0.5}).judged("iwae-gains-mnist")
    assert verdict.verdict == REFUTED
    assert [finding.points for finding in verdict.findings] == [False, True, True, True]


def test_a_cut_schedule_leaves_a_claim_undecided_but_shows_the_values(monkeypatch):
    (verdict,) = Made(monkeypatch, stages=5).judged("two-layers-mnist")
    assert (verdict.verdict, verdict.why, verdict.p) == (UNDECIDED, (CUT,), None)
    assert any("cut after 5 of 8 stages" in note for note in verdict.notes)
    assert all(finding.points and finding.se_images > 0 and finding.sd_seeds > 0 for finding in verdict.findings)
    assert "chance of 80%" in verdict.power


def test_one_seed_leaves_a_claim_undecided_with_the_paired_effect(monkeypatch):
    (verdict,) = Made(monkeypatch, seeds=1).judged("iwae-uses-more-units-mnist")
    assert verdict.why == (FEW_SEEDS,) and "one seed says nothing" in verdict.power
    (verdict,) = Made(monkeypatch, seeds=1).judged("two-layers-mnist")
    assert verdict.why == (FEW_SEEDS,)
    for finding in verdict.findings:
        assert finding.value / finding.se_images > 5 and np.isnan(finding.sd_seeds)


def test_what_was_not_run_is_named(monkeypatch):
    partly, not_at_all = Made(monkeypatch, without=[BEST]).judged("two-layers-mnist", "two-layers-omniglot")
    assert partly.why == not_at_all.why == (NOT_RUN,)
    assert partly.notes == ("Not in this study: mnist/l2-iwae-k50.",)
    assert [finding.points for finding in partly.findings].count(None) == 1
    assert not_at_all.power == "Power: unknown, since no seed was measured of all models."


def test_models_without_a_seed_in_common_decide_nothing(monkeypatch):
    made = Made(monkeypatch, seeds=2)
    kept = [model for model in made.study.models if (model.spec.layers == 1) == (model.spec.seed == 0)]
    made.study = Study(None, None, tuple(kept))
    (verdict,) = made.judged("two-layers-mnist")
    assert verdict.why == (FEW_SEEDS,) and verdict.notes == ()


def test_a_large_spread_leaves_a_claim_undecided_with_its_power(monkeypatch):
    (verdict,) = Made(monkeypatch, spread=2.0).judged("nll-mnist-l1-vae-k1")
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (WIDE,))
    assert verdict.p > LEVEL and verdict.power.startswith("Power: for 'nll' (standard error ")
    assert "half-width" in verdict.power and "a chance of 80%" in verdict.power


def test_p_values_are_corrected_for_the_number_of_claims(monkeypatch):
    made = Made(monkeypatch, spread=0.15)
    (alone,) = made.judged("nll-mnist-l1-vae-k1")
    among = made.judged("nll-mnist-l1-vae-k1", *MNIST, "two-layers-omniglot")
    assert alone.adjusted == alone.p == among[0].p
    assert among[0].adjusted > among[0].p and among[-1].p is None
    raw, adjusted = zip(*((verdict.p, verdict.adjusted) for verdict in among[:-1]), strict=True)
    assert min(adjusted) == pytest.approx(min(1.0, len(raw) * min(raw)))


def test_images_that_models_share_are_paired(monkeypatch):
    made = Made(monkeypatch)
    contrast = Contrast("", "nll", {IWAE_5: 1.0, BEST: -1.0}, Region(low=0.0))
    evidence = Evidence(made.study, {})
    paired = evidence.find(contrast)
    assert paired.se_images == pytest.approx((2 * 0.5**2 / 3 / IMAGES) ** 0.5, rel=0.2)
    for seed in range(3):
        name = "nll", made.spec(BEST, seed).name
        made.values[name] = made.values[name]._replace(indices=np.arange(IMAGES) + 1)
    apart = Evidence(made.study, {}).find(contrast)
    assert apart.value == paired.value
    assert apart.se_images == pytest.approx((2 * 24**2 / IMAGES) ** 0.5, rel=0.2)


def test_the_images_add_no_error_where_the_paper_has_the_same(monkeypatch):
    made = Made(monkeypatch)
    contrast = Contrast("", "nll", {IWAE_5: 1.0}, Region(85.0, 86.0), same_images=True)
    found = {whole: Evidence(made.study, {"mnist": {"test": whole}}).find(contrast) for whole in (IMAGES, 2 * IMAGES)}
    assert {finding.se_images for finding in found.values()} == {found[IMAGES].se_images}
    assert found[IMAGES].estimate.se < 0.05
    assert found[2 * IMAGES].estimate.se == pytest.approx(found[IMAGES].se_images / 2**0.5, rel=0.01)


def test_counts_that_agree_in_all_seeds_keep_the_error_of_rounding(monkeypatch):
    made = Made(monkeypatch, spread=0.0)
    contrast = Contrast("", "active_units_2", {BEST: 1.0}, Region(high=10.0))
    assert Evidence(made.study, {}).find(contrast).estimate.se == pytest.approx((1 / 12 / 3) ** 0.5)


def test_more_latent_units(monkeypatch):
    wide = Kind("mnist", 1, "vae", 1, "z100")
    base = paper_row("mnist", 1, 1, "vae").active_1 - 20  # what the model of the paper's size has above the other
    for extra, expected in ((-3.0, REPRODUCED), (6.0, REFUTED)):
        made = Made(monkeypatch, spread=0.3, more=[wide], changes={("active_units", wide): base + extra})
        (verdict,) = made.judged("capacity-mnist")
        assert verdict.verdict == expected
    (verdict,) = Made(monkeypatch).judged("capacity-mnist")
    assert verdict.why == (NOT_RUN,)


def test_fixed_binarization_is_held_against_the_other_data_set(monkeypatch):
    made = Made(monkeypatch, more=list(paper_kinds("mnist-fixed")))
    gap, nll = made.judged("fixed-binarization-gap-mnist-fixed", "fixed-binarization-nll-mnist-fixed")
    assert gap.verdict == UNDECIDED  # no difference was made
    assert {finding.contrast.paper is None for finding in nll.findings} == {False}
    # The two test sets are not the same images, so nothing is paired.
    assert min(finding.se_images for finding in nll.findings) == pytest.approx((2 * 24**2 / IMAGES) ** 0.5, rel=0.1)


def test_unreadable_evidence_is_said(monkeypatch):
    made = Made(monkeypatch)

    def broken(study, model):
        raise KeyError("activity")

    monkeypatch.setitem(evidences.QUANTITIES, "nll", QUANTITIES["nll"]._replace(read=broken))
    (verdict,) = made.judged("two-layers-mnist")
    assert verdict.why == (UNREAD,) and verdict.notes == ("KeyError: 'activity'",)
