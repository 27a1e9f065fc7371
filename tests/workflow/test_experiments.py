"""The experiments of the configuration: the models that they bring, and what is refused."""

import re

import pytest

from iwae.study.configuration import read_study

ON = {
    "warm_starts": {"l1-iwae-k50-from-vae-k1", "l1-vae-k1-from-iwae-k50", "l1-vae-k1", "l1-iwae-k50"},
    "two_latents": {"l1-vae-k1-z2", "l1-iwae-k5-z2", "l1-iwae-k50-z2"},
    "capacity": {f"l1-{kind}{z}" for kind in ("vae-k1", "iwae-k50") for z in ("", "-z100")},
    "other_datasets": {"l1-vae-k1", "l1-vae-k50", "l1-iwae-k50"},
}


@pytest.mark.parametrize("name", ON)
def test_an_experiment_brings_its_models_and_those_it_is_compared_with(configuration, name):
    config = configuration(
        grid={"layers": [2], "k": [1], "seeds": [9]},
        experiments={other: {"run": other == name} for other in (*ON, "protocols")},
    )
    models = read_study(config).models
    assert {model.kind for model in models if model.layers == 1} == ON[name]
    assert {model.dataset for model in models if model.layers == 1} == set(config["experiments"][name]["datasets"])
    config["experiments"][name]["run"] = False
    assert {model.kind for model in read_study(config).models} == {"l2-vae-k1"}


def test_each_variant_of_the_protocol_trains_the_same_models(configuration):
    config = configuration(experiments={"protocols": {"run": True}})
    study = read_study(config)
    variants = {model.variant for model in study.models} - {None}
    assert variants == set(config["experiments"]["protocols"]["variants"])
    kinds = [
        {(m.dataset, m.objective, m.k, m.seed) for m in study.models if m.variant == variant} for variant in variants
    ]
    assert all(kind == kinds[0] for kind in kinds) and len(kinds[0]) == 3
    settings = {m.variant: study.settings("training", m)["protocol"] for m in study.models}
    assert settings["adam_beta1"] == settings[None] | {"adam_beta1": 0.9}


def test_each_prior_trains_the_same_models_and_networks_have_their_own_layers(configuration):
    config = configuration(experiments={"priors": {"run": True, "seeds": [0]}, "other_priors": {"run": True}})
    kinds = {model.kind for model in read_study(config).models}
    for base in ("l1-vae-k1", "l1-iwae-k5", "l2-vae-k1-hvae", "l2-vae-k1-pixelhvae"):
        assert {base, f"{base}-mog100", f"{base}-vamp100"} <= kinds


def test_models_are_trained_again_for_other_passes_wherever_they_are_from(configuration):
    again = {"run": True, "of": ["warm_starts", "capacity"], "models": ["vae-k1"], "seeds": [0], "passes": [3]}
    config = configuration(
        training={"protocol": "efficient", "passes": 9},
        grid={"layers": [2], "objectives": ["vae"], "k": [1]},
        experiments={"warm_starts": {"models": ["vae-k1-from-iwae-k50"]}, "convergence": again},
    )
    study = read_study(config)
    shorter = {model.kind for model in study.models if model.passes}
    assert shorter == {
        f"l1-{kind}" for kind in ("vae-k1-p3", "vae-k1-z100-p3", "vae-k1-p3-from-iwae-k50", "iwae-k50-p3")
    }
    assert {study.settings("training", model)["passes"] for model in study.models if model.passes} == {3}
    assert {model.seed for model in study.models if model.passes} == {0}


def test_a_step_may_be_for_some_models_and_not_for_those_of_other_passes(configuration):
    again = {"run": True, "models": ["vae-k1"], "passes": [3]}
    config = configuration(
        training={"protocol": "efficient", "passes": 9},
        experiments={"convergence": again},
        annealed={"run": True, "seeds": [1]},
        inference={"run": True, "of": ["grid", "convergence"], "seeds": [1]},
        implicit={"run": True, "of": ["two_latents", "capacity"]},
    )
    study = read_study(config)
    asked = {
        name: {model for model in study.models if name in study.sections_of(model)}
        for name in ("annealed", "inference", "implicit")
    }
    assert asked["annealed"] == {model for model in study.models if model.seed == 1 and model.passes is None} != set()
    assert asked["inference"] == {model for model in asked["annealed"] if not model.variation} != set()
    # capacity compares its models with those of the grid
    compared = {f"l1-{kind}" for kind in ("vae-k1", "iwae-k50", "vae-k1-z100", "iwae-k50-z100")}
    assert {model.kind for model in asked["implicit"] if model.latents != 2} == compared
    shorter = next(model for model in study.models if model.passes)
    assert study.sections_of(shorter) == ("training", "likelihood", "activity", "chopped", "surgery")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("warm_starts", "models"), ["iwae-k50"], "experiments.warm_starts: 'iwae-k50' is not a continued model"),
        (("warm_starts", "models"), ["iwae-k50-from-vae"], "experiments.warm_starts: variation 'from-vae' is unknown"),
        (("two_latents", "models"), ["iwae-k5-z2"], "experiments.two_latents: 'iwae-k5-z2' is impossible here"),
        (("capacity", "latents"), [50], "experiments.capacity: variation 'z50' is impossible"),
        (
            ("protocols", "variants"),
            ["kl"],
            "experiments.protocols.variants: variant 'kl' of the protocol is impossible",
        ),
        (
            ("protocols", "variants"),
            ["authors-code"],
            "experiments.protocols.variants: variant 'authors-code' of the pr",
        ),
        (("warm_starts", "models"), ["foo"], "experiments.warm_starts: 'foo' is no kind of model: write an objective"),
        (("capacity", "models"), ["iwae-k1"], "experiments.capacity: 'iwae-k1' is impossible: with k = 1 the IWAE is"),
        *(
            (
                (name, "priors"),
                ["mog100", prior],
                f"experiments.{name}.priors: {prior!r} is impossible: it is no prior, so write mog100 or vamp100",
            )
            for name, prior in (("priors", "mog"), ("priors", "z10"), ("other_priors", "vamp0"))
        ),
        (("protocols", "variants"), ["beta1"], "experiments.protocols.variants: variant 'beta1' of the protocol is un"),
        (("other_datasets", "datasets"), ["mnist", 1], "experiments.other_datasets.datasets: 1 is unknown"),
        (("convergence", "of"), ["priors"], "experiments.convergence.of: 'priors' is turned off"),
        (("convergence", "models"), ["vae-k7"], "experiments.convergence: it chooses no model of the study: change"),
        (("capacity", "run"), "yes", "experiments.capacity.run: 'yes' must be"),
    ],
)
def test_an_impossible_experiment_gives_a_clear_sentence(configuration, problems, path, value, expected):
    experiment, key = path
    config = configuration(experiments={experiment: {"run": True} | {key: value}})
    assert [line for line in problems(config) if line.startswith(expected)]


def test_models_of_other_passes_need_a_cosine_and_a_number_that_is_not_the_study_s(configuration, problems):
    again = {"convergence": {"run": True, "passes": [33]}}
    (line,) = problems(configuration(experiments=again))
    assert line.startswith("experiments.convergence.run: it needs a cosine schedule (protocol efficient)")
    (line,) = problems(configuration(experiments=again, training={"protocol": "efficient", "passes": 33}))
    assert line.startswith("training.passes: 33 are asked of some models by name, too")


def test_a_prior_of_too_many_components_is_refused_once_by_its_key(configuration, problems):
    on = {"run": True, "priors": ["mog23000", "mog60000"]}
    config = configuration(grid={"datasets": ["mnist", "omniglot"]}, experiments={"priors": on, "other_priors": on})
    sentence = "priors: 'mog60000' is impossible: it has more components than the 59600 training images"
    assert problems(config) == [f"experiments.{name}.{sentence}" for name in ("priors", "other_priors")]
    config["training"]["train_images"] = 22_000
    assert len(problems(config)) == 4


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("adam-beta1", "variant 'adam-beta1' of the .* did you mean .adam_beta1.[?]"),
        ("dropout", "variant 'dropout' of the protocol is unknown: use one of .*"),
        ("peak_rate-0.1", "protocol field peak_rate has no effect, .*"),
    ],
)
def test_what_is_no_variant_is_said_once(configuration, problems, variant, expected):
    (line,) = problems(configuration(experiments={"protocols": {"run": True, "variants": [variant]}}))
    assert re.fullmatch(rf"experiments\.protocols\.variants: {expected}", line)


def test_a_measurement_of_what_is_turned_off_is_refused(configuration, problems):
    config = configuration(annealed={"of": ["grid", "priors"]})
    assert problems(config) == ["annealed.of: 'priors' is turned off, so it has no models"]


def test_a_measurement_that_is_turned_off_is_no_part_of_the_study(configuration):
    assert "chopped" in read_study(configuration()).sections
    assert "chopped" not in read_study(configuration(chopped={"run": False})).sections


def test_a_variant_departs_from_the_protocol_with_its_overrides(configuration):
    config = configuration(
        training={"overrides": {"optimizer_state": "reset", "adam_beta1": 0.9}},
        experiments={"protocols": {"run": True, "variants": ["optimizer_state", "adam_beta1"]}},
    )
    study = read_study(config)
    settings = {model.variant: study.settings("training", model)["protocol"] for model in study.models}
    assert settings["optimizer_state"] == settings[None] | {"optimizer_state": "carried"}
    assert settings["adam_beta1"] == settings[None] | {"adam_beta1": 0.99}


def test_a_variant_s_held_out_images_count_too(configuration, problems):
    config = configuration(training={"protocol": "paper-text", "train_images": 60_000})
    read_study(config)
    config["experiments"]["protocols"] |= {"run": True, "variants": ["authors-code"]}
    assert problems(config) == [
        "training.train_images: 60000 is impossible: it must be 59600 or less, what the protocol leaves"
    ]


def test_a_validation_file_is_not_trained_on(configuration, problems):
    config = configuration(training={"protocol": "paper-text", "train_images": 55_000})
    config["grid"]["datasets"] = ["mnist-fixed"]
    assert problems(config) == [
        "training.train_images: 55000 is impossible: it must be 50000 or less, what the protocol leaves"
    ]
