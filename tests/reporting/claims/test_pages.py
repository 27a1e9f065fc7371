"""The audit's files: what they say of a cut study, that their links lead somewhere, that everything is escaped."""

import json
import re
import shutil

import pytest
from scipy import stats

from iwae.errors import InputError
from iwae.reporting.audit import audit
from iwae.reporting.claims.content import pages


@pytest.fixture(scope="module")
def audited(tmp_path_factory, cut):
    """A study of one seed and two stages, without tables and figures, after its audit."""
    root = tmp_path_factory.mktemp("pages")
    shutil.copytree(cut, root / "results/cut")
    audit(root / "results/cut", root / "figures/cut")
    return root / "results/cut"


def strict(path):
    def refuse(name):
        raise ValueError(name)

    return json.loads(path.read_text(), parse_constant=refuse)


def test_a_cut_study_is_undecided_and_shows_what_it_has(audited):
    content = strict(audited / "audit.json")
    claims = {claim["id"]: claim for claim in content["claims"]}
    assert {claim["verdict"] for claim in claims.values()} == {"undecided"}
    assert claims["two-layers-mnist"]["why"] == ["run in part", "schedule cut", "too few seeds"]  # no k = 50
    assert claims["nll-mnist-l2-iwae-k5"]["why"] == ["schedule cut", "too few seeds"]
    assert claims["nll-omniglot-l1-vae-k1"]["why"] == ["not run"]
    (effect,) = claims["nll-mnist-l2-iwae-k5"]["effects"]
    assert effect["paper"] == 83.89 and effect["ours"] > 70 and effect["points_the_same_way"] in (True, False)
    assert effect["interval"] is None  # it was not tested
    assert content["protocols"] == ["authors-code"]
    assert all("Protocol: authors-code." in (audited / page).read_text() for page in ("audit.md", "audit.html"))
    assert content["tested"] == {"values": 0, "effects": 0} and sum(content["verdicts"].values()) == len(claims)


def test_identities_are_apart_from_the_verdicts(audited):
    content = strict(audited / "audit.json")
    found = {each["id"]: each["verdict"] for each in content["theorems"]}
    held = {f"{name}-mnist" for name in ("bound-rises", "estimate-deviates-little", "picked-above-bound")}
    assert {name for name, verdict in found.items() if verdict == "holds"} == held
    assert content["identities"] == {"holds": 3, "fails": 0, "undecided": len(found) - 3}
    assert not set(found) & {claim["id"] for claim in content["claims"]}
    assert "identities: 3 hold, 0 fail, 9 undecided; problems with the study's files: " in content["summary"]
    for kind in ("md", "html"):
        page = (audited / f"audit.{kind}").read_text()
        before, after = page.split("Identities that every correct evaluation satisfies")
        assert "Random weights would satisfy them too" in after
        assert all(name in after and name not in before for name in found)


def test_an_identity_that_fails_stands_out(audited):
    content = strict(audited / "audit.json")
    first = content["theorems"][0]
    first["verdict"] = "fails"
    written = pages(content)
    for page in written.values():
        assert first["id"] in page[: page.index("What was found")]
    assert f'<details id="{first["id"]}" open>' in written["html"]
    assert '<span class="badge fails">fails' in written["html"]
    assert "**FAILS**" in written["md"] and "**Fails.**" in written["md"]


def test_an_effect_has_its_interval(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "whole")
    audit(tmp_path / "whole", tmp_path / "figures")
    content = strict(tmp_path / "whole/audit.json")
    tested = [claim for claim in content["claims"] if claim["p"] is not None]
    assert content["tested"] == {"values": len(tested), "effects": 0} and tested  # k = 50 is not there
    for effect in (effect for claim in tested for effect in claim["effects"]):
        low, high = effect["interval"]
        half = stats.t.ppf(0.95, effect["dof"]) * effect["se"]
        assert (low, high) == pytest.approx((effect["ours"] - half, effect["ours"] + half))
        for page in ("audit.md", "audit.html"):
            assert f"{low:.4g} to {high:.4g}" in (tmp_path / "whole" / page).read_text()


def test_every_link_leads_to_a_file(audited):
    for path, pattern in (("audit.md", r"\]\(([^)#]+)\)"), ("audit.html", r'href="([^"#]+)"')):
        links = set(re.findall(pattern, (audited / path).read_text()))
        assert len(links) >= 6
        assert [link for link in links if not (audited / link).is_file()] == []
    anchors = set(re.findall(r"\]\(#([^)]+)\)", (audited / "audit.md").read_text()))
    assert anchors == set(re.findall(r"^### (\S+)$", (audited / "audit.md").read_text(), re.M))
    evidence = {
        path
        for claim in strict(audited / "audit.json")["claims"]
        for each in claim["effects"]
        for path in each["evidence"]
    }
    assert [path for path in evidence if not (audited / path).is_file()] == []


def test_the_page_needs_nothing_else_and_verdicts_are_words(audited):
    page = (audited / "audit.html").read_text()
    assert not re.search(r"<(script|link|img)|url\(|https?:", page)
    verdicts = re.findall(r'<span class="badge [a-z-]+">[^<]*(?:reproduced|undecided|holds|fails)', page)
    assert len(verdicts) == page.count('class="badge ')


def test_what_was_not_run_stands_apart_and_the_rest_says_how_many_effects_agree(audited):
    claims = {claim["id"]: claim for claim in strict(audited / "audit.json")["claims"]}
    text = (audited / "audit.md").read_text()
    listed = text.split("## Identities")[0]
    rows = dict(re.findall(r"\[[^]]+\]\(#(\S+)\)(?: \(\S+\)<br>(\d+ of \d+) effects)?", listed.split("Not run in")[0]))
    assert set(rows) == {name for name, claim in claims.items() if claim["why"] != ["not run"]}
    agree = [each["points_the_same_way"] for each in claims["two-layers-mnist"]["effects"] if each["seeds"]]
    assert rows["two-layers-mnist"] == f"{sum(agree)} of {len(agree)}"
    (rises,) = [each for each in strict(audited / "audit.json")["theorems"] if each["id"] == "bound-rises-mnist"]
    assert "| [bound-rises-mnist](#bound-rises-mnist) | {0} of {0} | holds |".format(len(rises["checks"])) in text
    left_out = len(claims) - len(rows)
    by_data_set = text.split(f"Not run in this study ({left_out}):\n")[1].split("\n\n### ")[0]
    counts = re.findall(r"^- \S+ \((\d+)\): ", by_data_set, re.M)
    assert len(counts) > 1 and sum(map(int, counts)) == left_out == by_data_set.count("](#")
    parts = re.split("<h2>(?:Claims not run|Identities)", (audited / "audit.html").read_text())
    assert [part.count("<details id=") for part in parts[:2]] == [len(rows), left_out]


def test_what_files_say_is_escaped(audited):
    content = strict(audited / "audit.json")
    content["study"] = "<script>alert(1)</script>"
    content["inspections"][0]["problems"] = ["a & b <i>"]
    content["claims"][0]["notes"] = ["<b>"]
    written = pages(content)
    assert "<script>" not in written["html"] and "&lt;script&gt;" in written["html"]
    assert "a &amp; b &lt;i&gt;" in written["html"] and "<b>" not in written["html"]
    assert "a & b <i>" in written["md"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no folder: name that of a study, such as results/paper"):
        audit(tmp_path / "results/none", tmp_path)


def test_an_empty_folder_is_audited(tmp_path):
    (tmp_path / "empty").mkdir()
    problems = audit(tmp_path / "empty", tmp_path / "figures")
    assert any("SHA256SUMS is missing" in problem for problem in problems)
    assert any("configuration.json is missing" in problem for problem in problems)
    assert "Protocol: unknown." in (tmp_path / "empty/audit.md").read_text()
    claims = strict(tmp_path / "empty/audit.json")["claims"]
    assert {claim["why"][0] for claim in claims} == {"evidence unreadable"}
