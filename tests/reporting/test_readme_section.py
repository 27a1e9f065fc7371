"""The generated parts of the repository's README: made from studies, put between their marks, nothing else touched."""

import json
import shutil

import pandas as pd
import pytest

from iwae.errors import InputError
from iwae.reporting.readme import marks, parts_of, write_readme
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import write_table


def claim(name, evidence="", model=None, exploratory=""):
    """A claim as an audit's summary holds it."""
    head = {"id": name, "claim": f"It is {name}.", "dataset": "mnist", "model": model}
    return head | {"exploratory": exploratory, "evidence": evidence}


def group(verdict, *claims, why=(), under=""):
    """Claims of one verdict."""
    return {"verdict": verdict, "why": list(why), "under": under, "claims": list(claims)}


(FIRST, FIRST_END), (BEGIN, END) = marks("verdicts"), marks("results")
ABOVE = "\n".join((FIRST, FIRST_END, *marks("values"), ""))  # the other parts
FEW, COUNTS = ["schedule cut", "too few seeds"], ("reproduced", "not reproduced", "undecided")
FOUND = {
    "found": {
        "effects": {
            "counts": dict(zip(COUNTS, (1, 0, 3), strict=True)),
            "not_run": 2,
            "groups": [
                group("reproduced", claim("up", "1 effect: 3 nats", exploratory="tried"), under="efficient, 3 seeds"),
                group("undecided", claim("down", "1 of 2 effects lie where the claim says"), why=FEW),
            ],
        },
        "values": {
            "counts": dict(zip(COUNTS, (0, 0, 1), strict=True)),
            "not_run": 0,
            "groups": [group("undecided", claim("83", model="mnist/l1-vae-k1"), why=FEW)],
        },
    },
    "protocols": ["authors-code"],
    "summary": "effects: some; problems with the study's files: 0",
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
    readme.write_text(f"before\n\n{ABOVE}between\n\n{BEGIN}\nold numbers\n{END}\n\nafter\n")
    for _ in range(2):  # the second time on its own output
        write_readme(readme, study, tmp_path / "figures/cut")
    text = readme.read_text()
    assert text.startswith(f"before\n\n{FIRST}\n") and text.endswith(f"\n{END}\n\nafter\n")
    row = "| effects | [cut](results/cut/audit.md) | authors-code | 1 (1 exploratory) | 0 | 3 (2 not run) |"
    assert f" |\n{row}\n{FIRST_END}\n" in text  # of values it decides none
    assert f"{marks('values')[1]}\nbetween\n\n{BEGIN}\n" in text
    assert "old numbers" not in text and text.count(BEGIN) == text.count(END) == 1
    assert "[`cut`](results/cut/README.md)" in text and "(figures/cut/nll.png)" in text
    assert "cut after 2 of 8 stages" in text
    table = (study / "table1.md").read_text().strip() if (study / "table1.md").is_file() else "### Table 1: mnist"
    assert table in text
    assert "**Claims on effects: 1 reproduced, 0 not reproduced, 3 undecided (2 of them not run).**" in text
    assert "Reproduced under efficient, 3 seeds (1):\n" in text and "<br>1 effect: 3 nats\n" in text
    assert (
        "Undecided, schedule cut, too few seeds (1):\n\n- [It is down.](results/cut/audit.md#down) (mnist)<br>" in text
    )
    assert "Undecided, schedule cut, too few seeds (1).\n" in text and "It is 83." not in text
    assert " of all claims: effects: some; problems with the study's files: 0.\n" in text


def test_values_stand_beside_the_paper_s_where_they_are_comparable(study, whole, tmp_path):
    copy = tmp_path / "results/whole"
    shutil.copytree(whole, copy)
    for folder in (study, copy):  # of which the first was cut
        write_table("table1", StudyResults.open(folder))
    _, _, *lines = parts_of(study, tmp_path / "figures/cut", tmp_path)["values"].splitlines()
    assert len(lines) == len({model.kind for model in StudyResults.open(copy).models})
    ours = pd.read_csv(copy / "table1.csv").query("k == 1 and objective == 'vae'").iloc[1]
    units = f"{ours.active_units_authors_1:g}+{ours.active_units_authors_2:g}"
    line = f"| mnist | 2 | VAE = IWAE | 1 | 2 | {ours.nll:.2f} | {ours.sd_seeds:.2f} | 85.33 | {units} | 16+5 |"
    assert line in lines


def test_a_readme_without_marks_is_left_alone(study, tmp_path):
    (tmp_path / "README.md").write_text(f"{ABOVE}{BEGIN} and no end")
    with pytest.raises(InputError, match="needs the lines"):
        write_readme(tmp_path / "README.md", study, tmp_path)
    assert (tmp_path / "README.md").read_text() == f"{ABOVE}{BEGIN} and no end"


def test_a_study_is_audited_before_it_is_shown(study, tmp_path):
    (study / "audit.json").unlink()
    (tmp_path / "README.md").write_text(f"{ABOVE}{BEGIN}\n{END}")
    with pytest.raises(InputError, match=r"audit\.json is missing: audit the study first"):
        write_readme(tmp_path / "README.md", study, tmp_path)
