import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import Literal, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.errors import InputError
from iwae.study.protocol import PRESETS, READ_BY, Protocol, preset

# Each choice as the paper's text has it, or the textbook where the text is silent, and as the authors' code has it.
CHOICES = {
    "adam_beta1": (0.9, 0.99),
    "adam_beta2": (0.999, 0.999),
    "adam_epsilon": (1e-4, 1e-4),
    "adam_epsilon_place": ("corrected", "uncorrected"),
    "adam_second_moment": ("zeros", "ones"),
    "adam_moments": ("current", "delayed"),
    "optimizer_state": ("carried", "carried"),
    "loss": ("mean", "sum"),
    "learning_rates": ("exact", "rounded"),
    "held_out": (0, None),
    "shuffle": (True, False),
    "binarization": ("every-minibatch", "every-minibatch"),
    "scale": ("log-variance", "log-deviation"),
    "initialization": ("independent", "shared"),
    "initialization_seed": (123, 123),
    "output_bias": ("zeros", "train-mean"),
    "kl": ("sampled", "sampled"),
    "test_binarization_seed": (123, 123),
    "activity": ("definition", "one-sample"),
    "schedule": ("stages", "stages"),
    "peak_rate": (1e-3, 1e-3),
    "end_rate": (1e-5, 1e-5),
    "rate_warm_up": (0.0, 0.0),
    "gradient_clip": (None, None),
    "kl_warm_up": (0.0, 0.0),
}
NAMES = [field.name for field in fields(Protocol)]
CHOSEN = [field for field in fields(Protocol) if get_origin(field.type) is Literal]


def test_presets_hold_what_text_and_code_say():
    presets = preset("paper-text"), preset("authors-code")
    assert {name: tuple(getattr(each, name) for each in presets) for name in NAMES} == CHOICES


def test_the_default_is_the_code():
    assert list(PRESETS) == ["authors-code", "paper-text", "efficient"]
    assert Protocol() == preset("authors-code")


def _strategy(field):
    if get_origin(field.type) is Literal:
        return st.sampled_from(get_args(field.type))
    if field.type is bool:
        return st.booleans()
    if field.name == "held_out":
        return st.none() | st.integers(0, 60_000)
    if field.name == "gradient_clip":
        return st.none() | st.floats(0, 10, exclude_min=True)
    if field.type is int:
        return st.integers(0, 2**31 - 1)
    return st.floats(0, 1, exclude_min=True, exclude_max=True)


PROTOCOLS = st.builds(Protocol, **{field.name: _strategy(field) for field in fields(Protocol)})


@given(PROTOCOLS)
def test_a_protocol_survives_json(protocol):
    read = json.loads(json.dumps(protocol.as_dict()))
    assert read == protocol.as_dict()
    assert Protocol(**read) == protocol


@given(PROTOCOLS, PROTOCOLS, st.sets(st.sampled_from(NAMES)))
def test_overrides_change_the_named_fields_alone(base, other, names):
    schedule = (other if "schedule" in names else base).schedule
    names = {name for name in names if READ_BY.get(name, schedule) == schedule}
    changed = vars(base.with_overrides({name: getattr(other, name) for name in names}))
    assert changed == {name: getattr(other if name in names else base, name) for name in NAMES}


def test_overriding_leaves_the_preset_as_it_was():
    preset("authors-code").with_overrides({"shuffle": True})
    assert preset("authors-code").shuffle is False
    with pytest.raises(FrozenInstanceError):
        preset("authors-code").shuffle = True


def test_unknown_field_is_one_sentence(refused):
    expected = f"protocol field 'adam_beta3' is unknown: use one of {', '.join(NAMES)}."
    assert refused(Protocol().with_overrides, {"adam_beta3": 0.5}) == expected


@pytest.mark.parametrize("value", ["no-such-choice", None, ["sum"]], ids=repr)
def test_unknown_choice_is_one_sentence(refused, value):
    for field in CHOSEN:
        known = ", ".join(get_args(field.type))
        start = f"protocol field {field.name} = {value!r} is unknown: use one of {known}"
        assert refused(Protocol().with_overrides, {field.name: value}).startswith(start)


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("adam_beta1", "high", "a number"),
        ("adam_beta2", None, "a number"),
        ("adam_epsilon", "1e-4", "a number; it was read as text: write 1.0e-4 without quotes"),  # YAML's 1e-4
        ("adam_epsilon", True, "a number"),
        ("adam_epsilon", float("nan"), "a number"),  # which the command line can say
        ("held_out", 400.0, "a whole number or null"),
        ("held_out", False, "a whole number or null"),
        ("initialization_seed", [123], "a whole number"),
        ("shuffle", 1, "true or false"),
        ("shuffle", "true", "true or false"),
    ],
)
def test_wrong_type_is_one_sentence(refused, name, value, right):
    given = "an empty value" if value is None else repr(value)
    start = f"protocol field {name} = {given} must be {right}"
    assert refused(Protocol().with_overrides, {name: value}).startswith(start)


@pytest.mark.parametrize(
    ("name", "values", "right"),
    [
        ("adam_beta1", [-0.1], "0 or more"),
        ("adam_beta2", [1, 1.0], "below 1"),
        ("adam_epsilon", [0, -1e-4], "above 0"),
        ("held_out", [-1], "0 or more"),
        ("initialization_seed", [2**31], "2147483647 or less"),
    ],
)
def test_impossible_number_is_one_sentence(refused, name, values, right):
    for value in values:
        expected = f"protocol field {name} = {value} is impossible: it must be {right}."
        assert refused(Protocol().with_overrides, {name: value}) == expected


def test_whole_number_is_a_fine_decay():
    assert Protocol().with_overrides({"adam_beta1": 0}).adam_beta1 == 0


def test_as_many_images_are_held_out_as_the_authors_hold_out():
    code, text = preset("authors-code"), preset("paper-text")
    # The numbers of updates of the published schedules, 3280 passes in minibatches of 20, follow from them.
    sizes = {"mnist": 60_000, "omniglot": 24_345, "mnist-fixed": 60_000}
    updates = {name: 3280 * ((images - code.for_dataset(name).held_out) // 20) for name, images in sizes.items()}
    assert updates == {"mnist": 9_774_400, "omniglot": 3_772_000, "mnist-fixed": 8_200_000}
    assert text.for_dataset("mnist") == text
    assert text.for_dataset("mnist-fixed").held_out == 10_000  # a file of its own, not part of the training file
    assert code.for_dataset("mnist-static") == code.for_dataset("mnist")
    assert code.with_overrides({"held_out": 7}).for_dataset("omniglot").held_out == 7


@pytest.mark.parametrize("base", PRESETS)
def test_a_variant_takes_one_field_from_the_other_preset(base):
    for name in NAMES:
        ours = getattr(preset(base), name)
        others = [value for value in (getattr(other, name) for other in PRESETS.values()) if value != ours]
        if name == "learning_rates" and base == "efficient":  # whose rates are not those of stages
            with pytest.raises(InputError, match="learning_rates has no effect, as schedule is cosine"):
                preset(base).with_variant(name)
        elif others:
            assert preset(base).with_variant(name) == preset(base).with_overrides({name: others[0]})
        else:
            with pytest.raises(InputError, match=f"variant '{name}' of the protocol is impossible"):
                preset(base).with_variant(name)
    for other in PRESETS.keys() - {base}:
        assert preset(base).with_variant(other) == preset(other)
    for same in (base, f"adam_beta1-{preset(base).adam_beta1}"):
        with pytest.raises(InputError, match=f"variant '{same}' of the protocol is impossible: it is the study's own"):
            preset(base).with_variant(same)
    assert preset(base).with_variant(None) == preset(base)


@pytest.mark.parametrize(
    ("variant", "field", "value"),
    [("peak_rate-0.002", "peak_rate", 2e-3), ("loss-sum", "loss", "sum"), ("shuffle-false", "shuffle", False)],
)
def test_a_variant_may_give_the_value(variant, field, value):
    assert preset("efficient").with_variant(variant) == replace(preset("efficient"), **{field: value})


def test_a_field_of_the_other_schedule_is_refused():
    """It would be named in the results, and change nothing."""
    code = preset("authors-code")
    with pytest.raises(InputError, match="peak_rate has no effect, as schedule is stages: omit it"):
        code.with_overrides({"peak_rate": 2e-3})
    with pytest.raises(InputError, match="end_rate has no effect"):
        code.with_variant("end_rate-0.1")
    assert code.with_overrides({"peak_rate": 2e-3, "schedule": "cosine"}).peak_rate == 2e-3


def test_an_unknown_variant_is_one_sentence():
    with pytest.raises(InputError, match="variant 'dropout' of the protocol is unknown: use one of authors-code, "):
        preset("authors-code").with_variant("dropout")
