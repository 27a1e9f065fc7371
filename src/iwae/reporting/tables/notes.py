"""Sentences that stand below several tables: on errors, and on how units were counted."""

import pandas as pd

from iwae.reporting.contrasts import columns, weighted_sum
from iwae.reporting.quantities import activities
from iwae.reporting.statements import counted, likelihood_line, listed, protocols, span
from iwae.reporting.tables.cells import OWN, Part
from iwae.study.registry import OBJECTIVES
from iwae.study.settings import ACTIVE

_NEAR = 3  # a factor either way of the threshold of activity
_ESTIMATES = {
    "one-sample": "the authors' estimate (the first {images} training images, or all of fewer; "
    "the second layer's mean at one sampled h1)",
    "definition": "the text's definition, over the whole training set",
}


def seeds_note(rows: pd.DataFrame, name: str = "nll") -> str:
    """What the spread over seeds is of; it begins with a space, as it follows another sentence."""
    if rows[columns(name)[2]].isna().all():
        return " One seed: the spread over seeds is not known."
    counts = listed(rows.seeds[rows.seeds > 1])
    means = "Values are means over seeds, and se_images is the error of that mean."
    return f" sd_seeds: standard deviation over {counts} seeds. {means}"


def paired_note(rows: pd.DataFrame, name: str = "difference") -> str:
    """What the errors of paired differences are."""
    return (
        "se_images: standard error of the differences paired over test images, which the models share; it is far "
        f"smaller than the error of either nll.{seeds_note(rows, name)}"
    )


def difference_notes(part: Part, base: str, remark: str) -> list[str]:
    """What the columns nll and difference are: from what the difference is, and what its sign means."""
    return [
        f"se_images of nll: standard error over test images.{seeds_note(part.rows)}",
        likelihood_line(part.measured),
        f"difference: nll minus {base}, in nats; {remark}.",
        paired_note(part.rows),
    ]


def active_note(part: Part) -> list[str]:
    """How the active units were counted, and how many a slightly different threshold would count otherwise."""
    models = [model for model in part.measured if "activity" in model.manifest]
    if not models:
        return []
    images = listed(model.settings("activity")["authors_images"] for model in models)
    near = [activities(part.study, one).activity.between(ACTIVE / _NEAR, ACTIVE * _NEAR).sum() for one in models]
    spreads = [weighted_sum(part.study, "active", {kind: 1.0}).sd_seeds for kind in {one.kind for one in models}]
    known = [spread for spread in spreads if pd.notna(spread)]
    ends = f"between {ACTIVE / _NEAR:.2g} and {ACTIVE * _NEAR:.2g}"
    threshold = (
        f"Each model has {span(near, 0)} units {ends}, which another threshold would count otherwise."
        if max(near)
        else f"No model has a unit {ends}, so any threshold there gives the same count."
    )
    return [
        f"active: units with A_u > {ACTIVE} (layer 1 + layer 2), by "
        f"{_ESTIMATES[part.study.activity].format(images=images)}; the CSV has both estimates. "
        f"{threshold}"
        f"{f' Over seeds their number has a standard deviation of {span(known, 1)}.' if known else ''}"
    ]


def own_note(part: Part) -> list[str]:
    """Which protocol the study's own is, where some rows are of another."""
    named = f"{OWN}: the study's own protocol, {'; '.join(protocols(part.study.grid))}."
    return [named] if part.rows.variant.any() else []


def extreme_note(rows: pd.DataFrame, name: str, what: str, digits: int) -> list[str]:
    """The row in which a column is largest in size, in words."""
    if rows[name].isna().all():
        return []
    row = rows.loc[rows[name].abs().idxmax()]
    kind = f"{OBJECTIVES[row.objective].label} k = {row.k}, {counted(row.layers, 'layer')}"
    return [f"{what}: {row[name]:+.{digits}f} nats ({kind})."]
