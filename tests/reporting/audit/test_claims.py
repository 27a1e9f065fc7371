"""The claims themselves, complete and of every cell; and exact claims, which a model's files satisfy or do not."""

import inspect
import shutil

import pandas as pd
import pytest

from iwae import manifest
from iwae.reporting.audit.checks import CHECKS
from iwae.reporting.audit.claims import read_claims
from iwae.reporting.audit.evidence import Evidence, Kind
from iwae.reporting.audit.rules import RULES
from iwae.reporting.audit.verdicts import NOT_RUN, PARTLY, REFUTED, REPRODUCED, UNDECIDED, judge
from iwae.reporting.reference import paper
from iwae.reporting.study import Study

CLAIMS = {claim.id: claim for claim in read_claims().claims}


def test_every_cell_of_the_papers_tables_is_claimed():
    for prefix in ("nll-", "active-units-"):
        kinds = {claim.kind for claim in CLAIMS.values() if claim.id.startswith(prefix)}
        for row in paper().itertuples():
            objective = "vae" if row.k == 1 else row.objective
            assert Kind(row.dataset, row.layers, objective, row.k, row.variation) in kinds
    columns = list(RULES["value"](None, CLAIMS["nll-omniglot-l2-vae-k1"], margin=0.25))
    assert [contrast.paper for contrast in columns] == [107.56, 107.58]


def test_every_claim_is_complete():
    assert len(CLAIMS) == len(read_claims().claims)
    for claim in CLAIMS.values():
        assert claim.text.endswith(".") and claim.place and "{" not in claim.test
        if claim.rule in CHECKS:
            assert not claim.parameters
        else:
            inspect.signature(RULES[claim.rule]).bind(None, claim, **claim.parameters)


def test_what_is_said_of_the_papers_gains_is_so():
    """Of the smallest gain of an IWAE, and of the largest share of it that a VAE gains."""
    gains, shares = {}, {}
    for (dataset, layers), rows in paper()[paper().variation == ""].groupby(["dataset", "layers"]):
        nll = rows.set_index(["objective", "k"]).nll
        for k in (5, 50):
            gains[dataset, layers, k] = nll["iwae", 1] - nll["iwae", k]
            shares[dataset, layers, k] = (nll["vae", 1] - nll["vae", k]) / (nll["vae", 1] - nll["iwae", k])
    least, most = min(gains, key=gains.get), max(shares, key=shares.get)
    assert (least[0], most) == ("mnist-fixed", ("omniglot", 2, 5))
    claim = CLAIMS["vae-gains-little-omniglot"]
    assert f"smallest is {gains[least]:.2f}" in claim.test and f"shares reach {shares[most]:.2f}" in claim.test
    assert claim.parameters["least"] < gains[least] and shares[most] < claim.parameters["share"]


def test_binarizations_differ_where_they_are_drawn():
    claims = read_claims()
    assert set(claims.binarization) == set(claims.images)
    assert {name for name, spread in claims.binarization.items() if spread > 0} == {"mnist", "omniglot"}


def rewritten(whole, tmp_path, change):
    """A copy of the study in which the first model's curve is changed."""
    folder = tmp_path / "whole"
    shutil.copytree(whole, folder)
    study = Study.open(folder)
    model = study.models[0]
    path = model.folder / "likelihood.csv"
    change(table := pd.read_csv(path))
    table.to_csv(path, index=False)
    entry = model.manifest["likelihood"]
    files = list(entry["files"])
    manifest.record(model.folder, model.spec, "likelihood", entry["settings"], files, entry["provenance"])
    return Evidence(Study.open(folder), {})


@pytest.mark.parametrize("name", ["bound-rises-mnist", "estimate-deviates-little-mnist"])
def test_exact_claims_hold_of_the_synthetic_study(whole, cut, name):
    for study in (whole, cut):  # whatever the schedule
        (verdict,) = judge([CLAIMS[name]], Evidence(Study.open(study), {}))
        assert verdict.verdict == REPRODUCED and verdict.p is None and not verdict.power


def test_a_bound_that_falls_is_seen(whole, tmp_path):
    def fall(table):
        table.loc[(table.split == "test") & (table.k == 10), "bound"] -= 5.0

    (verdict,) = judge([CLAIMS["bound-rises-mnist"]], rewritten(whole, tmp_path, fall))
    assert verdict.verdict == REFUTED
    assert [check.holds for check in verdict.checks].count(False) == 1
    assert "to k = 10;" in next(check.shown for check in verdict.checks if not check.holds)


def test_an_estimate_that_deviates_too_much_is_seen(whole, tmp_path):
    def stray(table):
        table.loc[table.k == 50, "deviation"] = 2.2  # the bound there is 2 + 2 (L_5000 - L_50) = 2.12

    (verdict,) = judge([CLAIMS["estimate-deviates-little-mnist"]], rewritten(whole, tmp_path, stray))
    assert verdict.verdict == REFUTED


def test_models_that_do_not_tell_leave_a_claim_undecided(whole, tmp_path):
    evidence = rewritten(whole, tmp_path, lambda table: table.pop("deviation"))
    (verdict,) = judge([CLAIMS["estimate-deviates-little-mnist"]], evidence)
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (PARTLY,))
    assert verdict.notes == ("The files of 1 of 12 models do not tell.",)


def test_one_model_refutes_a_claim_that_others_do_not_tell_of(whole, tmp_path):
    def stray(table):
        table.loc[table.k == 50, "deviation"] = 2.2

    folder = rewritten(whole, tmp_path, stray).study.folder
    model = Study.open(folder).models[1]
    table = pd.read_csv(model.folder / "likelihood.csv").drop(columns="deviation")
    table.to_csv(model.folder / "likelihood.csv", index=False)
    entry = model.manifest["likelihood"]
    manifest.record(
        model.folder, model.spec, "likelihood", entry["settings"], list(entry["files"]), entry["provenance"]
    )
    (verdict,) = judge([CLAIMS["estimate-deviates-little-mnist"]], Evidence(Study.open(folder), {}))
    assert verdict.verdict == REFUTED and "1 of 12 models" in verdict.notes[0]


def test_deviations_that_were_not_measured_decide_nothing(whole, tmp_path):
    evidence = rewritten(whole, tmp_path, lambda table: table.pop("deviation"))
    one = Evidence(Study(evidence.study.folder, evidence.study.results, evidence.study.models[:1]), {})
    (verdict,) = judge([CLAIMS["estimate-deviates-little-mnist"]], one)
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (NOT_RUN,))
