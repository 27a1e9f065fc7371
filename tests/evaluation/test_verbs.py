"""The verbs that measure a model: the files they write, their columns, the manifest, and what they refuse."""

import csv
import json

import numpy as np
import pytest

from iwae.data.binarization import binarize
from iwae.errors import InputError
from iwae.evaluation import likelihood as likelihoods
from iwae.evaluation import run
from iwae.files import sha256
from iwae.study import manifest
from iwae.study.settings import ActivitySettings, ChoppedSettings, LikelihoodSettings, PicturesSettings, SurgerySettings

VERBS = {
    "likelihood": (
        LikelihoodSettings(samples=10, test_images=4, train_images=100),
        ["likelihood.npz", "likelihood.csv"],
    ),
    "activity": (ActivitySettings(samples=3, authors_images=5), ["activity.csv"]),
    "chopped": (ChoppedSettings(images=4, samples=10), ["chopped.npz", "chopped.csv"]),
    "surgery": (SurgerySettings(samples=6, sizes=(5,)), ["surgery.csv"]),
    "pictures": (PicturesSettings(samples=3, reconstructions=2), ["pictures.npz"]),
}
EACH = pytest.mark.parametrize("verb", VERBS)


def measure(verb, folder, device):
    getattr(run, verb)(folder, folder / "data", VERBS[verb][0], device.type, 1)


def prepare(verb, folder, device):
    """Measure what `verb` reads, and name the files of that."""
    if verb != "chopped":
        return []
    measure("activity", folder, device)
    return VERBS["activity"][1]


def recorded(verb):
    """The settings that the manifest holds."""
    settings = VERBS[verb][0].as_dict()
    return settings | {"activity": VERBS["activity"][0].as_dict()} if verb == "chopped" else settings


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@EACH
def test_a_verb_writes_its_files_and_enters_them(folder, device, verb):
    read, files = prepare(verb, folder, device), VERBS[verb][1]
    assert not manifest.is_current(folder, verb, recorded(verb))
    measure(verb, folder, device)
    assert manifest.is_current(folder, verb, recorded(verb))
    entry = manifest.read(folder)[verb]
    assert entry["files"] == {name: sha256(folder / name) for name in files}
    keys = {"device", "threads", "started", "wall_seconds", "data_sha256", "source_sha256", "git_commit", "torch"}
    assert keys <= set(entry["provenance"])
    written = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert written == {manifest.WEIGHTS, manifest.NAME, *read, *files}


@EACH
def test_the_same_again_gives_the_same_bytes(folder, device, verb):
    prepare(verb, folder, device)
    measure(verb, folder, device)
    first = manifest.read(folder)[verb]["files"]
    measure(verb, folder, device)
    assert manifest.read(folder)[verb]["files"] == first


def test_likelihood_files(folder, device):
    measure("likelihood", folder, device)
    rows = table(folder / "likelihood.csv")
    assert list(rows[0]) == ["split", "k", "bound", "se_images", "images", "deviation"]
    assert [(row["split"], int(row["k"]), int(row["images"])) for row in rows] == [
        (split, k, n) for split, n in (("test", 4), ("train", 9)) for k in (1, 2, 5, 10)
    ]
    assert {row["deviation"] for row in rows} == {""}  # ten samples are fewer than twenty groups
    with np.load(folder / "likelihood.npz") as arrays:
        types = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
        assert arrays["test_images"].tolist() == [0, 2, 5, 8]
        assert float(rows[3]["bound"]) == pytest.approx(arrays["test"].mean(), rel=1e-6)  # of float32
    assert types == {
        "test": ("float32", (4,)),
        "test_images": ("int32", (4,)),
        "test_ess": ("float32", (4,)),
        "train": ("float32", (9,)),
        "train_images": ("int32", (9,)),
        "train_ess": ("float32", (9,)),
    }


def test_other_files(folder, device):
    for verb in ("activity", "surgery", "pictures"):
        measure(verb, folder, device)
    rows = table(folder / "activity.csv")
    assert list(rows[0]) == ["layer", "unit", "activity", "activity_authors"]
    expected = [("1", str(unit)) for unit in range(100)] + [("2", str(unit)) for unit in range(50)]
    assert [(row["layer"], row["unit"]) for row in rows] == expected
    rows = table(folder / "surgery.csv")
    assert list(rows[0]) == ["images", "term", "value", "se"]
    terms = ["reconstruction", "mutual_information", "index_gap", "marginal_kl", "elbo", "residual"]
    assert [(row["images"], row["term"]) for row in rows] == [(n, term) for n in ("5", "9") for term in terms]
    with np.load(folder / "pictures.npz") as arrays:
        shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {"samples": (3, 784), "inputs": (2, 784), "reconstructions": (2, 784)}


def test_deviations_stand_where_there_are_twenty_groups(folder, device):
    settings = LikelihoodSettings(samples=40, test_images=4, train_images=3)
    run.likelihood(folder, folder / "data", settings, device.type, 1)
    rows = table(folder / "likelihood.csv")
    assert [(int(row["k"]), row["deviation"] != "") for row in rows if row["split"] == "test"] == [
        (1, True), (2, True), (5, False), (10, False), (20, False), (40, False)
    ]  # fmt: skip
    first, second = (float(row["deviation"]) for row in rows[:2])
    assert first > second > 0


def test_pictures_of_a_model_with_two_units_show_posteriors(tmp_path, model_of, record_model, images, device):
    record_model(tmp_path, model_of(1, latents=2))
    settings = PicturesSettings(samples=3, reconstructions=2, posterior_images=4, posterior_points=5)
    run.pictures(tmp_path, tmp_path / "data", settings, device.type, 1)
    with np.load(tmp_path / "pictures.npz") as arrays:
        shapes = {name: array.shape for name, array in arrays.items()}
        np.testing.assert_array_equal(arrays["posterior_inputs"], 255 * binarize(images.train, 124)[:4])
    assert shapes == {
        "samples": (3, 784),
        "inputs": (2, 784),
        "reconstructions": (2, 784),
        "posterior_axes": (4, 2, 5),
        "posterior_log_joint": (4, 5, 5),
        "posterior_mean": (4, 2),
        "posterior_deviation": (4, 2),
        "posterior_inputs": (4, 784),
        "posterior_reconstructions": (4, 784),
    }


def test_an_image_keeps_its_bits_in_every_subset(folder, images, device, monkeypatch):
    seen = []

    def spy(model, x, chosen, settings, split, *rest):
        seen.append((split, chosen, x))
        return evaluate(model, x, chosen, settings, split, *rest)

    evaluate = likelihoods.evaluate
    monkeypatch.setattr(likelihoods, "evaluate", spy)
    measure("likelihood", folder, device)
    for split, chosen, x in seen:
        np.testing.assert_array_equal(x, binarize(getattr(images, split), {"test": 123, "train": 124}[split])[chosen])


def test_failure_leaves_the_folder_as_it_was(folder, device, monkeypatch):
    measure("surgery", folder, device)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(run.surgeries, "measure", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measure("surgery", folder, device)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@EACH
def test_folder_without_a_model_is_refused_in_one_sentence(tmp_path, device, verb):
    with pytest.raises(InputError, match=r"^[^\n]* holds no model: [^\n]*\.$"):
        measure(verb, tmp_path, device)


@EACH
def test_weights_changed_after_training_are_refused(folder, device, verb):
    content = json.loads((folder / manifest.NAME).read_text())
    content["training"]["files"][manifest.WEIGHTS] = "0" * 64
    (folder / manifest.NAME).write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"^[^\n]* is not the file its manifest describes[^\n]*\.$"):
        measure(verb, folder, device)
