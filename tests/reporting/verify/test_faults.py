"""A flipped bit in any file, its loss, or nonsense in it is found and the file named; a whole study has no fault."""

import shutil

import numpy as np
import pytest

from iwae.errors import InputError
from iwae.reporting.audit import inspect
from iwae.reporting.results import read_arrays
from iwae.reporting.verify import seal
from iwae.study import manifest

MODEL = "mnist/l1-vae-k5/seed1"


def flip(path, place=0.5, bit=0):
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(bytes(content))


def test_a_whole_study_has_no_problem(study, problems):
    assert problems() == []
    again = {kind: (study[0] / f"audit.{kind}").read_bytes() for kind in ("json", "md", "html")}
    assert problems() == []  # its own pages are no unknown files
    assert again == {kind: (study[0] / f"audit.{kind}").read_bytes() for kind in again}


def test_what_is_no_fault_of_a_file_is_not_told_as_one(study, monkeypatch):
    """As memory that there is not, when a model is measured afresh."""

    def ended(_results):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(seal, "check", ended)
    with pytest.raises(RuntimeError, match="out of memory"):
        inspect(*study)


def test_a_flipped_bit_in_any_file_is_found_by_the_seal(study, problems):
    results, _ = study
    names = [*seal.read(results), seal.NAME]
    assert {"results.csv", "README.md", "table1.tex", f"{MODEL}/model.safetensors"} < set(names)
    for name in names:
        whole = (results / name).read_bytes()
        flip(results / name)
        assert problems("seal").naming(name.removeprefix("../../")), name
        (results / name).write_bytes(whole)
    assert problems("seal") == []


def test_a_flipped_bit_or_the_loss_of_a_models_file_is_found_by_its_manifest(study, problems):
    results, _ = study
    for path in sorted((results / MODEL).glob("[!.]*")):
        whole = path.read_bytes()
        if path.name != manifest.NAME:  # of which not everything can be told from other files
            flip(path)
            assert problems("models").naming(f"{MODEL}/{path.name}"), path.name
        path.unlink()
        assert problems("models").naming(f"{MODEL}/{path.name}"), path.name
        path.write_bytes(whole)
    shutil.rmtree(results / MODEL)
    assert problems("models").naming(MODEL, "is missing: the configuration asks for this model")


def test_the_loss_of_what_is_made_from_the_models_is_named(study, problems):
    results, figures = study
    lost = (results / "results.csv", results / "README.md", results / "table1.md", figures / "nll.png")
    for path in lost:
        path.unlink()
    for part in ("seal", "numbers"):
        found = problems(part)
        assert all(found.naming(path.name, "is missing") for path in lost)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{MODEL}/{manifest.NAME}", b"[1]\n"),
        ("results.csv", b""),
        ("configuration.json", b"\x00\xff" * 20),
        (seal.NAME, b"\x00\xff" * 20),
    ],
)
def test_nonsense_in_a_file_is_a_problem_that_names_it_on_every_page(study, problems, name, content):
    (study[0] / name).write_bytes(content)
    found = problems()
    assert found.naming(name)
    assert found.naming(name)[0] in (study[0] / "audit.md").read_text()


@pytest.mark.parametrize("name", [f"{MODEL}/{manifest.NAME}", "configuration.json"])
def test_no_flipped_bit_of_what_is_read_first_ends_in_a_traceback(study, name):
    whole = (study[0] / name).read_bytes()
    for place, bit in ((0.0, 1), (0.3, 7), (0.9, 5)):
        flip(study[0] / name, place, bit)
        assert any(name in problem for part in inspect(*study) for problem in part.problems)
        (study[0] / name).write_bytes(whole)


def test_weights_that_were_deleted_on_purpose_are_not_missed(study, problems):
    folder = next(study[0].rglob(manifest.NAME)).parent
    manifest.strip(folder)
    assert problems("models") == []
    (folder / "activity.csv").unlink()
    assert problems("models").naming(folder / "activity.csv", "is missing")


def test_any_bit_of_an_archive_s_headers_may_be_flipped(tmp_path):
    """Zipfile takes one of them for encryption, numpy others for a header in several lines."""
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, values=np.arange(9.0))
    content, refused = path.read_bytes(), 0
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            read_arrays(path)
        except InputError as error:
            assert str(error).startswith(f"{path} cannot be read (")
            refused += 1
    assert refused > len(content)
