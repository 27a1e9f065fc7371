"""Models that are not done as in the paper: by their protocol, their data, or how they were measured."""

import pytest

from iwae.data import mnist_fixed
from iwae.reporting.claims.verdicts import REPRODUCED, UNDECIDED, UNLIKE, WIDE
from iwae.study.protocol import PRESETS


def retrained(made, change):
    """The study with other manifests of its models."""
    for model in made.study.models:
        change(model.manifest)
    return made


def test_a_protocol_that_is_no_preset_is_not_the_papers(make):
    def hasten(content):
        content["training"]["settings"]["protocol"]["adam_beta1"] = 0.5

    (verdict,) = retrained(make(), hasten).judged("two-layers-mnist")
    assert (verdict.verdict, verdict.why) == (UNDECIDED, (UNLIKE,))
    assert "Protocol: authors-code with adam_beta1=0.5. The paper's numbers are of authors-code." in verdict.notes


def test_another_preset_is_told(make):
    def retrain(content):
        content["training"]["settings"]["protocol"] = PRESETS["paper-text"].as_dict()

    (verdict,) = retrained(make(), retrain).judged("two-layers-mnist")
    assert verdict.verdict == REPRODUCED
    assert verdict.notes == ("Protocol: paper-text. The paper's numbers are of authors-code.",)
    (verdict,) = make().judged("two-layers-mnist")
    assert verdict.notes == ()


def test_units_counted_from_other_images_are_not_the_papers(make):
    def count(content):
        content["activity"]["settings"]["authors_images"] = 100

    units, nll = retrained(make(), count).judged("iwae-uses-more-units-mnist", "two-layers-mnist")
    assert (units.why, nll.verdict) == ((UNLIKE,), REPRODUCED)
    assert any("Active units are counted from 100 images instead of 500" in note for note in units.notes)


def test_samples_of_the_likelihood_are_of_no_account_for_units(make):
    def hasten(content):
        content["likelihood"]["settings"]["samples"] = 100

    units, nll = retrained(make(), hasten).judged("iwae-uses-more-units-mnist", "two-layers-mnist")
    assert (units.verdict, nll.why) == (REPRODUCED, (UNLIKE,))


@pytest.mark.parametrize(("dataset", "why"), [("mnist", (WIDE,)), ("mnist-fixed", (UNLIKE,))])
def test_another_fixed_binarization_is_not_the_papers(make, dataset, why):
    """The same file names and other SHA-256: of no account for another data set."""
    made = make(dataset, spread=2.0)
    hashes = mnist_fixed.SHA256 | {mnist_fixed.TEST: "0" * 64}
    retrained(made, lambda content: content["training"].update(provenance={"data_sha256": hashes}))
    (verdict,) = made.judged(f"two-layers-{dataset}")
    assert verdict.why == why
    assert any("binarized_mnist_test.amat has another SHA-256" in note for note in verdict.notes) == (why == (UNLIKE,))
