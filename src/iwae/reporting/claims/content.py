"""An audit as plain data, as ``audit.json`` holds it and the pages show it: the same study gives the same bytes."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from iwae.reporting.claims.checks import Check
from iwae.reporting.claims.evidence import Finding
from iwae.reporting.claims.found import VERDICTS, found, tallied
from iwae.reporting.claims.verdicts import (
    FAILS,
    FAMILIES,
    HOLDS,
    UNDECIDED,
    Verdict,
    family,
)
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.statistics import COVERAGE, LEVEL, POWER, interval
from iwae.reporting.verify.inspection import Inspection
from iwae.study import manifest

_METHOD = (
    "An effect is a value, a difference or another weighted sum of means over seeds. Its variance is that over seeds, "
    "pooled over the models of the data set's grid (with seeds as blocks where models are compared with each other), "
    "plus that over images, of sums paired over the images that models share.",
    "A number of the paper's is for a whole split: where ours is too, the images, being the same, add no error "
    "(se_images is shown all the same), but their binarization does where it is stochastic, since our bits are not the "
    "authors': se has, for each split, the spread between two binarizations that claims.yaml gives for the data set, "
    "over the square root of the number of images. It is also of one seed: where ours is held against it, the variance "
    "over seeds counts once more, the paper's being taken to be ours; not where the paper states a bound.",
    "A claim is reproduced if one-sided t-tests show that all its effects lie where it says, not reproduced if they "
    "show that one lies elsewhere, and else undecided. There are two families of claims: values, which hold a number "
    "of ours against the paper's, and effects, all others. Over the claims of a family that could be tested ({values} "
    "on values, {effects} on effects), the chance that any is wrongly called reproduced is at most {level:.0%}, and "
    "likewise not reproduced (Holm's correction).",
    "A margin says how far from the paper's number is still as good as equal, chosen from the power of a perfect "
    "replication (claims.yaml), not from our results; the power that stands beside an undecided claim says what could "
    "have been shown with a chance of {power:.0%} at the level of its family.",
    "Values are tested where all models ran the paper's whole schedule under a preset of the protocol that is the "
    "paper's, and were measured as in the paper. Effects are tested under any preset whose schedule was run whole. "
    "Where that preset is not the paper's, each effect must also lie on the same side of what is claimed in models of "
    "the same study that had a third of the passes (one seed is enough there): what changes with longer training is "
    "undecided. The verdict names the protocol and the seeds.",
    "Claims of another paper than the one that is replicated are named with it. They are on effects, and of our models "
    "is asked only that they were trained on all images to the end of a whole schedule under a preset: minibatches and "
    "numbers of importance samples are other ones there.",
    "The spread over seeds needs two seeds of some model of the data set, not of each: it is taken to be one for all "
    "models of a kind of quantity, so the error of an effect of one seed is pooled too, which its notes say. If some "
    "models spread more than others, the intervals of these are too narrow and of those too wide; over all they hold "
    "what they promise (simulated in tests/reporting/claims/test_coverage.py).",
    "Elsewhere the values are shown, and whether they point the same way. Identities are checked model by model, "
    "whatever the schedule, and are not among the verdicts.",
    "At k = 1 the VAE and the IWAE are one algorithm. This is an identity of the two objectives, tested in "
    "tests/test_bounds.py, and no claim here: one model stands in both columns.",
    "se is the whole error of an effect, by which it is tested. The interval of {coverage:.0%} follows from it by "
    "Student's t, without any correction; it is given where the effect was tested.",
)


def content(
    study: str,
    protocols: Sequence[str],
    verdicts: Sequence[Verdict],
    identities: Sequence[Verdict],
    inspections: Sequence[Inspection],
) -> dict[str, Any]:
    """The audit of a study as JSON keeps it; what is not a number is null.

    Args:
        study: Its name.
        protocols: The protocols of its models, in words; none if they cannot be read.
        verdicts: The verdicts on all claims.
        identities: Those on all identities.
        inspections: The integrity checks.
    """
    families = Counter(family(verdict.claim) for verdict in verdicts if verdict.p is not None)
    tested = {name: families[name] for name in FAMILIES}
    figures = {"level": LEVEL, "power": POWER, "coverage": COVERAGE}
    return {
        "study": study,
        "protocols": list(protocols),
        **figures,
        "tested": tested,
        "method": [paragraph.format(**tested, **figures) for paragraph in _METHOD],
        "verdicts": _counts(verdicts, *VERDICTS),
        "found": found(verdicts),
        "identities": _counts(identities, HOLDS, FAILS, UNDECIDED),
        "problems": sum(len(inspection.problems) for inspection in inspections),
        "inspections": [
            {"title": each.title, "compared": each.compared, "problems": list(each.problems)} for each in inspections
        ],
        "claims": [_claim(verdict) for verdict in verdicts],
        "theorems": [_identity(verdict) for verdict in identities],
    }


def summary(content: dict[str, Any]) -> str:
    """The counts of an audit in one line, from its content."""
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
        "id": claim.id,
        "claim": claim.text,
        "dataset": claim.dataset,
        "model": None if claim.kind is None else claim.kind.name,
        "source": claim.source,
        "place": claim.place,
        "quantity": claim.quantity,
        "rule": claim.rule,
        "parameters": dict(claim.parameters),
        "test": claim.test,
        "verdict": verdict.verdict,
        "why": list(verdict.why),
        "under": verdict.under,
        "notes": list(verdict.notes),
    }


def _claim(verdict: Verdict) -> dict[str, Any]:
    return _head(verdict) | {
        "family": family(verdict.claim),
        "p": _number(verdict.p),
        "p_adjusted": _number(verdict.adjusted),
        "p_against": _number(verdict.p_against),
        "p_against_adjusted": _number(verdict.adjusted_against),
        "power": verdict.power,
        "effects": [_effect(finding, tested=verdict.p is not None) for finding in verdict.findings],
    }


def _identity(verdict: Verdict) -> dict[str, Any]:
    return _head(verdict) | {"checks": [_check(check) for check in verdict.checks]}


def _effect(finding: Finding, tested: bool) -> dict[str, Any]:
    contrast, estimate = finding.contrast, finding.estimate
    files = QUANTITIES[contrast.quantity].files
    return {
        "label": contrast.label,
        "quantity": contrast.quantity,
        "unit": QUANTITIES[contrast.quantity].unit,
        "ours": _number(finding.sum.value),
        "se_images": _number(finding.sum.se_images),
        "sd_seeds": _number(finding.sum.sd_seeds),
        "se": None if estimate is None else _number(estimate.se),
        "dof": None if estimate is None else _number(estimate.dof),
        "interval": list(interval(estimate)) if tested and estimate else None,
        "paper": _number(contrast.paper),
        "low": _number(contrast.region.low),
        "high": _number(contrast.region.high),
        "at_a_third": _number(finding.earlier),
        "points_the_same_way": finding.points,
        "seeds": list(finding.sum.seeds),
        "missing": [kind.name for kind in finding.sum.missing],
        "evidence": [f"{model.spec.name}/{file}" for model in finding.models for file in (*files, manifest.NAME)],
    }


def _check(check: Check) -> dict[str, Any]:
    name = check.model.spec.name
    evidence = [f"{name}/{file}" for file in (check.file, manifest.NAME)]
    return {"model": name, "holds": check.holds, "shown": check.shown, "evidence": evidence}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
