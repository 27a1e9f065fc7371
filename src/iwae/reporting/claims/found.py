"""What a study found, claim by claim, for a reader who wants the answer first: counts, and a line of evidence each."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from iwae.reporting.claims.evidence import Evidence, Finding
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.claims.verdicts import (
    FAMILIES,
    NOT_RUN,
    REFUTED,
    REPRODUCED,
    UNDECIDED,
    Verdict,
    examine,
    family,
    judge,
)
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.statements import counted
from iwae.reporting.statistics import interval, p_inside, p_outside
from iwae.reporting.study import StudyResults

VERDICTS = (REPRODUCED, REFUTED, UNDECIDED)


def found(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """For each family of claims how many have which verdict, and the claims in groups of one verdict and reason.

    Claims of which nothing was run are counted, and stand in no group. Those of another paper stand apart, under a name
    such as ``effects, by Tomczak & Welling (2018)``, where something of them was run.
    """
    parts = {}
    for name in reversed(FAMILIES):  # effects first: they can be decided without the paper's schedule
        members = [each for each in verdicts if family(each.claim) == name]
        parts[name] = _part([each for each in members if not each.claim.source])
        for source in dict.fromkeys(each.claim.source for each in members if each.claim.source):
            part = _part([each for each in members if each.claim.source == source])
            if part["groups"]:
                parts[f"{name}, by {source}"] = part
    return parts


def _part(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "counts": {verdict: sum(each.verdict == verdict for each in verdicts) for verdict in VERDICTS},
        "not_run": sum(each.why == (NOT_RUN,) for each in verdicts),
        "groups": _groups([each for each in verdicts if each.why != (NOT_RUN,)]),
    }


def tallied(part: dict[str, Any]) -> str:
    """The counts of one family of claims: ``3 reproduced, 1 not reproduced, 4 undecided (2 of them not run)``."""
    counts = ", ".join(f"{count} {name}" for name, count in part["counts"].items())
    return f"{counts} ({part['not_run']} of them not run)" if part["not_run"] else counts


def _groups(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    order = {name: place for place, name in enumerate(VERDICTS)}
    keys = Counter((each.verdict, each.why, each.under if each.verdict != UNDECIDED else "") for each in verdicts)
    return [
        {
            "verdict": verdict,
            "why": list(why),
            "under": under,
            "claims": [
                {
                    "id": each.claim.id,
                    "claim": each.claim.text,
                    "dataset": each.claim.dataset,
                    "model": each.claim.kind and each.claim.kind.name,
                    "evidence": evidence(each),
                }
                for each in verdicts
                if (each.verdict, each.why) == (verdict, why) and under in ("", each.under)
            ],
        }
        for verdict, why, under in sorted(keys, key=lambda key: (order[key[0]], -keys[key]))
    ]


def evidence(verdict: Verdict) -> str:
    """The evidence of a verdict in one line: the effect that decides it, or how many point which way.

    A claim is reproduced by its least clear effect, since all must be shown, and not reproduced by its clearest.
    """
    known = [finding for finding in verdict.findings if finding.points is not None]
    if not known:
        return ""
    if verdict.verdict == REPRODUCED:
        least = max(known, key=lambda finding: p_inside(finding.estimate, finding.contrast.region))
        return f"{'the least clear of ' if len(known) > 1 else ''}{_number(known)}: {_shown(least)}"
    if verdict.verdict == REFUTED:
        clearest = min(known, key=lambda finding: p_outside(finding.estimate, finding.contrast.region))
        return f"{'the clearest of ' if len(known) > 1 else ''}{_number(known)}: {_shown(clearest)}"
    if len(known) == 1:
        return _shown(known[0])
    against = [finding for finding in known if not finding.points]
    towards = f"{sum(finding.points for finding in known)} of {_number(known)} where the claim says"
    return f"{towards}; not so {_shown(against[0])}" if against else towards


def verdicts_of(study: StudyResults) -> tuple[list[Verdict], list[Verdict]]:
    """The verdicts on all claims, and on all identities."""
    if "verdicts" not in study.known:
        read = read_claims()
        evidence = Evidence(study, read.images, read.binarization, read.taken_over)
        study.known["verdicts"] = judge(read.claims, evidence), examine(read.identities, evidence)
    return study.known["verdicts"]


def _number(findings: Sequence[Finding]) -> str:
    return counted(len(findings), "effect")


def _shown(finding: Finding) -> str:
    """An effect with its interval, and where the claim says that it lies."""
    contrast, unit = finding.contrast, QUANTITIES[finding.contrast.quantity].unit
    low, high = contrast.region
    claimed = f"below {high:.4g}" if low == float("-inf") else f"above {low:.4g}" if high == float("inf") else ""
    claimed = claimed or f"{low:.4g} to {high:.4g}"
    ends = "" if finding.estimate is None else " ({:.3g} to {:.3g})".format(*interval(finding.estimate))
    return f"{contrast.label}: {finding.sum.value:.3g} {unit}{ends}, claimed {claimed}"
