"""What a study found, claim by claim, for a reader who wants the answer first: counts, and a line of evidence each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from iwae.reporting.claims.evidence import Evidence, Finding
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.claims.rules import Claim
from iwae.reporting.claims.verdicts import (
    FAMILIES,
    NOT_RUN,
    REFUTED,
    REPRODUCED,
    UNCONVERGED,
    UNDECIDED,
    WIDE,
    Verdict,
    examine,
    family,
    judge,
)
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.statements import counted
from iwae.reporting.statistics import COVERAGE, p_inside, p_outside
from iwae.reporting.study import StudyResults, kind_name
from iwae.reporting.templates import render

VERDICTS = (REPRODUCED, REFUTED, UNDECIDED)


def verdicts_of(study: StudyResults) -> tuple[list[Verdict], list[Verdict]]:
    """The verdicts on all claims, and on all identities."""
    if "verdicts" not in study.known:
        read = read_claims()
        evidence = Evidence(study, read.images, read.binarization, read.taken_over)
        study.known["verdicts"] = judge(read.claims, evidence), examine(read.identities, evidence)
    return study.known["verdicts"]


def found(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """For each family of claims how many have which verdict, and the claims in groups of one verdict and reason.

    Claims of which nothing was run are counted, and stand in no group. Those of another paper stand apart, under a name
    such as ``effects, by Tomczak & Welling (2018)``, where something of them was run.
    """
    parts = {}
    for name in reversed(FAMILIES):  # effects first: they can be decided without the paper's schedule
        members = [each for each in verdicts if family(each.claim) == name]
        for source in dict.fromkeys(["", *(each.claim.source for each in members)]):
            part = _part([each for each in members if each.claim.source == source])
            if part["groups"] or not source:
                parts[f"{name}, by {source}" if source else name] = part
    return parts


def _part(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    groups: dict[tuple, list[Verdict]] = {}
    for each in verdicts:
        if each.why != (NOT_RUN,):
            key = (each.verdict, each.why, each.under if each.verdict != UNDECIDED else "")
            groups.setdefault(key, []).append(each)
    ordered = sorted(groups.items(), key=lambda item: (VERDICTS.index(item[0][0]), -len(item[1])))
    return {
        "counts": {verdict: sum(each.verdict == verdict for each in verdicts) for verdict in VERDICTS},
        "not_run": sum(each.why == (NOT_RUN,) for each in verdicts),
        "groups": [
            {
                "verdict": verdict,
                "why": list(why),
                "under": under,
                "claims": [named(each.claim) | {"evidence": evidence(each)} for each in members],
            }
            for (verdict, why, under), members in ordered
        ],
    }


def named(claim: Claim) -> dict[str, Any]:
    """What a claim says, and of what."""
    return {
        "id": claim.id,
        "claim": claim.text,
        "dataset": claim.dataset,
        "model": claim.kind and kind_name(claim.kind),
    }


def found_section(found: dict[str, Any], link: str) -> str:
    """What was found, in Markdown, for a page that links to the claims of the audit at `link`."""
    return render("found.md.jinja", {"tallied": tallied}, found=found, link=link, coverage=COVERAGE).strip()


def tallied(part: dict[str, Any]) -> str:
    """The counts of one family of claims: ``3 reproduced, 1 not reproduced, 4 undecided (2 of them not run)``."""
    counts = ", ".join(f"{count} {name}" for name, count in part["counts"].items())
    return f"{counts} ({part['not_run']} of them not run)" if part["not_run"] else counts


def evidence(verdict: Verdict) -> str:
    """The evidence of a verdict in one line: the effect that decides it, or how many point which way.

    A claim is reproduced by its least clear effect, since all must be shown, and not reproduced by its clearest.
    """
    known = [finding for finding in verdict.findings if finding.points is not None]
    number = counted(len(known), "effect")
    if not known:
        return ""
    if verdict.verdict == REPRODUCED:
        return f"{'the least clear of ' if len(known) > 1 else ''}{number}: {_shown(_least_clear(known))}"
    if verdict.verdict == REFUTED:
        clearest = min(known, key=lambda finding: p_outside(finding.estimate, finding.contrast.region))
        before = "" if np.isnan(clearest.earlier) else f"; after a third of the passes {clearest.earlier:.3g}"
        return f"{'the clearest of ' if len(known) > 1 else ''}{number}: {_shown(clearest)}{before}"
    if len(known) == 1:
        return _shown(known[0])
    against = [finding for finding in known if not finding.points]
    towards = f"{sum(finding.points for finding in known)} of {number} where the claim says"
    if against:
        return f"{towards}; not so {_shown(against[0])}"
    turned = [finding for finding in known if finding.converged is False]
    if UNCONVERGED in verdict.why and turned:
        value = f"{turned[0].earlier:.3g} {QUANTITIES[turned[0].contrast.quantity].unit}"
        return f"{towards}; after a third of the passes not so {turned[0].contrast.label}: {value}"
    return f"{towards}; the least clear: {_shown(_least_clear(known))}" if WIDE in verdict.why else towards


def _least_clear(findings: Sequence[Finding]) -> Finding:
    return max(findings, key=lambda finding: p_inside(finding.estimate, finding.contrast.region))


def _shown(finding: Finding) -> str:
    """An effect with its interval, and where the claim says that it lies."""
    contrast, unit = finding.contrast, QUANTITIES[finding.contrast.quantity].unit
    ends = " ({:.3g} to {:.3g})".format(*finding.interval) if finding.interval else ""
    return f"{contrast.label}: {finding.sum.value:.3g} {unit}{ends}, claimed {contrast.region.words(4)}"
