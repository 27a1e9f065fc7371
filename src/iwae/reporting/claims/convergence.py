"""Whether effects depend on how far training went: a study's models, and those of a third of the passes."""

from iwae.reporting.study import Kind, StudyResults

_RANGE = (1 / 4, 1 / 2)  # of all passes: what still counts as a third


def third_of_the_passes(study: StudyResults, kind: Kind) -> Kind | None:
    """The kind of models that differ from `kind` by having had about a third of the passes; None if there are none."""
    whole = study.training(kind).get("passes")
    if whole is None:
        return None
    least, most = (share * whole for share in _RANGE)
    shorter = {
        other: passes
        for other in study.by_kind
        if (passes := other.spec.passes) and least <= passes <= most and other.without(f"p{passes}") == kind
    }
    return min(shorter, key=lambda other: abs(3 * shorter[other] - whole), default=None)
