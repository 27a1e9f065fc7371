"""A flipped bit in any file, its loss, or nonsense in it is found and the file named; a whole study has no fault."""

import pytest

MODEL = "mnist/l1-vae-k5/seed1"
MODEL_FILES = (
    "model.safetensors",
    "training.csv",
    "likelihood.npz",
    "likelihood.csv",
    "activity.csv",
    "chopped.npz",
    "chopped.csv",
    "surgery.csv",
    "pictures.npz",
    "manifest.json",
)
STUDY_FILES = (
    "results.csv",
    "configuration.json",
    "README.md",
    "SHA256SUMS",
    *(f"{table}.{kind}" for table in ("table1", "surgery") for kind in ("csv", "md", "html", "tex")),
)
FIGURE_FILES = tuple(f"nll.{kind}" for kind in ("pdf", "png", "csv"))


def flip(path, place=0.5, bit=0):
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(bytes(content))


def test_a_whole_study_has_no_problem(study, problems):
    assert problems() == []
    again = {kind: (study[0] / f"audit.{kind}").read_bytes() for kind in ("json", "md", "html")}
    assert problems() == []  # its own pages are no unknown files
    assert again == {kind: (study[0] / f"audit.{kind}").read_bytes() for kind in again}


@pytest.mark.parametrize("name", [*(f"{MODEL}/{file}" for file in MODEL_FILES), *STUDY_FILES, *FIGURE_FILES])
def test_a_flipped_bit_is_found_and_its_file_named(study, problems, name):
    results, figures = study
    path = figures / name if name in FIGURE_FILES else results / name
    flip(path)
    found = problems()
    assert found.naming(name)
    assert found.naming(name)[0] in (results / "audit.md").read_text()


@pytest.mark.parametrize("name", [f"{MODEL}/manifest.json", "results.csv", "configuration.json", "SHA256SUMS"])
@pytest.mark.parametrize(("place", "bit"), [(0.0, 1), (0.3, 7), (0.9, 5)])
def test_no_flipped_bit_ends_in_a_traceback(study, problems, name, place, bit):
    flip(study[0] / name, place, bit)
    assert problems().naming(name)


@pytest.mark.parametrize("name", [*(f"{MODEL}/{file}" for file in MODEL_FILES[::3]), *STUDY_FILES[:6], "nll.png"])
def test_a_missing_file_is_named(study, problems, name):
    results, figures = study
    (figures / name if name in FIGURE_FILES else results / name).unlink()
    assert problems().naming(name)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 20, b"[1]\n"])
@pytest.mark.parametrize("name", [f"{MODEL}/manifest.json", "results.csv", "configuration.json", "SHA256SUMS"])
def test_a_malformed_file_is_named(study, problems, name, content):
    (study[0] / name).write_bytes(content)
    assert problems().naming(name)
