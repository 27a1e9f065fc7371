"""Models that differ from others, their bases, in one thing, each minus its base over the same images."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from iwae.reporting.statements import NO_VALUES, comparison_lines, likelihood_line
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.cells import (
    Cells,
    active_cells,
    active_note,
    active_units,
    difference,
    head,
    nll,
    paired_note,
    seeds_note,
    table,
    value_cells,
)
from iwae.reporting.tables.formats import Table
from iwae.study.specification import STANDARD, ModelSpec


def with_bases(study: StudyResults, kinds: Collection[Kind]) -> StudyResults:
    """The models of these kinds and those that they are variations of, by seed."""
    varied = {spec for spec in study.specs if Kind.of(spec) in kinds}
    wanted = varied | {replace(spec, variation=base_of(Kind.of(spec)).variation) for spec in varied}
    return replace(
        study,
        specs=tuple(spec for spec in study.specs if spec in wanted),
        models=tuple(model for model in study.models if model.spec in wanted),
    )


def base_of(kind: Kind) -> Kind:
    """The kind that this one is a variation of: without the last of its variant, its estimator and its units."""
    spec = kind.spec
    for value, part in (
        (spec.variant, f"with-{spec.variant}"),
        (spec.estimator != STANDARD, f"by-{spec.estimator}"),
        (spec.latents, f"z{spec.latents}"),
    ):
        if value:
            return kind._replace(variation=f"-{kind.variation}-".replace(f"-{part}-", "-", 1).strip("-"))
    return kind


def variation_rows(
    study: StudyResults, kinds: Collection[Kind], varied: Callable[[StudyResults, Kind], dict[str, Any]]
) -> pd.DataFrame:
    """One row for each kind of model over the seeds for which something was varied, each base before its variations.

    Args:
        study: The study.
        kinds: The kinds that are variations.
        varied: What was varied, as columns of its own.

    Returns:
        The columns of a kind, of `varied`, of its nll, ``difference``, nll minus that of its base in nats, paired
        over images, and its active units.
    """
    study = with_bases(study, kinds)
    bases = {kind: base_of(kind) if kind in kinds else kind for kind in study.kinds(lambda spec: True)}
    places = {kind: place for place, kind in enumerate(bases)}
    return pd.DataFrame(
        {
            **head(study, kind),
            **varied(study, kind),
            **nll(study, kind),
            **difference(study, kind, bases[kind] if bases[kind] != kind else None),
            **active_units(study, kind),
        }
        for kind in sorted(bases, key=lambda kind: places.get(bases[kind], places[kind]))
    )


def variation_table(
    rows: pd.DataFrame,
    study: StudyResults,
    title: str,
    cells: Cells,
    base: str,
    remark: str,
    notes: Sequence[str] = (),
) -> Table:
    """A table of nll, its difference from that of the base, and active units.

    Args:
        rows: Those of a data set.
        study: The study.
        title: Its title, without the data set.
        cells: The columns that name a row.
        base: What the difference is from, in words.
        remark: What its sign means.
        notes: Further notes, the first ones.
    """
    shown = with_bases(study, {Kind.of(ModelSpec.parse(f"{name}/seed0")) for name in rows.model})
    models = [model for model in shown.models if "likelihood" in model.manifest]
    cells = cells + value_cells(rows, "nll", "nll") + value_cells(rows, "difference", "difference", 3, sign=True)
    if models:
        notes = [
            *notes,
            likelihood_line(models),
            f"se_images of nll: standard error over test images.{seeds_note(rows)}",
            f"difference: nll minus that {base}, in nats; {remark}.",
            paired_note(rows, "difference"),
            *active_note(shown, models),
        ]
    # That a variant's protocol is another is what such a table is about.
    lead = comparison_lines([model for model in shown.models if model.spec.variant is None], NO_VALUES)
    return table(f"{rows.dataset.iloc[0]}: {title}", lead, rows, [*cells, *active_cells(rows)], notes)
