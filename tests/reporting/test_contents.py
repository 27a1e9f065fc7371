"""Which tables and figures a study has, and that the workflow may ask without pandas."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.errors import InputError
from iwae.reporting import contents
from iwae.reporting.contents import FIGURES, TABLES
from iwae.reporting.figures import figures_of
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import tables_of
from iwae.study.manifest import SECTIONS
from iwae.study.specification import ModelSpec, grid
from iwae.study.status import FILES

BASE = ModelSpec("mnist", 1, "iwae", 50, 0)


def every(model):
    return SECTIONS


def always(model):
    return ("training", "likelihood", "activity")


def variation(name):
    return replace(BASE, variation=name)


PRIOR_FIGURES = ("prior_samples", "pseudo_inputs", "plane")


@pytest.mark.parametrize("kind", ["table", "figure"])
def test_every_entry_has_a_module_with_its_two_functions_and_is_captioned(kind):
    models = [
        BASE,
        *map(variation, ("z2", "z100", "z2-vamp9", "from-vae-k1", "by-dreg", "with-paper-text")),
        replace(BASE, dataset="mnist-fixed"),
    ]
    reader = pytest.importorskip("docutils.core")  # not where there is no Snakemake, as on a machine for its GPU alone
    for name in {"table": TABLES, "figure": FIGURES}[kind]:
        item, module = contents.recipe(kind, name, models, every)
        first, second = {"table": ("rows", "lay_out"), "figure": ("data", "draw")}[kind]
        assert callable(getattr(module, first)) and callable(getattr(module, second))
        assert item.title and (kind == "table" or item.caption.endswith("."))
        # As a report does, from reStructuredText.
        reader.publish_parts(item.caption, settings_overrides={"halt_level": 2})


def test_a_grid_has_no_tables_of_experiments():
    experiments = ("table2", "table3", "capacity", "protocols", "estimators", "priors")
    assert list(contents.tables([BASE], every)) == [name for name in TABLES if name not in experiments]
    assert list(contents.figures([BASE], every)) == [
        name
        for name in FIGURES
        if name not in ("capacity", "protocols", "schedules", "posterior", "implicit", *PRIOR_FIGURES)
    ]


@pytest.mark.parametrize(
    ("name", "tables", "figures"),
    [
        ("from-vae-k1", {"table2"}, set()),
        ("z2", set(), {"posterior", "implicit"}),
        ("z100", {"capacity"}, {"capacity"}),
        ("by-dreg", {"estimators"}, set()),
        ("mog9", {"priors", "replaced"}, {"prior_samples"}),
        ("z2-vamp9", {"priors", "replaced"}, set(PRIOR_FIGURES)),
        ("mog9-with-shuffle", {"priors", "protocols"}, {"protocols"}),
        ("z2-vamp9-p13", set(), set()),
        ("with-shuffle", {"protocols"}, {"protocols"}),
        ("with-efficient", {"protocols"}, {"protocols", "schedules"}),
    ],
)
def test_an_experiment_alone_has_its_own_and_nothing_of_the_grid(name, tables, figures):
    assert set(contents.tables([variation(name)], every)) == tables | {"models"}
    assert set(contents.figures([variation(name)], every)) == figures
    assert tables <= set(contents.tables([BASE, variation(name)], every))


def test_weights_that_all_models_have_lost_are_no_figure():
    other = replace(BASE, seed=1)
    assert "weights" in contents.figures([BASE, other], every, [BASE])
    assert set(contents.figures([BASE], every)) - set(contents.figures([BASE], every, [BASE])) == {"weights"}


@pytest.mark.parametrize(
    ("dataset", "table"),
    [("mnist", "table1"), ("omniglot", "table1"), ("mnist-fixed", "table3"), ("mnist-static", "table3")],
)
def test_the_data_set_decides_between_tables_1_and_3(dataset, table):
    found = set(contents.tables([replace(BASE, dataset=dataset)], every))
    assert found & {"table1", "table3"} == {table}


def test_steps_that_are_off_take_their_tables_and_figures_with_them():
    assert list(contents.tables([BASE], always)) == ["table1", "generalization", "models"]
    assert list(contents.figures([BASE, variation("z2")], always)) == [
        "nll",
        "activity",
        "learning",
        "bound",
        "weights",
    ]


def test_a_step_that_is_for_some_models_has_the_tables_and_figures_of_these():
    def sections_of(model):
        return SECTIONS if model == BASE else always(model)

    models = [BASE, variation("z2"), replace(BASE, dataset="mnist-static")]
    figures = contents.figures(models, sections_of)
    assert {"picked", "gradients"} <= set(figures) and not {"implicit", "posterior"} & set(figures)
    assert [model for model in models if figures["picked"].shows(model, sections_of(model))] == [BASE]


@given(st.lists(st.sampled_from([BASE, *map(variation, ("z2", "z100", "from-vae-k1", "by-dreg", "with-paper-text"))])))
def test_more_models_take_nothing_away(models):
    for part in (contents.tables, contents.figures):
        assert set(part(models, every)) <= set(part([*models, BASE], every))
        assert list(part(models, every)) == list(part(reversed(models), every))


def test_figures_name_files_that_models_have():
    known = {file for files in FILES.values() for file in files}
    for name, item in contents.figures([BASE, variation("z2"), variation("z3"), variation("with-loss")], every).items():
        assert name in FIGURES and item.files and set(item.files) <= known


def test_a_study_says_the_same(varied, whole):
    for folder in (varied, whole):
        study = StudyResults.open(folder)
        assert list(tables_of(study)) == list(contents.tables(study.specs, study.sections_of))
        assert list(figures_of(study)) == list(contents.figures(study.specs, study.sections_of))


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("table", "table2", "experiments.warm_starts"),
        ("table", "table3", "mnist-fixed or mnist-static in `grid.datasets` or `experiments.other_datasets`"),
        ("figure", "posterior", "experiments.two_latents"),
    ],
)
def test_what_a_study_lacks_is_refused_with_the_key_that_provides_it(kind, name, key):
    with pytest.raises(InputError, match=f"this study has no {kind} '{name}': ask for .*{key}.* in its configuration"):
        contents.recipe(kind, name, grid(["mnist"], [1], ["vae"], [1], [0]), every)


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="table 'table9' is unknown: use one of table1, table2, table3"):
        contents.recipe("table", "table9", [BASE], every)


def test_an_entry_whose_module_is_not_there_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setitem(TABLES, "surgery", replace(TABLES["surgery"], module="surgary"))
    with pytest.raises(InputError, match="iwae.reporting.tables.surgary is not there .*: correct the entry that names"):
        contents.recipe("table", "surgery", [BASE], every)
