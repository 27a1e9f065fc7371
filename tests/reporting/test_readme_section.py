"""The results section of the repository's README: made from a study, put between its marks, nothing else touched."""

import json
import shutil

import pytest

from iwae.errors import InputError
from iwae.reporting.readme import BEGIN, END, write_readme


def claim(name, family, points, verdict="undecided", why=()):
    effects = [{"points_the_same_way": each} for each in points]
    place = {"dataset": "mnist", "family": family}
    return {"claim": name, "effects": effects, "verdict": verdict, "why": list(why), **place}


FOUND = {
    "claims": [
        claim("It falls.", "effects", [True, False, None], why=["schedule cut", "too few seeds"]),
        claim("It rises.", "effects", [True], "reproduced"),
        claim("It was not tried.", "effects", [None], why=["not run"]),
        claim("It is 83.", "values", [True]),
    ],
    "verdicts": {"reproduced": 3, "not reproduced": 0, "undecided": 2},
    "undecided": {"not run": 2},
    "identities": {"holds": 4, "fails": 0, "undecided": 1},
    "problems": 0,
}


@pytest.fixture
def study(cut, tmp_path):
    """A copy of a cut study, with an audit."""
    results = tmp_path / "results/cut"
    shutil.copytree(cut, results)
    (results / "audit.json").write_text(json.dumps(FOUND))
    return results


def test_the_section_replaces_what_stood_between_the_marks(study, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n\n{BEGIN}\nold numbers\n{END}\n\nafter\n")
    for _ in range(2):  # the second time on its own output
        write_readme(readme, study, tmp_path / "figures/cut")
    text = readme.read_text()
    assert text.startswith(f"before\n\n{BEGIN}\n") and text.endswith(f"\n{END}\n\nafter\n")
    assert "old numbers" not in text and text.count(BEGIN) == text.count(END) == 1
    assert "[`cut`](results/cut/README.md)" in text and "(figures/cut/nll.png)" in text
    assert "cut after 2 of 8 stages" in text
    table = (study / "table1.md").read_text().strip() if (study / "table1.md").is_file() else "### Table 1: mnist"
    assert table in text
    assert "| It falls. (mnist) | 1 of 2 | undecided: schedule cut, too few seeds |" in text
    assert "| It rises. (mnist) | 1 of 1 | reproduced |" in text
    assert "It was not tried." not in text and "It is 83." not in text
    assert "all claims: 3 reproduced, 0 not reproduced, 2 undecided (2 not run); " in text
    assert "; identities: 4 hold, 0 fail, 1 undecided; problems with the study's files: 0.\n" in text


def test_a_readme_without_marks_is_left_alone(study, tmp_path):
    (tmp_path / "README.md").write_text(f"{BEGIN} and no end")
    with pytest.raises(InputError, match="needs the lines"):
        write_readme(tmp_path / "README.md", study, tmp_path)
    assert (tmp_path / "README.md").read_text() == f"{BEGIN} and no end"


def test_a_study_is_audited_before_it_is_shown(study, tmp_path):
    (study / "audit.json").unlink()
    (tmp_path / "README.md").write_text(f"{BEGIN}\n{END}")
    with pytest.raises(InputError, match=r"audit\.json is missing: audit the study first"):
        write_readme(tmp_path / "README.md", study, tmp_path)
