"""Tables and figures of priors: trained ones, each minus N(0, I), and those put in the place of another."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from iwae.reporting.contents import TABLES
from iwae.reporting.figures import plotted
from iwae.reporting.figures.variations import protocols
from iwae.reporting.study import Kind, Model, StudyResults, kind_of
from iwae.reporting.tables import build
from iwae.reporting.tables.priors import without_prior
from iwae.reporting.tables.replaced import shown
from iwae.reporting.tables.variations import base_of
from iwae.study.registry import prior_label
from iwae.study.specification import ModelSpec


@pytest.fixture(scope="module")
def study(synthetic, tmp_path_factory):
    kinds = ("l1-vae-k1", "l1-vae-k1-mog100", "l1-vae-k1-vamp100")
    models = [ModelSpec.parse(f"mnist/{kind}/seed{seed}") for kind in kinds for seed in (0, 1)]
    sections = ("training", "likelihood", "activity", "surgery", "pictures", "replaced")
    folder = tmp_path_factory.mktemp("results") / "priors"
    return StudyResults.open(synthetic.study(folder, models, sections=sections))


def cells_of(table, heading):
    column = next(place for place, each in enumerate(table.columns) if each.label.startswith(heading))
    return [row[column] for row in table.rows]


def test_priors_are_compared_with_the_standard_one_over_the_same_images(study):
    frame, (table, terms) = build("priors", study)
    assert cells_of(table, "prior") == ["N(0, I)", "MoG 100", "VampPrior 100"]
    assert pd.isna(frame.difference[0])
    for row in frame[1:].itertuples():
        pairs = [
            [
                study.by_kind[ModelSpec.parse(f"{name}/seed0")][seed].array("likelihood", "test").astype(float)
                for name in (frame.model[0], row.model)
            ]
            for seed in (0, 1)
        ]
        each = np.mean([base - own for base, own in pairs], axis=0)
        assert row.difference == pytest.approx(each.mean())
        assert row.difference_se_images == pytest.approx(each.std(ddof=1) / len(each) ** 0.5)
    assert cells_of(terms, "marginal_kl") == [f"{value:.2f}" for value in frame.marginal_kl]


def test_passes_stand_before_the_protocol_in_the_name_of_a_model_with_fewer():
    kinds = ["l1-vae-k1-mog9-with-shuffle", "l1-vae-k1-mog9-p3-with-shuffle", "l1-vae-k1-mog9-p3", "l1-vae-k1-p3"]
    specs = [ModelSpec.parse(f"mnist/{kind}/seed0") for kind in kinds]
    study = StudyResults(Path(), tuple(Model(spec, Path(), {}) for spec in specs), tuple(specs), ())
    assert study.shorter(kind_of(specs[0])) == {3: kind_of(specs[1])}


@pytest.fixture(scope="module")
def warmed(synthetic, tmp_path_factory):
    """Models with and without a prior, under the study's own protocol and another."""
    kinds = [f"l1-vae-k1{prior}{variant}" for prior in ("", "-mog9", "-vamp9") for variant in ("", "-with-shuffle")]
    models = [ModelSpec.parse(f"mnist/{kind}/seed0") for kind in kinds]
    return StudyResults.open(synthetic.study(tmp_path_factory.mktemp("results") / "warmed", models))


def test_a_prior_under_another_protocol_is_compared_with_the_standard_one_under_the_same(warmed):
    frame, (table, _) = build("priors", warmed)
    assert cells_of(table, "prior") == ["N(0, I)", "MoG 9", "VampPrior 9"] * 2
    assert cells_of(table, "protocol") == ["own"] * 3 + ["shuffle"] * 3
    nll = frame.set_index(["variant", "prior"]).nll
    for row in frame[frame.prior != "N(0, I)"].itertuples():
        assert row.difference == pytest.approx(nll[row.variant, row.prior] - nll[row.variant, "N(0, I)"])
    assert any("with N(0, I), of the same protocol, in nats" in note for note in table.notes)
    assert "own: the study's own protocol, authors-code." in table.notes


def test_a_protocol_is_compared_with_the_own_one_of_the_same_prior(warmed):
    frame, (table,) = build("protocols", warmed)
    assert cells_of(table, "prior") == ["N(0, I)"] * 2 + ["MoG 9"] * 2 + ["VampPrior 9"] * 2
    assert cells_of(table, "protocol") == ["own", "shuffle"] * 3
    nll = frame.nll.tolist()
    differences = [later - own for own, later in zip(nll[::2], nll[1::2], strict=True)]
    assert frame.difference[1::2].tolist() == pytest.approx(differences) and frame.difference[::2].isna().all()
    drawn = plotted("protocols", warmed)
    assert drawn.prior.tolist() == ["N(0, I)", "MoG 9", "VampPrior 9"]
    assert drawn.difference.tolist() == pytest.approx(differences)
    figure = protocols.draw(drawn)
    names = [text.get_text() for text in figure.legends[0].get_texts()][:3]
    assert names == [f"1 layer, VAE, k=1, {prior}" for prior in drawn.prior]
    assert len({line.get_marker() for line in figure.legends[0].get_lines()[:3]}) == 3


@pytest.mark.parametrize(
    ("variation", "base"),
    [
        ("with-loss", ""),
        ("mog9-with-kl_warm_up-10", "mog9"),
        ("vamp9-by-dreg", "vamp9"),
        ("z10-mog100", "mog100"),
        ("mog9", "mog9"),
    ],
)
def test_a_variation_has_the_base_that_it_differs_from_in_one_thing(variation, base):
    assert base_of(Kind("mnist", 1, "iwae", 5, 0, variation)).variation == base


def test_other_priors_take_the_place_of_models_under_the_own_protocol_alone(warmed):
    models = [spec.variation for spec in warmed.specs if TABLES["replaced"].about(spec)]
    assert models == ["", "mog9", "vamp9"]


def test_gains_of_replaced_priors_and_what_is_memory(study):
    frame, (table,) = build("replaced", study)
    own = frame[frame.own == "N(0, I)"].set_index("prior")
    assert own.elbo_train.to_dict() == pytest.approx({"mog10": 2, "aggregate": 13, "leave-one-out": -6}, abs=0.1)
    assert own.elbo_test["aggregate"] == pytest.approx(-7, abs=0.1) and pd.isna(own.elbo_test["leave-one-out"])
    assert own.elbo_train_se_images.max() < 0.1
    assert set(cells_of(table, "prior in its place")) == {"MoG 10", "q(z)", "q(z), own image left out"}
    assert any("memory of the image itself" in note for note in table.notes)
    figure = plotted("replaced", study)
    assert set(figure.prior) == {"mog10", "aggregate"} and set(figure.split) == {"train", "test"}


@pytest.mark.parametrize(
    ("variation", "base"),
    [("mog500", ""), ("z2-vamp50", "z2"), ("hvae-vamp100-p13", "hvae-p13"), ("hvae", "hvae"), ("", "")],
)
def test_the_same_model_with_the_standard_prior(variation, base):
    kind = Kind("mnist", 2 if "hvae" in variation else 1, "vae", 1, 0, variation)
    assert without_prior(kind).variation == base


def test_names_for_people():
    assert [prior_label(name) for name in ("standard", "mog10", "vamp500")] == ["N(0, I)", "MoG 10", "VampPrior 500"]
    assert shown("posteriors500") == "500 posteriors"
