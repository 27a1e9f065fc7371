"""An audit as plain data, as ``audit.json`` holds it, and as pages: the same study gives the same bytes."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from iwae.reporting.claims.checks import Check
from iwae.reporting.claims.evidence import Finding
from iwae.reporting.claims.rules import FAMILIES, Claim
from iwae.reporting.claims.verdicts import (
    FAILS,
    HOLDS,
    NOT_RUN,
    REFUTED,
    REPRODUCED,
    UNCONVERGED,
    UNDECIDED,
    WIDE,
    Verdict,
    least_clear,
)
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.statements import counted
from iwae.reporting.statistics import COVERAGE, LEVEL, POWER, Region
from iwae.reporting.study import Model, kind_name
from iwae.reporting.tables.formats import EMPTY
from iwae.reporting.templates import render
from iwae.study import manifest
from iwae.study.status import FILES

VERDICTS = (REPRODUCED, REFUTED, UNDECIDED)
_WORDS = {"NOT_RUN": [NOT_RUN], "FAILS": FAILS, "EMPTY": EMPTY}


def content(
    study: str,
    protocols: Sequence[str],
    verdicts: Sequence[Verdict],
    identities: Sequence[Verdict],
    inspections: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """The audit of a study, its models' protocols in words, as JSON keeps it; what is no number is null."""
    families = Counter(verdict.claim.family for verdict in verdicts if verdict.p is not None)
    tested = {name: families[name] for name in FAMILIES}
    numbers = {"level": LEVEL, "power": POWER, "coverage": COVERAGE, "tested": tested}
    method = render("method.jinja", {"percent": "{:.0%}".format}, **numbers)
    said = {
        "study": study,
        "protocols": list(protocols),
        **numbers,
        "method": [" ".join(paragraph.split()) for paragraph in method.split("\n\n")],
        "verdicts": _counts(verdicts, *VERDICTS),
        "found": found(verdicts),
        "identities": _counts(identities, HOLDS, FAILS, UNDECIDED),
        "problems": sum(len(inspection["problems"]) for inspection in inspections),
        "inspections": list(inspections),
        "claims": [_claim(verdict) for verdict in verdicts],
        "theorems": [
            _head(verdict) | {"checks": [_check(check) for check in verdict.checks]} for verdict in identities
        ],
    }
    return said | {"summary": _summary(said)}


def _summary(content: dict[str, Any]) -> str:
    """The counts of an audit in one line."""
    parts = [f"{family}: {tallied(part)}" for family, part in content["found"].items()]
    hold = content["identities"]
    return (
        f"{'; '.join(parts)}; identities: {hold[HOLDS]} hold, {hold[FAILS]} fail, {hold[UNDECIDED]} undecided; "
        f"problems with the study's files: {content['problems']}"
    )


def _counts(verdicts: Sequence[Verdict], *names: str) -> dict[str, int]:
    counts = Counter(verdict.verdict for verdict in verdicts)
    return {name: counts[name] for name in names}


def _head(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    return {
        **named(claim),
        **{name: getattr(claim, name) for name in ("source", "place", "quantity", "rule", "parameters", "test")},
        "verdict": verdict.verdict,
        "why": list(verdict.why),
        "under": verdict.under,
        "notes": verdict.notes,
    }


def _claim(verdict: Verdict) -> dict[str, Any]:
    return _head(verdict) | {
        "family": verdict.claim.family,
        "p": _number(verdict.p),
        "p_adjusted": _number(verdict.adjusted),
        "p_against": _number(verdict.p_against),
        "p_against_adjusted": _number(verdict.adjusted_against),
        "power": verdict.power,
        "effects": [_effect(finding) for finding in verdict.findings],
    }


def _effect(finding: Finding) -> dict[str, Any]:
    contrast, estimate = finding.contrast, finding.estimate
    quantity = QUANTITIES[contrast.quantity]
    return {
        "label": contrast.label,
        "quantity": contrast.quantity,
        "unit": quantity.unit,
        "ours": _number(finding.sum.value),
        "se_images": _number(finding.sum.se_images),
        "sd_seeds": _number(finding.sum.sd_seeds),
        "se": estimate and _number(estimate.se),
        "dof": estimate and _number(estimate.dof),
        "interval": finding.interval,
        "paper": _number(contrast.paper),
        "low": _number(contrast.region.low),
        "high": _number(contrast.region.high),
        "at_a_third": _number(finding.earlier),
        "points_the_same_way": finding.points,
        "seeds": finding.sum.seeds,
        "missing": [kind_name(kind) for kind in finding.sum.missing],
        "evidence": [path for model in finding.sum.models for path in _paths(model, *FILES[quantity.section])],
    }


def _check(check: Check) -> dict[str, Any]:
    evidence = _paths(check.model, check.file)
    return {"model": check.model.spec.name, "holds": check.holds, "shown": check.shown, "evidence": evidence}


def _paths(model: Model, *files: str) -> list[str]:
    """Files of a model and its manifest, as seen from the study's folder."""
    return [f"{model.spec.name}/{file}" for file in (*files, manifest.NAME)]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def found(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """For each family of claims how many have which verdict, and the claims in groups of one verdict and reason.

    Claims of which nothing was run are counted, and stand in no group. Those of another paper stand apart, under a name
    such as ``effects, by Tomczak & Welling (2018)``, where something of them was run.
    """
    parts = {}
    for name in reversed(FAMILIES):  # effects first: they can be decided without the paper's schedule
        members = [each for each in verdicts if each.claim.family == name]
        for source in dict.fromkeys(["", *(each.claim.source for each in members)]):
            part = _part([each for each in members if each.claim.source == source])
            if part["groups"] or not source:
                parts[f"{name}, by {source}" if source else name] = part
    return parts


def _part(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    groups: dict[tuple[Any, ...], list[Verdict]] = {}
    for each in verdicts:
        if each.why != (NOT_RUN,):
            key = (each.verdict, each.why, each.under if each.verdict != UNDECIDED else "")
            groups.setdefault(key, []).append(each)
    ordered = sorted(groups.items(), key=lambda item: (VERDICTS.index(item[0][0]), -len(item[1])))
    return {
        "counts": _counts(verdicts, *VERDICTS),
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
        "exploratory": claim.exploratory,
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
    number, rest = counted(len(known), "effect"), len(verdict.findings) - len(known)
    if not known:
        return ""
    if verdict.verdict == REPRODUCED:
        return f"the least clear of {number}: " * (len(known) > 1) + _shown(least_clear(known))
    if verdict.verdict == REFUTED:
        clearest = min(known, key=lambda finding: finding.p_outside)
        before = "" if np.isnan(clearest.earlier) else f"; after a third of the passes {clearest.earlier:.3g}"
        return f"the clearest of {number}: " * (len(known) > 1) + _shown(clearest) + before
    return _undecided(verdict, known, number) + (f"; {counted(rest, 'effect')} not run" if rest else "")


def _undecided(verdict: Verdict, known: Sequence[Finding], number: str) -> str:
    if len(known) == 1:
        return _shown(known[0])
    against = [finding for finding in known if not finding.points]
    towards = f"{sum(bool(finding.points) for finding in known)} of {number} lie where the claim says"
    if against:
        return f"{towards}; {'an' if len(against) > 1 else 'the'} exception: {_shown(against[0])}"
    turned = [finding for finding in known if finding.converged is False]
    if UNCONVERGED in verdict.why and turned:
        value = f"{turned[0].earlier:.3g} {QUANTITIES[turned[0].contrast.quantity].unit}"
        return f"{towards}; not so after a third of the passes: {turned[0].contrast.label}, {value}"
    return f"{towards}; the least clear: {_shown(least_clear(known))}" if WIDE in verdict.why else towards


def _shown(finding: Finding) -> str:
    """An effect with its interval, and where the claim says that it lies; or a value, beside the paper's."""
    contrast, region, quantity = finding.contrast, finding.contrast.region, QUANTITIES[finding.contrast.quantity]
    form = ".2f" if contrast.realised and quantity.step < 1 else ".3g"
    ends = " ({0:{2}} to {1:{2}})".format(*finding.interval, form) if finding.interval else ""
    claimed = f"claimed {region.words(4)}"
    if not np.isnan(contrast.paper) and contrast.realised:
        claimed = f"the paper's {contrast.paper:{form}}, margin {(region.high - region.low) / 2:.2g}"
    return f"{contrast.label}: {finding.sum.value:{form}} {quantity.unit}{ends}, {claimed}"


def pages(content: dict[str, Any]) -> dict[str, str]:
    """The pages by their file's suffix: ``md`` and ``html``."""
    return {kind: render(f"audit.{kind}.jinja", _FILTERS, **content, **_WORDS, link="") for kind in ("md", "html")}


def _digits(value: float | None, digits: int = 4) -> str:
    return EMPTY if value is None else f"{value:.{digits}g}"


def _region(effect: dict[str, Any]) -> str:
    return Region(**{end: effect[end] for end in ("low", "high") if effect[end] is not None}).words(6)


def _interval(ends: list[float] | None) -> str:
    return EMPTY if ends is None else " to ".join(f"{end:.4g}" for end in ends)


def _way(points: bool | None) -> str:
    return EMPTY if points is None else "yes" if points else "no"


def tally(points: Iterable[bool | None]) -> str:
    """How many of a claim's effects, or an identity's checks, are as they should be: ``3 of 4``."""
    known = [each for each in points if each is not None]
    return f"{sum(known)} of {len(known)}" if known else EMPTY


_FILTERS: dict[str, Callable[..., str]] = {
    "number": _digits,
    "region": _region,
    "interval": _interval,
    "way": _way,
    "tally": tally,
    "tallied": tallied,
}
