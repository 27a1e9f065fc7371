"""The configuration: what is accepted, and that all else is refused, at once and in sentences that name the key."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iwae import cuda
from iwae.errors import InputError
from iwae.study.configuration import read_study, study_of
from iwae.study.keys import configuration_keys
from iwae.study.measurements import MEASUREMENTS
from iwae.study.protocol import Protocol
from iwae.study.registry import DATASETS
from iwae.study.settings import TrainingSettings

ROOT = Path(__file__).resolve().parents[2]
PAPER = yaml.safe_load((ROOT / "config.yaml").read_text())
KEYS = [(key,) for key in PAPER] + [
    (group, key) for group, keys in PAPER.items() if isinstance(keys, dict) for key in keys
]

junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


def changed(path, value):
    """The paper's configuration with one key set to `value`."""
    config = copy.deepcopy(PAPER)
    group = config
    for key in path[:-1]:
        group = group[key]
    group[path[-1]] = value
    return config


def test_the_paper_study_has_the_settings_of_the_paper():
    study = read_study(PAPER)
    assert sum(model.variation == "" for model in study.models) == 2 * (1 + 2 + 2) * 3
    assert study.training == TrainingSettings()
    run = [name for name, group in PAPER.items() if name in MEASUREMENTS and group.get("run", True)]
    assert study.measurements == {name: MEASUREMENTS[name].settings() for name in MEASUREMENTS if name in run}


def test_every_overlay_in_config_is_accepted(configuration):
    for file in (ROOT / "config").glob("*.yaml"):
        study = read_study(configuration(**yaml.safe_load(file.read_text())))
        assert study.name == file.stem, f"{file} would write into another study's folder"


def entries(config, declared, place=()):
    """Each key of the configuration with its declaration, which must be the same keys."""
    assert set(config) == set(declared), place
    for key, entry in declared.items():
        if isinstance(entry, Mapping):
            yield from entries(config[key], entry, (*place, key))
        else:
            yield (*place, key), entry


def comments():
    """The comment above each key of config.yaml."""
    found, comment, place = {}, [], []
    for line in (ROOT / "config.yaml").read_text().splitlines():
        text, level = line.strip(), (len(line) - len(line.lstrip())) // 2
        if text.startswith("#"):
            comment.append(text[1:].strip())
        elif match := re.match(r"(\w+):", text):
            place = [*place[:level], match[1]]
            found[tuple(place)], comment = " ".join(comment), []
        else:
            comment = []
    return found


def test_the_configuration_has_the_declared_keys_and_says_of_each_unit_and_source():
    said = comments()
    for place, entry in entries(PAPER, configuration_keys()):
        if place[0] == "experiments" and place[-1] in ("run", "datasets", "models", "seeds"):
            assert said[place[:2]], f"experiments.{place[1]} has no comment"
        elif place[-1] != "run":
            assert said[place], f"{'.'.join(place)} has no comment"
        for part in (entry.unit, entry.source):
            assert part.lower() in said[place].lower(), f"the comment of {'.'.join(place)} lacks {part!r}"


def test_every_declaration_says_what_the_setting_is():
    for place, entry in entries(PAPER, configuration_keys()):
        assert entry.about[0].isupper() and not entry.about.endswith("."), place
        assert entry.kind in (int, float, bool, str, dict), place


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("grid", "k"), [0], "grid.k: 0 is impossible: it must be 1 or more"),
        (("grid", "k"), [5, 1, 5], "grid.k: 5 is given more than once"),
        (("grid", "k"), [], "grid.k: the list is empty: give at least one value"),
        (("grid", "k"), 5, "grid.k: 5 must be a list; write [5]"),
        (("grid", "k"), [5.0], "grid.k: 5.0 must be a whole number"),
        (("grid", "layers"), [3], "grid.layers: 3 is unknown: use one of 1, 2"),
        (
            ("grid", "datasets"),
            ["mnits"],
            f"grid.datasets: 'mnits' is unknown: use one of {', '.join(DATASETS)}; did you mean \"mnist\"?",
        ),
        (("grid",), None, "grid: an empty value must be a group of keys"),
        (("annealed",), False, "annealed: False must be a group of keys; write {run: false}"),
        (("surgery", "run"), False, "surgery.run: unknown key: the group cannot be turned off"),
        (("grid", "foo"), [1], "grid.foo: unknown key: use datasets, layers, objectives, k, seeds"),
        (("study",), 2024, 'study: 2024 must be text; write "2024" in quotes'),
        (("study",), "a/b", "study: 'a/b' is impossible: it names a folder"),
        (("study",), "..", "study: '..' is impossible: it names a folder"),
        (("study",), "a" * 300, "is impossible: it names a folder, so use up to 100 letters"),
        (("experiments", "convergence", "models"), ["iwea-k5"], "experiments.convergence: objective 'iwea' is unknown"),
        (("gradients", "seeds"), [7], "gradients: it chooses no model of the study: change what it chooses, or turn"),
        (("training", "protocol"), "authors_code", 'did you mean "authors-code"?'),
        (("training", "stages"), 9, "training.stages: 9 is impossible: it must be 8 or less"),
        (("training", "checkpoint_minutes"), "1e-3", "write 1.0e-3 without quotes"),
        (("training", "batch_size"), "1e3", "write 1000 without quotes"),
        (("training", "train_images"), 19, "training: train_images = 19 is impossible: one minibatch has 20"),
        (("training", "train_images"), 60_000, "training.train_images: 60000 is impossible: it must be 59600 or less"),
        (("training", "batch_size"), 60_000, "training.batch_size: 60000 is impossible: it must be 59600 or less"),
        (("training", "overrides"), {"held_out": 60_000}, "held_out: 60000 is impossible: it must be 59999 or less"),
        (("training", "seed"), 2**32, "training.seed: 4294967296 is impossible: it must be 4294967295 or less"),
        (("training", "overrides"), {"adam_beta_1": 0.9}, 'did you mean "adam_beta1"?'),
        (("training", "overrides"), {"loss": "median"}, "training.overrides.loss: protocol field loss = 'median'"),
        (("training", "overrides"), {"adam_epsilon": float("nan")}, "nan is impossible: it must be a finite number"),
        (("training", "overrides"), None, "training.overrides: an empty value must be a group of keys"),
        (("data", "folder"), "no/such", "data.folder: there is no folder 'no/such'"),
        (("data", "path"), "my data", "data.path: 'my data' is impossible"),
        (("data", "path"), "$NOWHERE/data", "data.path: '$NOWHERE/data' names a variable that is not set"),
        (("device",), "gpu", "device: 'gpu' is unknown: use one of auto, cpu, cuda"),
        (("threads",), True, "threads: True must be a whole number"),
    ],
)
def test_an_impossible_value_gives_a_clear_sentence(problems, path, value, expected):
    assert [line for line in problems(changed(path, value)) if expected in line]


@given(st.sampled_from(KEYS), st.data())
def test_a_misspelt_key_is_named_with_the_right_one(problems, path, data):
    key = path[-1]
    position = data.draw(st.integers(0, len(key) - 1))
    wrong = key[:position] + data.draw(st.sampled_from("_xq")) + key[position:]  # a letter too many
    config = changed(path, None)
    group = config if len(path) == 1 else config[path[0]]
    del group[key]
    group[wrong] = 1
    place = ".".join([*path[:-1], wrong])
    suggested = [line for line in problems(config) if line.startswith(f"{place}: unknown key")]
    assert len(suggested) == 1
    assert len(key) < 3 or f'"{key}"' in suggested[0]


@given(st.sampled_from(KEYS), junk)
def test_any_value_is_accepted_or_refused_by_its_key(problems, path, value):
    config = changed(path, value)
    try:
        study = read_study(config)
    except InputError:
        assert any(line.startswith(path[0]) or ".".join(path) in line for line in problems(config))
    else:
        assert all(type(model.k) is int and type(model.seed) is int for model in study.models)
        assert {study.settings("training", model)["stages"] for model in study.models} == {study.training.stages}


def test_home_and_variables_stand_for_their_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WHERE", str(tmp_path))
    for path in ("~/data", "$HOME/data", "$WHERE/data"):
        assert read_study(changed(("data", "path"), path)).data == str(tmp_path / "data")


def test_few_training_images_are_one_problem_if_any(problems):
    assert read_study(changed(("training", "train_images"), 500)).training.train_images == 500
    assert len(problems(changed(("training", "train_images"), 10))) == 1


def test_a_problem_hides_no_other(problems):
    config = changed(("grid", "layers"), [3])
    config["grid"]["seeds"] = [2**31]
    config["training"] |= {"batch_size": 60_000, "seed": -1, "overrides": {"held_out": 500, "los": "sum"}}
    config["surgery"] |= {"sizes": [1], "seed": "0"}
    config["data"]["folder"] = "no/such"
    told = {line.split(":")[0] for line in problems(config)}
    assert told == {
        *("grid.layers", "grid.seeds", "training.batch_size", "training.seed", "training.overrides.los"),
        *("surgery.sizes", "surgery.seed", "data.folder"),
    }


@given(st.dictionaries(st.sampled_from(list(Protocol.__dataclass_fields__)) | st.text(max_size=4), junk, max_size=4))
def test_overrides_are_accepted_only_if_the_protocol_takes_them(problems, overrides):
    config = changed(("training", "overrides"), overrides)
    try:
        study = read_study(config)
    except InputError:
        assert all(line.startswith("training.overrides") for line in problems(config))
    else:
        fields = vars(study.training.protocol)
        assert all(fields[name] == value for name, value in overrides.items())


def test_a_gpu_trains_a_data_set_in_one_job_and_a_cpu_one_model():
    study = read_study(changed(("device",), "cuda"))
    # What is continued from trained models comes in a second job.
    assert {study.training_job(model) for model in study.models} == {"mnist", "mnist_warm_starts"}
    study = read_study(changed(("device",), "cpu"))
    assert len({study.training_job(model) for model in study.models}) == len(study.models)


@pytest.mark.parametrize(("obstacle", "device"), [("", "cuda"), ("there is no NVIDIA driver", "cpu")])
def test_auto_is_what_training_will_find(monkeypatch, obstacle, device):
    monkeypatch.setattr(cuda, "obstacle", lambda: obstacle)
    assert read_study(changed(("device",), "auto")).device == device


def test_a_configuration_of_an_earlier_version_is_the_same_study():
    config = changed(("device",), "cpu")
    known = study_of(config)
    del config["measure_by"], config["training"]["passes"], config["experiments"]["convergence"]
    assert study_of(config) == known
