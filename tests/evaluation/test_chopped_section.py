"""Measuring models without their inactive units: which units it removes, and what it refuses."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from iwae.data import splits
from iwae.data.binarization import binarize
from iwae.errors import InputError
from iwae.evaluation import activity, chopped, run
from iwae.files import write_rows
from iwae.study import manifest
from iwae.study.measurements import ActivitySettings, ChoppedSettings, LikelihoodSettings
from iwae.study.protocol import Protocol

ACTIVITY = ActivitySettings(samples=3, authors_images=5)
CHOPPED = ChoppedSettings(images=4, samples=10)


def measure(section, folder, settings, device):
    run.measure(folder, folder / "data", {section: settings}, device.type, 1)


def record_activity(folder, model, dead, column):
    """An activity.csv in which all units live but, in one column, each (layer, unit) of `dead`."""
    lives = {"activity": 0.5, "activity_authors": 0.5}
    rows = [
        {"layer": layer, "unit": unit, **lives, **({column: 0.01} if (layer, unit) in dead else {})}
        for layer, units in enumerate(model.architecture.latents, start=1)
        for unit in range(units)
    ]
    write_rows(folder / "activity.csv", rows)
    manifest.record(folder, model.spec, "activity", ACTIVITY.as_dict(), ["activity.csv"], {})


@pytest.mark.parametrize(
    ("variant", "column", "removed"),
    [
        ("one-sample", "activity_authors", [[2, 9], [4]]),
        ("definition", "activity", [[2, 9], [4]]),
        ("definition", "activity_authors", [[], []]),
    ],
)
def test_inactive_units_by_the_protocols_variant_are_removed(
    tmp_path, model_of, record_model, images, device, variant, column, removed
):
    model = model_of(2)
    settings = dataclasses.replace(model.settings, protocol=Protocol(initialization="independent", activity=variant))
    model = dataclasses.replace(model, settings=settings)
    record_model(tmp_path, model)
    record_activity(tmp_path, model, {(1, 2), (1, 9), (2, 4)}, column)
    measure("chopped", tmp_path, CHOPPED, device)
    counts = [[1, 100, len(removed[0])], [2, 50, len(removed[1])]]
    assert pd.read_csv(tmp_path / "chopped.csv")[["layer", "units", "removed"]].to_numpy().tolist() == counts
    chosen, train = splits.evenly_spaced(4, 11), binarize(images.train, 124)
    expected = chopped.measure(
        model,
        binarize(images.test, 123)[chosen],
        chosen,
        [np.array(dead, dtype=np.int64) for dead in removed],
        [
            layer.mean.mean(0).numpy()
            for layer in activity.posterior_means(model, train, 1, (0, "chopped/means"), device)
        ],
        CHOPPED,
        device,
    )
    with np.load(tmp_path / "chopped.npz") as arrays:
        assert set(arrays) == set(expected._fields)
        for name, array in expected._asdict().items():
            np.testing.assert_array_equal(arrays[name], array)
    assert (expected.whole == expected.chopped).all() == (removed == [[], []])


def test_chopped_has_the_draws_of_the_likelihood(folder, device):
    measure("activity", folder, ACTIVITY, device)
    measure("likelihood", folder, LikelihoodSettings(samples=10, test_images=4, train_images=3, seed=4), device)
    measure("chopped", folder, dataclasses.replace(CHOPPED, seed=4), device)  # the same samples and images
    with np.load(folder / "likelihood.npz") as whole, np.load(folder / "chopped.npz") as found:
        np.testing.assert_array_equal(found["images"], whole["test_images"])
        np.testing.assert_array_equal(found["whole"], whole["test"])
        assert {name: array.dtype.name for name, array in found.items()} == {
            "images": "int32",
            **dict.fromkeys(("whole", "chopped", "held"), "float32"),
        }


def test_chopped_wants_the_activity_of_these_weights(folder, model_of, record_model, device):
    with pytest.raises(
        InputError,
        match=r"^[^\n]*, which has no section 'activity': run `.* measure --model \S+ --sections activity`\.$",
    ):
        measure("chopped", folder, CHOPPED, device)
    measure("activity", folder, ACTIVITY, device)
    untouched = (folder / "activity.csv").read_bytes()
    (folder / "activity.csv").write_bytes(untouched.replace(b"0.0", b"0.1"))
    with pytest.raises(InputError, match=r"^[^\n]* is not the file its manifest describes[^\n]*\.$"):
        measure("chopped", folder, CHOPPED, device)
    (folder / "activity.csv").write_bytes(untouched)
    model = model_of(2)
    model.parameters["px.logits.bias"] += 1
    record_model(folder, model)
    with pytest.raises(InputError, match=r"^[^\n]* was measured of other weights than those there: [^\n]*\.$"):
        measure("chopped", folder, CHOPPED, device)
