import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.errors import InputError
from iwae.study.declaration import declarations
from iwae.study.measurements import (
    MEASUREMENTS,
    ActivitySettings,
    InferenceSettings,
    LikelihoodSettings,
    PicturesSettings,
    SurgerySettings,
)
from iwae.study.protocol import preset
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

KINDS = (TrainingSettings, *(entry.settings for entry in MEASUREMENTS.values()))
NUMBERS = [
    (kind, name, found.least)
    for kind in KINDS
    for name, found in declarations(kind).items()
    if found.kind is int and not (found.many or found.optional)
]


def test_defaults_are_the_papers():
    training, likelihood, activity = TrainingSettings(), LikelihoodSettings(), ActivitySettings()
    assert (training.stages, training.batch_size, training.train_images, training.study_seed) == (8, 20, None, 0)
    assert training.protocol == preset("authors-code")
    assert (likelihood.samples, likelihood.test_images) == (5000, 10_000)
    assert activity.authors_images == 500


def test_draws_of_an_elbo_are_a_multiple_of_those_of_a_step():
    with pytest.raises(InputError, match=r"^elbo_samples = 8 is impossible: it is a multiple of samples, 16\.$"):
        InferenceSettings(samples=16, elbo_samples=8)


def test_every_whole_number_has_a_least_value(refused):
    for kind, name, least in NUMBERS:
        assert getattr(kind(**{name: least}), name) == least
        assert refused(kind, **{name: least - 1}) == f"{name} = {least - 1} is impossible: it must be {least} or more."


def test_what_has_a_standard_error_is_more_than_one():
    errors = {"test_images", "train_images", "images", "simulated", "authors_images"}
    for kind, name, least in NUMBERS:
        assert name not in errors or kind is TrainingSettings or least == 2, (kind, name)


def test_one_minibatch_of_images_is_the_least(refused):
    assert TrainingSettings(batch_size=7, train_images=7).train_images == 7
    expected = "train_images = 6 is impossible: one minibatch has 7."
    assert refused(TrainingSettings, batch_size=7, train_images=6) == expected


def test_a_list_is_kept_as_a_tuple_and_one_number_is_refused(refused):
    assert SurgerySettings(sizes=[1000]) == SurgerySettings(sizes=(1000,))
    assert refused(SurgerySettings, sizes=1000) == "sizes = 1000 must be a list; write [1000]."


@pytest.mark.parametrize("sizes", [(0,), (-5,), (1000, 1)])
def test_impossible_sizes_are_one_sentence(refused, sizes):
    expected = f"sizes = {list(sizes)}: {min(sizes)} is impossible: it must be 2 or more."
    assert refused(SurgerySettings, sizes=sizes) == expected


def _settings():
    whole = st.integers(2, 10**6)
    common = {
        "batch_size": st.integers(1, 100),
        "train_images": st.none() | st.integers(100, 60_000),
        "study_seed": st.integers(0, 2**32 - 1),
    }
    in_stages = st.sampled_from([preset("authors-code"), preset("paper-text")])
    return st.one_of(
        st.builds(TrainingSettings, protocol=in_stages, stages=st.integers(1, 8), **common),
        st.builds(TrainingSettings, protocol=st.just(preset("efficient")), passes=whole, **common),
        st.builds(LikelihoodSettings, whole, whole, whole, whole),
        st.builds(ActivitySettings, whole, whole, whole),
        st.builds(SurgerySettings, whole, st.lists(whole, max_size=4, unique=True).map(tuple), whole),
        st.builds(PicturesSettings, whole, whole, whole),
    )


@given(_settings())
def test_manifest_reads_back_what_was_written(settings):
    # `manifest.is_current` compares the two: a tuple, say, would come back as a list and never be current.
    assert json.loads(json.dumps(settings.as_dict())) == settings.as_dict()


def test_dictionary_names_every_field_that_counts():
    for kind in KINDS:
        later = {name for name, found in declarations(kind).items() if found.later}
        assert list(kind().as_dict()) == [field.name for field in fields(kind) if field.name not in later]
    assert TrainingSettings().as_dict()["protocol"] == preset("authors-code").as_dict()
    cosine = TrainingSettings(preset("efficient"), passes=40).as_dict()
    assert cosine["passes"] == 40 and "stages" not in cosine


def test_what_a_schedule_lacks_or_does_not_have_is_refused():
    with pytest.raises(InputError, match="passes is missing: a cosine"):
        TrainingSettings(preset("efficient"))
    with pytest.raises(InputError, match="passes = 3 is impossible: the schedule has stages"):
        TrainingSettings(passes=3)
    with pytest.raises(InputError, match="stages = 3 is impossible: a cosine schedule has `passes` alone"):
        TrainingSettings(preset("efficient"), stages=3, passes=3)


def test_a_rate_that_rises_to_its_end_and_a_warm_up_without_an_end_are_refused():
    efficient = preset("efficient")
    with pytest.raises(InputError, match=r"end_rate = 0.01 is .* the rate of the schedule falls to it from 0.001\."):
        TrainingSettings(replace(efficient, end_rate=0.01), passes=3)
    assert TrainingSettings(replace(efficient, end_rate=0.001), passes=3)  # one rate for all
    with pytest.raises(InputError, match=r"rate_warm_up = 3 is .* less than the 3 passes of the schedule\."):
        TrainingSettings(replace(efficient, rate_warm_up=3), passes=3)
    with pytest.raises(InputError, match=r"kl_warm_up = 1.5 is .* the 1 pass of the schedule\."):
        TrainingSettings(replace(efficient, kl_warm_up=1.5), passes=1)
    code = preset("authors-code")
    assert TrainingSettings(replace(code, kl_warm_up=100), stages=1)  # to which others may be added
    with pytest.raises(InputError, match=r"kl_warm_up = 3280 is .* the 3280 passes of the schedule\."):
        TrainingSettings(replace(code, kl_warm_up=3280), stages=1)


def test_a_continued_model_starts_lower_and_is_shorter():
    spec, efficient = ModelSpec.parse("mnist/l1-iwae-k5-from-vae-k1/seed0"), preset("efficient")
    assert TrainingSettings(replace(efficient, end_rate=1e-4), passes=9).for_model(spec)
    with pytest.raises(InputError, match=r"the rate of l1-iwae-k5-from-vae-k1 falls to it from 0\.0001\."):
        TrainingSettings(replace(efficient, end_rate=2e-4), passes=9).for_model(spec)
    with pytest.raises(InputError, match=r"rate_warm_up = 8 is .* the 6 passes of l1-iwae-k5-from-vae-k1\."):
        TrainingSettings(replace(efficient, rate_warm_up=8), passes=9).for_model(spec)
    assert TrainingSettings(replace(efficient, kl_warm_up=8), passes=9).for_model(spec)  # it has none


def test_a_model_may_have_passes_of_its_own():
    spec = ModelSpec.parse("mnist/l2-vae-k1-p13/seed0")
    assert TrainingSettings(preset("efficient"), passes=40).for_model(spec).passes == 13
    with pytest.raises(InputError, match="passes = 13 is impossible"):
        TrainingSettings().for_model(spec)


def test_fields_of_later_versions_are_written_only_where_they_matter():
    """So that manifests and training states from before them stay what they are."""
    assert "schedule" not in preset("paper-text").as_dict()
    assert preset("efficient").as_dict()["schedule"] == "cosine"


def test_a_model_has_the_study_s_settings_but_for_its_data_set_and_variant():
    study = TrainingSettings(stages=3)
    plain = study.for_model(ModelSpec.parse("omniglot/l2-iwae-k5/seed0"))
    assert plain == TrainingSettings(replace(study.protocol, held_out=1345), stages=3)
    varied = study.for_model(ModelSpec.parse("mnist/l1-vae-k1-with-adam_beta1/seed0"))
    assert varied.protocol == replace(study.protocol, held_out=400, adam_beta1=0.9)
    other = study.for_model(ModelSpec.parse("mnist/l1-vae-k1-with-paper-text/seed0"))
    assert other.protocol == preset("paper-text")
    cosine = study.for_model(ModelSpec.parse("mnist/l1-vae-k1-with-efficient/seed0"))
    assert (cosine.protocol.schedule, cosine.passes) == ("cosine", 1 + 3 + 9)


def test_a_continued_model_has_a_state_for_each_length_of_the_schedule():
    plain, continued = (ModelSpec.parse(f"mnist/l1-{kind}/seed0") for kind in ("iwae-k5", "iwae-k5-from-vae-k1"))
    files = {TrainingSettings(stages=stages).state_file(spec) for stages in (2, 3) for spec in (plain, continued)}
    assert files == {
        "mnist/l1-iwae-k5/seed0.safetensors",
        "mnist/l1-iwae-k5-from-vae-k1/seed0.stages2.safetensors",
        "mnist/l1-iwae-k5-from-vae-k1/seed0.stages3.safetensors",
    }


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("mnist/l1-vae-k1-vamp100/seed0", {"train_images": 99}, "more components than the 99 images"),
        ("mnist/l1-vae-k1-mog59601/seed0", {}, "more components than the 59600 images"),
        (
            "mnist/l1-iwae-k5-by-dreg/seed0",
            {"protocol": preset("authors-code").with_overrides({"kl_warm_up": 5})},
            "kl_warm_up is for models whose gradient is the standard one",
        ),
    ],
)
def test_a_model_that_its_settings_make_impossible_is_refused(name, settings, words):
    with pytest.raises(InputError, match=words):
        TrainingSettings(**settings).for_model(ModelSpec.parse(name))
