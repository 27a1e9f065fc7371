"""From claims and evidence to verdicts: reproduced, not reproduced, or undecided and why.

Identities have words of their own: they hold or fail, which says nothing of the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

from iwae.reporting.claims.checks import CHECKS, Check
from iwae.reporting.claims.evidence import Evidence, Finding
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.claims.rules import FAMILIES, RULES, Claim
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.results import UNREADABLE, reason
from iwae.reporting.statements import comparison_lines, counted, is_foreign, own_way_line, protocol_lines, protocols
from iwae.reporting.statistics import LEVEL, POWER, detectable, holm
from iwae.reporting.study import Model, StudyResults, kind_name
from iwae.study.settings import SCHEDULE_STAGES

REPRODUCED, REFUTED, UNDECIDED = "reproduced", "not reproduced", "undecided"
HOLDS, FAILS = "holds", "fails"
NOT_RUN, RUN_IN_PART, CUT, FEW_SEEDS = "not run", "run in part", "schedule cut", "too few seeds"
UNLIKE, FOREIGN = "not done as in the paper", "not the paper's protocol"
UNCONVERGED, UNCHECKED = "not converged", "convergence not checked"
UNREAD, WIDE, PARTLY = "evidence unreadable", "error too large", "not told by all models"


@dataclass(frozen=True)
class Verdict:
    """A claim or an identity with its verdict."""

    claim: Claim
    findings: tuple[Finding, ...] = ()  # what the study says of each effect of a claim
    checks: tuple[Check, ...] = ()  # what it says of each model, for an identity
    verdict: str = UNDECIDED  # or REPRODUCED or REFUTED; of an identity HOLDS or FAILS
    why: tuple[str, ...] = ()  # it is undecided, in keywords
    notes: tuple[str, ...] = ()  # what else must be known, in sentences
    p: float | None = None  # of the hypothesis that the claim is false; None where nothing was tested
    p_against: float | None = None  # of the hypothesis that it is true
    adjusted: float | None = None  # p by Holm's correction over all claims of the family that were tested in the study
    adjusted_against: float | None = None  # p_against likewise
    under: str = ""  # the protocols and the seeds that it rests on, such as "efficient, 3 seeds"
    power: str = ""  # what could have been shown of an undecided claim, a sentence


def verdicts_of(study: StudyResults) -> tuple[list[Verdict], list[Verdict]]:
    """The verdicts on all claims, and on all identities."""
    if "verdicts" not in study.known:
        read = read_claims()
        evidence = Evidence(study, read.images, read.binarization, read.taken_over)
        study.known["verdicts"] = judge(read.claims, evidence), examine(read.identities, evidence)
    return study.known["verdicts"]


def judge(claims: Sequence[Claim], evidence: Evidence) -> list[Verdict]:
    """The verdict on each claim, corrected for the number of claims of its family that could be tested."""
    verdicts = {claim.id: _assess(claim, evidence) for claim in claims}
    for name in FAMILIES:
        members = [verdict for verdict in verdicts.values() if verdict.claim.family == name]
        verdicts |= {verdict.claim.id: verdict for verdict in _corrected(members)}
    return list(verdicts.values())


def examine(identities: Sequence[Claim], evidence: Evidence) -> list[Verdict]:
    """Whether each identity holds."""
    verdicts = []
    for identity in identities:
        models = [model for model in evidence.study.models if model.spec.dataset == identity.dataset]
        try:
            checks = [CHECKS[identity.rule](model) for model in models]
            verdicts.append(_checked(identity, tuple(check for check in checks if check)))
        except UNREADABLE as error:
            verdicts.append(Verdict(identity, why=(UNREAD,), notes=(reason(error),)))
    return verdicts


def unreadable(fault: str) -> tuple[list[Verdict], list[Verdict]]:
    """The verdicts on all claims and identities where the study cannot be read at all."""
    read, verdict = read_claims(), partial(Verdict, why=(UNREAD,), notes=(f"The study cannot be read: {fault}",))
    return list(map(verdict, read.claims)), list(map(verdict, read.identities))


def _corrected(verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts of one family, decided."""
    tested = [(each.p, each.p_against) for each in verdicts if each.p is not None and each.p_against is not None]
    adjusted = zip(*map(holm, zip(*tested, strict=True)), strict=True)
    decided = [verdict if verdict.p is None else _decided(verdict, *next(adjusted)) for verdict in verdicts]
    level = LEVEL / max(1, len(tested))
    return [replace(verdict, power=_power(verdict, level)) for verdict in decided]


def _assess(claim: Claim, evidence: Evidence) -> Verdict:
    """What the study says of one claim, its p-values before any correction."""
    try:
        contrasts = list(RULES[claim.rule](evidence, claim, **claim.parameters))
        verdict = _tested(claim, tuple(evidence.find(contrast, sizes=not claim.source) for contrast in contrasts))
    except UNREADABLE as error:
        return Verdict(claim, why=(UNREAD,), notes=(reason(error),))
    assumptions = dict.fromkeys(note for contrast in contrasts for note in evidence.assumptions(contrast))
    return replace(verdict, notes=(*verdict.notes, *assumptions))


def _checked(claim: Claim, checks: tuple[Check, ...]) -> Verdict:
    known = [check.holds for check in checks if check.holds is not None]
    silent = len(checks) - len(known)
    notes = (f"The files of {silent} of {counted(len(checks), 'model')} do not tell.",) if silent else ()
    if not all(known):  # one model is enough, whatever the others would tell
        return Verdict(claim, checks=checks, verdict=FAILS, notes=notes)
    if silent or not known:
        return Verdict(claim, checks=checks, why=(PARTLY if known else NOT_RUN,), notes=notes)
    return Verdict(claim, checks=checks, verdict=HOLDS)


def _tested(claim: Claim, findings: tuple[Finding, ...]) -> Verdict:
    models = list({model.spec: model for finding in findings for model in finding.sum.models}.values())
    missing = sorted({kind_name(kind) for finding in findings for kind in finding.sum.missing})
    notes = [f"Not in this study: {', '.join(missing)}."] if missing else []
    notes += [own_way_line(models, claim.source)] if claim.source and models else protocol_lines(models)
    measured = [finding for finding in findings if finding.sum.seeds]
    why = [RUN_IN_PART if measured else NOT_RUN] if missing or not findings else []
    if departure := _departure(claim, findings):
        why.append(departure)
        sections = dict.fromkeys(QUANTITIES[finding.contrast.quantity].section for finding in findings)
        notes += comparison_lines(models, sections=sections)
    if any(finding.estimate is None for finding in measured):
        why.append(FEW_SEEDS)
    notes += _pooled(measured)
    verdict = Verdict(claim, findings, why=tuple(why), notes=tuple(notes), under=_basis(models, measured))
    if why or len(measured) < len(findings):
        return verdict if why else replace(verdict, why=(FEW_SEEDS,))
    if claim.family == "effects" and any(map(is_foreign, models)):
        # It counts among those that are tested all the same: whether it does must not depend on what was found.
        verdict = replace(verdict, why=tuple(_convergence(measured)))
    # All effects must be shown, each at the whole level; that one is refuted may be found by any, so Bonferroni's.
    p = max(finding.p_inside for finding in findings)
    return replace(verdict, p=p, p_against=min(1.0, len(findings) * min(finding.p_outside for finding in findings)))


def _departure(claim: Claim, findings: Sequence[Finding]) -> str:
    """Why models do not serve: for a claim of values those unlike the paper's, for effects those not complete."""
    fits = attrgetter("comparable" if claim.family == "values" else "complete")
    models = [model for finding in findings if not fits(finding) for model in finding.sum.models]
    if not models:
        return ""
    if any(model.training.stages != SCHEDULE_STAGES for model in models):
        return CUT
    return FOREIGN if all(map(is_foreign, models)) else UNLIKE


def _convergence(findings: Sequence[Finding]) -> list[str]:
    """Why effects under a protocol that is not the paper's decide nothing: they did not last, or nobody looked."""
    converged = [finding.converged for finding in findings]
    if False in converged:
        return [UNCONVERGED]
    return [UNCHECKED] if None in converged else []


def _pooled(findings: Sequence[Finding]) -> list[str]:
    """A sentence if effects of one seed have their error from models of more."""
    single = [finding for finding in findings if len(finding.sum.seeds) == 1 and finding.estimate]
    if not single:
        return []
    return [
        f"{counted(len(single), 'effect')} of {len(findings)} of one seed: the spread over seeds is that of the models "
        "of several seeds of the data set, taken to be the same for all."
    ]


def _basis(models: Sequence[Model], findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    least, most = (extreme(len(finding.sum.seeds) for finding in findings) for extreme in (min, max))
    seeds = counted(most, "seed")
    return f"{'; '.join(protocols(models))}, {seeds if least == most else f'{least} to {seeds}'}"


def least_clear(findings: Sequence[Finding]) -> Finding:
    """The finding that is the least shown to lie where the claim says."""
    return max(findings, key=lambda finding: finding.p_inside)


def _decided(verdict: Verdict, adjusted: float, against: float) -> Verdict:
    shown = REPRODUCED if adjusted <= LEVEL else REFUTED if against <= LEVEL else UNDECIDED
    name = UNDECIDED if verdict.why else shown
    why = verdict.why or ((WIDE,) if name == UNDECIDED else ())
    return replace(verdict, verdict=name, why=why, adjusted=adjusted, adjusted_against=against)


def _power(verdict: Verdict, level: float) -> str:
    """What the claim's least certain effect would have had to be, to be shown with a chance of 80%."""
    if verdict.verdict != UNDECIDED:
        return ""
    if not any(finding.sum.seeds for finding in verdict.findings):
        return "Power: unknown, since no seed was measured of all models."
    if not (known := [finding for finding in verdict.findings if finding.estimate]):
        return "Power: unknown, since no model has two seeds, which alone tell of the spread over seeds."
    worst = least_clear(known)
    estimate, region = worst.estimate, worst.contrast.region
    assert estimate is not None  # as of all that are known
    two_sided = abs(region.low) + abs(region.high) < float("inf")
    least = detectable(estimate.se, estimate.dof, level, two_sided)
    unit = QUANTITIES[worst.contrast.quantity].unit
    what, where = ("distance", "from the bound") if not two_sided else ("half-width", "of a range around the effect")
    seeds = counted(len(worst.sum.seeds), "seed")
    return (
        f"Power: for {worst.contrast.label!r} (standard error {estimate.se:.3g} {unit}, {seeds}, "
        f"{estimate.dof:.0f} degrees of freedom), the smallest {what} {where} that would be shown with a chance of "
        f"{POWER:.0%} at the level {level:.2g} is {least:.3g} {unit}."
    )
