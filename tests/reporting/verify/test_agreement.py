"""What a manifest claims against what the other files of a model show, though every hash of them was made again."""

import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from iwae.reporting.verify.agreement import between_models, disagreements
from iwae.study import manifest
from iwae.study.specification import ModelSpec

SPEC = ModelSpec("mnist", 1, "vae", 5, 1)


@pytest.fixture
def folder(sealed, tmp_path):
    """A copy of the folder of one model."""
    return shutil.copytree(sealed / "results/small" / SPEC.name, tmp_path / SPEC.name)


def found(folder, spec=SPEC, **claims):
    """What contradicts the manifest, some of whose settings or provenance are changed."""
    content = manifest.read(folder)
    for name, value in claims.items():
        section, *groups, key = name.split("__")
        entry = content[section]
        changed = entry["settings"] if {*groups, key} & set(entry["settings"]) else entry["provenance"]
        (changed[groups[0]] if groups else changed)[key] = value
    return list(disagreements(folder, spec, content))


def test_what_was_written_together_agrees(folder):
    assert found(folder) == []


@pytest.mark.parametrize(
    ("claim", "value", "sentence"),
    [
        ("training__stages", 3, "training.csv: the last pass is 3280, by manifest.json it should be 13."),
        ("training__batch_size", 100, "training.csv: the last update is 9774400, by manifest.json it should be"),
        ("training__train_images", 50_000, "training.csv: the last update is 9774400"),
        ("training__protocol__held_out", 0, "training.csv has bounds on held-out images, which manifest.json contrad"),
        ("training__protocol__learning_rates", "exact", "training.csv: learning_rate in row 2 is 0.00072, by manifest"),
        ("training__updates", 7, "manifest.json: the number of updates made is 7, by its settings"),
        ("training__wall_seconds", 60.0, "training.csv: the time by images_per_second is 37"),
        ("training__stack", ["mnist/l1-vae-k1/seed0"], "is none of the models that it says were trained together"),
        (
            "training__moves",
            [{"device": "cuda", "updates": 10**7}],
            "it changed its device at updates [10000000] of 9774400",
        ),
        ("likelihood__samples", 50_000, "likelihood.csv: the largest k of test is 5000, by manifest.json"),
        ("likelihood__train_images", 1000, "likelihood.npz: the number of train images is 40,"),
        ("rebinarized__draws", 3, "rebinarized.csv: the binarizations is ['own', 'authors', 'draw 1', 'draw 2'], by"),
        ("chopped__images", 500, "chopped.npz: the number of images is 25, by manifest.json it should be 500."),
        ("surgery__sizes", (1000,), "surgery.csv: the numbers of images is [100, 59600]"),
        ("pictures__samples", 400, "pictures.npz: the number of samples is 70, by manifest.json it should be 400."),
        ("annealed__images", 29, "annealed.csv: the number of test images is 30, by manifest.json"),
        ("annealed__simulated", 6, "annealed.csv: the number of simulated images is 5, by manifest.json"),
        ("inference__images", 19, "inference.csv: the number of images is 20, by manifest.json"),
        ("implicit__ks", (1, 10), "implicit.csv: the numbers k is [1, 10, 100], by manifest.json"),
        ("implicit__images", 9, "implicit.csv: the number of images at k = 1 is 10, by manifest.json"),
        ("implicit__reconstructions", 2, "implicit.npz: the number of reconstructions is 3, by manifest.json"),
        ("gradients__ks", (1, 5), "gradients.csv: the numbers k is [1, 5, 50], by manifest.json"),
        ("replaced__images", 19, "replaced.npz: the number of test images is 20, by manifest.json"),
        ("replaced__components", (10, 500), "replaced.csv: the fitted mixtures is [10], by manifest.json"),
    ],
)
def test_a_claim_of_the_manifest_that_a_file_contradicts_is_named(folder, claim, value, sentence):
    assert any(sentence in line for line in found(folder, **{claim: value}))


@pytest.mark.parametrize(
    ("file", "column", "row", "value", "sentence"),
    [
        ("training.csv", "stage", 4, 1, "training.csv: stage in row 5 is 1, by manifest.json it"),
        ("training.csv", "updates", 4, 1, "training.csv: updates in row 5 is 1, by manifest.json"),
        ("likelihood.csv", "images", 0, 41, "likelihood.csv: images of test is {40, 41}, by likelihood.npz"),
        ("rebinarized.csv", "nll", 0, 70.0, "rebinarized.csv: nll of test images by the study's own bits differs by -"),
        ("activity.csv", "layer", 0, 2, "activity.csv: the number of units by layer is {1: 49, 2: 1}"),
        ("activity.csv", "activity_authors", 49, 0.5, "chopped.csv: the number of removed units by layer is ["),
        ("surgery.csv", "value", 10, -900.0, "surgery.csv: the ELBO differs by -"),
        ("annealed.csv", "upper", slice(None), -99.0, "annealed.csv: the lower bound lies above the upper bound by"),
        ("inference.csv", "encoder", slice(None), -150.0, "inference.csv: the ELBO of the encoder's q differs by -"),
        ("implicit.csv", "importance", slice(None), -150.0, "implicit.csv: L_1 differs by -"),
        ("implicit.csv", "upper", slice(None), -150.0, "implicit.csv: the lower bound at k = 1 lies above the upper"),
        ("replaced.csv", "elbo", 0, 0.0, "replaced.csv: elbo of mog10 on test images differs by -2"),
    ],
)
def test_a_file_that_contradicts_another_is_named(folder, synthetic, file, column, row, value, sentence):
    synthetic.edit(folder / file, lambda frame: frame.loc.__setitem__((row, column), value))
    assert any(sentence in line for line in found(folder))


def test_two_images_that_happen_to_be_alike_contradict_nothing(folder):
    table = pd.read_csv(folder / "inference.csv")[:2]
    table.encoder = table.encoder.mean() + [-10.0, -10.01]
    table.to_csv(folder / "inference.csv", index=False)
    assert found(folder, inference__images=2) == []


def test_one_image_in_common_contradicts_nothing(folder, synthetic):
    def renumber(arrays):
        arrays["images"][1:] += 1000

    synthetic.edit(folder / "chopped.npz", renumber)
    assert found(folder) == []


def test_arrays_and_weights_that_contradict_the_rest_are_named(folder, synthetic):
    def raise_both(arrays):
        arrays.update({name: arrays[name] + 1 for name in ("whole", "chopped")})

    synthetic.edit(folder / "chopped.npz", raise_both)
    (line,) = found(folder)
    assert "chopped.npz: log p(x) of the whole model differs by +1.000 nats from that in likelihood.npz" in line
    weights = load_file(folder / manifest.WEIGHTS)
    weights["q1.mean.bias"][0] = np.nan
    save_file(weights, folder / manifest.WEIGHTS)
    assert any("q1.mean.bias is not finite" in line for line in found(folder))
    resized = ModelSpec.parse("mnist/l1-vae-k5-z25/seed1")
    assert any(
        "the number of latent units is 50, by manifest.json it should be 25" in line for line in found(folder, resized)
    )


def test_the_weights_of_one_training_cannot_be_two_models(study):
    results, other = study[0], ModelSpec("mnist", 1, "vae", 5, 0)
    assert list(between_models(results, [SPEC, other])) == []
    shutil.copy(results / SPEC.name / manifest.NAME, results / other.name / manifest.NAME)
    (line,) = between_models(results, [SPEC, other])
    assert f"is that of {SPEC.name}" in line
