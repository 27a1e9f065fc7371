"""Measuring a model: the files of each section, their columns, the manifest, what is measured again, and refusals."""

import csv
import errno
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from iwae.data.binarization import binarize, binarize_as_authors
from iwae.errors import InputError
from iwae.evaluation import likelihood as likelihoods
from iwae.evaluation import rebinarized, run, subject
from iwae.evaluation import surgery as surgeries
from iwae.files import sha256
from iwae.study import manifest
from iwae.study.measurements import (
    MEASUREMENTS,
    ActivitySettings,
    AnnealedSettings,
    ChoppedSettings,
    GradientsSettings,
    ImplicitSettings,
    InferenceSettings,
    LikelihoodSettings,
    PicturesSettings,
    RebinarizedSettings,
    ReplacedSettings,
    SurgerySettings,
)
from iwae.study.specification import ModelSpec

WANTED = {
    "likelihood": LikelihoodSettings(samples=10, test_images=4, train_images=100),
    "rebinarized": RebinarizedSettings(samples=10, test_images=4, train_images=100, draws=2),
    "activity": ActivitySettings(samples=3, authors_images=5),
    "chopped": ChoppedSettings(images=4, samples=10),
    "surgery": SurgerySettings(samples=6, sizes=(5,)),
    "replaced": ReplacedSettings(components=(2,), iterations=2, posteriors=4, images=6, samples=3),
    "pictures": PicturesSettings(samples=3, reconstructions=2),
    "annealed": AnnealedSettings(images=4, simulated=3, temperatures=3, chains=2, leapfrogs=2),
    "inference": InferenceSettings(images=4, samples=2, diagonal_steps=3, full_steps=2, elbo_samples=8),
    "gradients": GradientsSettings(images=2, ks=(1, 2), replicates=5),
    "implicit": ImplicitSettings(images=4, ks=(1, 3), sets=2, groups=2, reconstructions=2),
}
EACH = pytest.mark.parametrize("section", WANTED)


def measure(folder, device, *sections, **settings):
    run.measure(folder, folder / "data", settings or {name: WANTED[name] for name in sections}, device.type, 1)


def with_read(section):
    """A section after those that it reads."""
    return (*MEASUREMENTS[section].reads, section)


def recorded(section):
    """The settings that the manifest holds."""
    return WANTED[section].as_dict() | {name: WANTED[name].as_dict() for name in MEASUREMENTS[section].reads}


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_measurement_has_settings_here():
    assert list(WANTED) == list(MEASUREMENTS)


@EACH
def test_a_section_has_its_files_and_its_entry(folder, device, section):
    assert not manifest.is_current(folder, section, recorded(section))
    measure(folder, device, *with_read(section))
    assert manifest.is_current(folder, section, recorded(section))
    entry = manifest.read(folder)[section]
    assert entry["files"] == {name: sha256(folder / name) for name in MEASUREMENTS[section].files}
    keys = {"device", "threads", "started", "wall_seconds", "data_sha256", "source_sha256", "git_commit", "torch"}
    assert keys <= set(entry["provenance"])
    written = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    files = {name for each in with_read(section) for name in MEASUREMENTS[each].files}
    assert written == {manifest.WEIGHTS, manifest.NAME, *files}


@EACH
def test_what_is_lost_is_measured_again_with_the_same_bytes(folder, device, section):
    measure(folder, device, *with_read(section))
    first = manifest.read(folder)[section]["files"]
    (folder / next(iter(first))).unlink()
    measure(folder, device, section)
    assert manifest.read(folder)[section]["files"] == first


def test_the_model_and_its_images_are_read_once_for_all_that_is_lacking(folder, device, monkeypatch):
    measure(folder, device, "surgery")
    before = manifest.read(folder)["surgery"]
    opened, measured = [], []
    spy(monkeypatch, subject.splits, "load", lambda *_: opened.append("data"))
    spy(monkeypatch, manifest, "record", lambda folder, model, section, *_: measured.append(section))
    measure(folder, device, *reversed(WANTED))
    assert opened == ["data"]
    lacking = [section for section in MEASUREMENTS if section != "surgery"]
    assert measured == lacking  # each after what it reads
    assert manifest.read(folder)["surgery"] == before
    measure(folder, device, *WANTED)
    assert opened == ["data"] and measured == lacking


def test_what_was_measured_otherwise_is_refused_until_it_is_deleted(folder, device, monkeypatch):
    measure(folder, device, "activity", "chopped", "pictures")
    measured = []
    spy(monkeypatch, manifest, "record", lambda folder, model, section, *_: measured.append(section))
    other = {name: WANTED[name] for name in ("surgery", "chopped", "pictures")}
    other["activity"] = ActivitySettings(samples=4, authors_images=5)
    for section, setting, file in (
        ("activity", "samples", "activity.csv"),
        ("chopped", r"activity\.samples", "chopped.npz"),  # which reads it
    ):
        said = rf"holds {section} measured otherwise \({setting} is 3, asked is 4\): choose .*, or delete {file} there"
        with pytest.raises(InputError, match=said):
            measure(folder, device, **other)
        assert measured == []
        (folder / file).unlink()
    measure(folder, device, **other)
    assert measured == ["activity", "chopped", "surgery"]


def test_an_interruption_loses_the_section_at_work_alone(folder, device, monkeypatch):
    monkeypatch.setattr(surgeries, "measure", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measure(folder, device, *WANTED)
    found = manifest.read(folder)
    assert [name for name in WANTED if name in found] == ["likelihood", "rebinarized", "activity", "chopped"]


def spy(monkeypatch, module, name, note):
    """Let `note` see the arguments of a function, which works as before."""
    function = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *arguments: (note(*arguments), function(*arguments))[1])


def test_a_model_that_is_trained_further_meanwhile_is_measured_again(folder, device, monkeypatch):
    def train_further(*_):
        save_file({"weight": torch.ones(3)}, folder / manifest.WEIGHTS)
        content = manifest.read(folder)
        spec = ModelSpec(**content["model"])
        manifest.record(folder, spec, "training", content["training"]["settings"], [manifest.WEIGHTS], {})

    spy(monkeypatch, surgeries, "measure", train_further)
    measure(folder, device, "surgery")
    assert not manifest.is_current(folder, "surgery", recorded("surgery"))


def test_what_is_not_finite_is_refused_and_the_folder_left_as_it_was(folder, device, monkeypatch):
    measure(folder, device, "surgery")
    (folder / "surgery.csv").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for value, said in (
        (float("nan"), "surgery of mnist/l2-iwae-k5/seed0 has values that are not finite"),
        (torch.tensor(1.0), "surgery.csv has a Tensor in its column value: write its .item()"),
    ):
        rows = [{"images": 9, "term": "elbo", "value": value, "se": 0.1}]
        monkeypatch.setattr(surgeries, "measure", lambda *_, rows=rows: rows)
        with pytest.raises(InputError, match=said):
            measure(folder, device, "surgery")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_measurement_that_does_not_write_its_files_is_named(folder, device, monkeypatch):
    monkeypatch.setattr(surgeries, "write", lambda *_: None)
    with pytest.raises(InputError, match="^surgery has not written surgery.csv, which its entry in MEASUREMENTS names"):
        measure(folder, device, "surgery")


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(folder, device, monkeypatch):
    def refuse(dir):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))

    monkeypatch.setattr(run.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(run.Subject, "open", lambda *_: pytest.fail("it has begun"))
    with pytest.raises(InputError, match=rf"^{folder} cannot be written \(Read-only file system\): "):
        measure(folder, device, "surgery")


def test_own_bits_of_rebinarized_are_those_of_the_likelihood(folder, images, device, monkeypatch):
    """The second are the authors', and no two of all splits and draws are alike."""
    seen = []
    spy(monkeypatch, rebinarized, "evaluate", lambda _model, bits, chosen, *_: seen.append((bits, chosen)))
    measure(folder, device, "likelihood", "rebinarized")
    for (bits, chosen), pixels in zip(seen[1::4], (images.test, images.train), strict=True):
        np.testing.assert_array_equal(bits, binarize_as_authors(pixels)[chosen])
    assert len({(len(bits), bits.tobytes()) for bits, _ in seen}) == len(seen) == 8
    rows = table(folder / "rebinarized.csv")
    assert [row["binarization"] for row in rows] == ["own", "authors", "draw 1", "draw 2"]
    last = {row["split"]: -float(row["bound"]) for row in table(folder / "likelihood.csv") if row["k"] == "10"}
    assert float(rows[0]["nll"]) == pytest.approx(last["test"], abs=1e-4)
    assert float(rows[0]["nll_train"]) == pytest.approx(last["train"], abs=1e-4)
    for column in ("nll", "nll_train"):
        assert len({row[column] for row in rows}) == 4


def test_a_model_of_one_binarization_is_measured_on_that_one(tmp_path, model_of, record_model, images, device):
    model = model_of(1)
    protocol = replace(model.settings.protocol, binarization="once")
    record_model(tmp_path, replace(model, settings=replace(model.settings, protocol=protocol, study_seed=7)))
    found = subject.Subject.open(tmp_path, tmp_path, device.type, 1)
    np.testing.assert_array_equal(found.train, binarize(images.train, 7))
    np.testing.assert_array_equal(found.test, binarize(images.test, protocol.test_binarization_seed))


def test_likelihood_files(folder, device):
    measure(folder, device, "likelihood")
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
    measure(folder, device, "activity", "surgery", "pictures")
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


def test_pictures_of_a_model_with_two_units_show_posteriors(tmp_path, model_of, record_model, images, device):
    record_model(tmp_path, model_of(1, latents=2))
    settings = PicturesSettings(samples=3, reconstructions=2, posterior_images=4, posterior_points=5)
    measure(tmp_path, device, pictures=settings)
    with np.load(tmp_path / "pictures.npz") as arrays:
        np.testing.assert_array_equal(arrays["posterior_inputs"], 255 * binarize(images.train, 124)[:4])
        assert arrays["posterior_log_joint"].shape == (4, 5, 5)
        names = {name.removeprefix("posterior_") for name in arrays if name.startswith("posterior_")}
    assert names == {"axes", "log_joint", "mean", "deviation", "inputs", "reconstructions"}


def test_an_image_keeps_its_bits_in_every_subset(folder, images, device, monkeypatch):
    seen = []
    spy(
        monkeypatch, likelihoods, "evaluate", lambda _, x, chosen, settings, split, *__: seen.append((split, chosen, x))
    )
    measure(folder, device, "likelihood")
    for split, chosen, x in seen:
        np.testing.assert_array_equal(x, binarize(getattr(images, split), {"test": 123, "train": 124}[split])[chosen])


def test_folder_without_a_model_is_refused_in_one_sentence(tmp_path, device):
    with pytest.raises(InputError, match=r"^[^\n]* holds no model: [^\n]*\.$"):
        measure(tmp_path, device, "pictures")


def test_an_unknown_section_is_one_sentence(folder, device):
    with pytest.raises(InputError, match=r"^section 'likelyhood' is unknown: use one of likelihood, [^\n]*\.$"):
        measure(folder, device, likelyhood=LikelihoodSettings())
