"""Claims about effects under a protocol that is not the paper's, with a check of convergence, and with few seeds."""

from dataclasses import replace

import numpy as np
import pytest

from iwae.reporting.claims.content import evidence, found
from iwae.reporting.claims.evidence import third_of_the_passes
from iwae.reporting.claims.reading import claims_of, read_claims
from iwae.reporting.claims.verdicts import (
    FEW_SEEDS,
    FOREIGN,
    REFUTED,
    REPRODUCED,
    UNCHECKED,
    UNCONVERGED,
    UNDECIDED,
)
from iwae.reporting.quantities import Measured
from iwae.reporting.reference import paper_kinds
from iwae.reporting.study import Kind, kind_of
from iwae.study.protocol import PRESETS
from iwae.study.settings import TrainingSettings

GRID = [kind for kind in paper_kinds("mnist") if not kind.variation]
SHORTER = [replace(kind, variation="p13") for kind in GRID]
IWAE_5 = Kind("mnist", 1, "iwae", 5, 0)


@pytest.fixture
def efficient(make):
    """A function that makes a study of 40 passes under the protocol ``efficient``, and of 13 unless told otherwise."""

    def build(more=SHORTER, **options):
        return make(more=more, training=TrainingSettings(PRESETS["efficient"], passes=40), **options)

    return build


def test_an_effect_is_decided_under_any_complete_schedule_and_a_value_under_the_papers_alone(efficient):
    effect, value = efficient().judged("two-layers-mnist", "nll-mnist-l1-vae-k5")
    assert (effect.verdict, effect.why, effect.under) == (REPRODUCED, (), "efficient, 3 seeds")
    assert (value.verdict, value.why) == (UNDECIDED, (FOREIGN,))


def test_an_effect_that_is_not_there_is_refuted_as_plainly(efficient):
    changes = {("nll", kind): -9.0 for kind in (IWAE_5, replace(IWAE_5, variation="p13"))}
    (verdict,) = efficient(changes=changes).judged("iwae-gains-mnist")
    assert (verdict.verdict, verdict.under) == (REFUTED, "efficient, 3 seeds")
    assert evidence(verdict).startswith("the clearest of 4 effects: IWAE k = 5, 1 layer minus IWAE k = 50, 1 layer: -")


def test_an_effect_that_came_late_is_not_converged(efficient):
    changes = {("nll", replace(IWAE_5, variation="p13")): 3.0}  # worse than k = 1 after a third of the passes
    (verdict,) = efficient(changes=changes).judged("iwae-gains-mnist")
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (UNCONVERGED,))
    said = (
        "4 of 4 effects lie where the claim says; not so after a third of the passes: VAE = IWAE k = 1, 1 layer minus"
    )
    assert evidence(verdict).startswith(said)


def test_the_interval_of_a_share_ends_where_shares_do(make):
    (verdict,) = make(spread=0.2).judged("two-modes-mnist")
    assert verdict.findings[0].interval[0] == 0.0 and verdict.findings[0].interval[1] < 1.0


def test_a_kind_that_spreads_much_more_than_others_does_not_widen_their_intervals(make):
    """A thousand times as much from seed to seed; its own interval holds its seeds."""
    made, values = make(spread=0.002), (2.0, 5.0, 14.0)
    for seed, value in enumerate(values):
        made.values["chopped_change", f"mnist/l2-vae-k5/seed{seed}"] = Measured(value)
    (verdict,) = made.judged("inactive-units-mnist")
    widths = {each.contrast.label: each.interval[1] - each.interval[0] for each in verdict.findings}
    assert widths.pop("VAE k = 5, 2 layers") > 10.0
    assert len(widths) == 9 and max(widths.values()) < 0.1


@pytest.mark.parametrize("more", [(), SHORTER[:-1], [replace(kind, variation="p30") for kind in GRID]])
def test_without_models_of_a_third_of_the_passes_nothing_is_decided(efficient, more):
    (verdict,) = efficient(more=more).judged("two-layers-mnist")
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (UNCHECKED,))


def test_what_has_a_variation_of_its_own_is_held_against_the_same_of_a_third_of_the_passes(efficient):
    resized = [Kind("mnist", 1, "vae", 1, 0, variation) for variation in ("z100", "z100-p13", "z100-p20", "p20")]
    study = efficient(more=resized).study
    assert third_of_the_passes(study, resized[0]) == resized[1]
    assert third_of_the_passes(study, Kind("mnist", 1, "vae", 1, 0)) == resized[3]  # the one there is within the range


def without_seeds(made, kinds):
    """The study without the second and later seeds of some kinds."""
    models = tuple(model for model in made.study.models if model.spec.seed == 0 or kind_of(model.spec) not in kinds)
    made.study = replace(made.study, models=models, specs=tuple(model.spec for model in models))
    return made


def test_one_seed_of_some_models_borrows_the_spread_of_the_others_and_says_so(make):
    single = [kind for kind in GRID if kind.k == 50]
    (verdict,) = without_seeds(make(), single).judged("iwae-gains-mnist")
    assert (verdict.verdict, verdict.under) == (REPRODUCED, "authors-code, 1 to 3 seeds")
    assert any(
        note.startswith("2 effects of 4 of one seed: the spread over seeds is that of") for note in verdict.notes
    )
    lone = [finding for finding in verdict.findings if len(finding.sum.seeds) == 1]
    paired = [finding for finding in verdict.findings if len(finding.sum.seeds) == 3]
    assert lone[0].estimate.se == pytest.approx(3**0.5 * paired[0].estimate.se, rel=0.2)
    assert {finding.estimate.dof > 2 for finding in lone} == {True}


def test_a_spread_that_both_sides_borrow_counts_once(make):
    """The only spread known is that of the VAE with k = 1: of a difference it has the degrees of freedom once."""
    made = without_seeds(make(), [kind for kind in GRID if (kind.layers, kind.k) != (1, 1)])
    (verdict,) = made.judged("iwae-uses-more-units-mnist")
    counts = [made.values["active", replace(GRID[0], seed=seed).name].value for seed in range(3)]
    for finding in verdict.findings:
        assert finding.estimate.dof == pytest.approx(2)
        assert finding.estimate.se == pytest.approx(max(np.std(counts, ddof=1), 12**-0.5) * 2**0.5)


def test_seeds_are_too_few_only_where_no_model_has_two(make):
    (verdict,) = make(seeds=1).judged("two-layers-mnist")
    assert verdict.why == (FEW_SEEDS,)
    (verdict,) = without_seeds(make(seeds=2), GRID[1:]).judged("two-layers-mnist")
    assert verdict.why == ()


def test_what_was_found_is_counted_by_family_and_grouped_by_verdict(efficient):
    made = efficient(without=[Kind("mnist", 1, "iwae", 50, 0, "from-vae-k1")])
    part = found(made.judged("two-layers-mnist", "iwae-gains-mnist", "continued-as-iwae-mnist", "nll-mnist-l1-vae-k5"))
    assert list(part) == ["effects", "values"]
    assert part["effects"]["counts"] == {REPRODUCED: 2, REFUTED: 0, UNDECIDED: 1}
    assert part["effects"]["not_run"] == 1
    (group,) = part["effects"]["groups"]
    assert (group["verdict"], group["under"], len(group["claims"])) == (REPRODUCED, "efficient, 3 seeds", 2)
    assert group["claims"][0]["evidence"].startswith("the least clear of 5 effects: ")


def content(**changes):
    """A file of one claim, some of whose keys are changed."""
    entry = {"id": "one", "claim": "A.", "place": "B", "quantity": "nll", "datasets": ["mnist"], "test": "at {high}"}
    entry |= {"rule": "every_model", "with": {"high": 1}}
    return {"claims": [entry | changes], "identities": [], "images": {}, "binarization": {}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rule": "falls_with_j"}, "the rule 'falls_with_j' is unknown: use one of above_dataset, "),
        ({"quantity": "nl"}, "the quantity 'nl' is unknown"),
        ({"datasets": ["mnsit"]}, "the data set 'mnsit' is unknown"),
        ({"with": {"hihg": 1}}, "the parameter of the rule every_model 'hihg' is unknown: use one of high, "),
        ({"with": {}}, "the parameter 'high' of the rule every_model is missing"),
        ({"with": {"high": {"omniglot": 1}}}, "the data set with a value 'mnist' is unknown: use one of omniglot"),
        ({"test": "below {most}"}, "the parameter in the test 'most' is unknown"),
        ({"remark": "none"}, "the key 'remark' is unknown"),
    ],
)
def test_a_mistake_in_the_file_is_an_error_when_it_is_read(changes, sentence):
    assert len(claims_of(content()).claims) == 1
    with pytest.raises(ValueError, match="claims.yaml, 'one': ") as error:
        claims_of(content(**changes))
    assert sentence in str(error.value)
    assert read_claims().claims
