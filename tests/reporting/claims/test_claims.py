"""The claims themselves, complete and of every cell; and identities, which a model's files satisfy or do not."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from iwae.reporting import quantities
from iwae.reporting.claims.evidence import Evidence
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.claims.rules import RULES
from iwae.reporting.claims.verdicts import FAILS, HOLDS, NOT_RUN, PARTLY, UNDECIDED, examine
from iwae.reporting.reference import paper, paper_range
from iwae.reporting.study import Kind, StudyResults

CLAIMS = {claim.id: claim for claim in read_claims().claims}
IDENTITIES = {claim.id: claim for claim in read_claims().identities}


def test_every_cell_of_the_papers_tables_is_claimed():
    for prefix in ("nll-", "active-units-"):
        kinds = {claim.kind for claim in CLAIMS.values() if claim.id.startswith(prefix)}
        for row in paper().itertuples():
            objective = "vae" if row.k == 1 else row.objective
            assert Kind(row.dataset, row.layers, objective, row.k, 0, row.variation) in kinds
    columns = list(RULES["value"](None, CLAIMS["nll-omniglot-l2-vae-k1"], margin=0.25))
    assert [contrast.paper for contrast in columns] == [107.56, 107.58]


def test_every_claim_is_complete():
    assert len(CLAIMS | IDENTITIES) == len(read_claims().claims) + len(read_claims().identities)
    for claim in (CLAIMS | IDENTITIES).values():
        assert claim.text.endswith(".") and claim.place


def test_a_data_set_that_is_not_the_papers_is_said_to_be_ours():
    ours = [claim for claim in CLAIMS.values() if claim.dataset not in set(paper().dataset)]
    assert {claim.dataset for claim in ours} == {"mnist-static"}
    assert all("our own binarization, not the paper's" in claim.text for claim in ours)


def test_the_mean_gap_is_held_against_the_papers_range():
    widths = {"mnist": 0.25, "omniglot": 0.25, "mnist-fixed": 1.0}
    for dataset, margin in widths.items():
        claim, found = CLAIMS[f"generalization-gap-{dataset}"], paper_range("generalization_gap", dataset)
        (contrast,) = RULES["paper_range"](None, claim, **claim.parameters)
        assert contrast.region == pytest.approx((found.low - margin, found.high + margin))
        assert len(contrast.weights) == 10 and sum(contrast.weights.values()) == pytest.approx(1)
        assert contrast.realised and f"widened by {margin} nats" in claim.test


def test_what_is_said_of_the_papers_gains_is_so():
    """Of the smallest gain of an IWAE, the largest share of it that a VAE gains, and its smallest advance of a VAE."""
    gains, shares, advances = {}, {}, {}
    table = paper()[(paper().variation == "") & paper().dataset.isin(["mnist", "omniglot"])]
    for (dataset, layers), rows in table.groupby(["dataset", "layers"]):
        nll = rows.set_index(["objective", "k"]).nll
        for k in (5, 50):
            gains[dataset, layers, k] = nll["iwae", 1] - nll["iwae", k]
            shares[dataset, layers, k] = (nll["vae", 1] - nll["vae", k]) / (nll["vae", 1] - nll["iwae", k])
            advances[dataset, layers, k] = nll["vae", k] - nll["iwae", k]
            assert nll["vae", k] < nll["vae", 1]  # no harm, unlike on mnist-fixed
    least, most = min(gains, key=gains.get), max(shares, key=shares.get)
    assert (least[0], most) == ("mnist", ("omniglot", 2, 5))
    claim = CLAIMS["vae-gains-little-omniglot"]
    assert f"smallest is {gains[least]:.2f}" in claim.test and f"shares reach {shares[most]:.2f}" in claim.test
    assert claim.parameters["least"] < gains[least] and shares[most] < claim.parameters["share"]
    # What the margin of nll is taken from.
    assert min(advances, key=advances.get) == ("mnist", 1, 5)
    assert min(advances.values()) == pytest.approx(0.93)


def test_binarizations_differ_where_they_are_drawn():
    claims = read_claims()
    assert set(claims.binarization) == set(claims.images)
    assert {name for name, spread in claims.binarization.items() if spread > 0} == {"mnist", "omniglot"}
    assert claims.taken_over == {"omniglot": "mnist"}
    assert claims.binarization["omniglot"] == claims.binarization["mnist"]


@pytest.mark.parametrize(("active", "share"), [(0, 1.0), (2, 1.0), (3, 0.0), (7, 0.0), (8, 1.0)])
def test_a_mode_has_three_units(monkeypatch, active, share):
    units = pd.DataFrame({"activity": [1.0] * active + [1e-4] * (10 - active)})
    monkeypatch.setattr(quantities, "activities", lambda *_: units)
    assert quantities.QUANTITIES["share_between_modes"].read(None, None).value == share


@pytest.fixture
def rewritten(whole, tmp_path, synthetic):
    """A function that changes one model's CSV file of a section in a copy of the study, its curve if none is named."""
    study = StudyResults.open(shutil.copytree(whole, tmp_path / "whole"))

    def evidence(change, section="likelihood", place=0):
        synthetic.rewrite(study.models[place].folder / f"{section}.csv", change)
        return Evidence(StudyResults.open(study.folder), {})

    return evidence


def test_a_bound_that_falls_is_seen(rewritten):
    def fall(table):
        table.loc[(table.split == "test") & (table.k == 10), "bound"] -= 5.0

    (verdict,) = examine([IDENTITIES["bound-rises-mnist"]], rewritten(fall))
    assert verdict.verdict == FAILS and verdict.p is None and not verdict.power
    assert [check.holds for check in verdict.checks].count(False) == 1
    assert "to k = 10;" in next(check.shown for check in verdict.checks if not check.holds)


def stray(table):
    table.loc[table.k == 50, "deviation"] = 2.2  # the bound there is 2 + 2 (L_5000 - L_50) = 2.12


def test_an_estimate_that_deviates_too_much_is_seen(rewritten):
    (verdict,) = examine([IDENTITIES["estimate-deviates-little-mnist"]], rewritten(stray))
    assert verdict.verdict == FAILS


@pytest.mark.parametrize(("above", "verdict"), [(0.4, HOLDS), (-0.4, FAILS), (0.05, UNDECIDED)])
def test_the_elbo_of_q_ew_is_held_against_the_bound_with_its_error(rewritten, above, verdict):
    def change(table):
        noise = np.where(table.image % 2, 0.2, -0.2)  # paired over images
        table["lower"] = table.importance + (table.k > 1) * (above + noise)

    (found,) = examine([IDENTITIES["picked-above-bound-mnist"]], rewritten(change, "implicit"))
    assert found.verdict == verdict
    assert found.checks[0].file == "implicit.csv" and f"{above:+.3f} ±" in found.checks[0].shown


def test_models_that_do_not_tell_leave_an_identity_undecided(rewritten):
    evidence = rewritten(lambda table: table.pop("deviation"))
    (verdict,) = examine([IDENTITIES["estimate-deviates-little-mnist"]], evidence)
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (PARTLY,))
    assert verdict.notes == ("The files of 1 of 12 models do not tell.",)


def test_one_model_fails_an_identity_that_others_do_not_tell_of(rewritten):
    rewritten(stray)
    evidence = rewritten(lambda table: table.pop("deviation"), place=1)
    (verdict,) = examine([IDENTITIES["estimate-deviates-little-mnist"]], evidence)
    assert verdict.verdict == FAILS and "1 of 12 models" in verdict.notes[0]


def test_deviations_that_were_not_measured_decide_nothing(rewritten):
    evidence = rewritten(lambda table: table.pop("deviation"))
    one = Evidence(replace(evidence.study, models=evidence.study.models[:1]), {})
    (verdict,) = examine([IDENTITIES["estimate-deviates-little-mnist"]], one)
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (NOT_RUN,))
