"""Models that differ from others, their bases, in one thing, each minus its base over the same images."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import pandas as pd

from iwae.reporting.statements import NO_VALUES, likelihood_line
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import NLL, Columns, Part, Sum
from iwae.reporting.tables.formats import Column, Table
from iwae.study.specification import STANDARD, ModelSpec

DIFFERENCE = Sum("difference", "difference", "nll", digits=3, sign=True)


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
            return kind.without(part)
    return kind


def variation_rows(study: StudyResults, kinds: Collection[Kind], varied: Columns) -> pd.DataFrame:
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
    order = sorted(bases, key=lambda kind: places.get(bases[kind], places[kind]))
    return cells.frame(study, order, varied, NLL.sampled, replace(DIFFERENCE, minus=bases.get), cells.active_units)


def variation_table(
    part: Part, title: str, named: Sequence[Column], base: str, remark: str, notes: Sequence[str] = ()
) -> Table:
    """A table of nll, its difference from that of the base, and active units.

    Args:
        part: The rows of a data set.
        title: Its title, without the data set.
        named: The columns that name a row.
        base: What the difference is from, in words.
        remark: What its sign means.
        notes: Further notes, the first ones.
    """
    study = with_bases(part.study, {Kind.of(ModelSpec.parse(f"{name}/seed0")) for name in part.rows.model})
    part = replace(part, measured=[model for model in study.models if "likelihood" in model.manifest])

    def all_notes(part: Part) -> list[str]:
        return [
            *notes,
            likelihood_line(part.measured),
            f"se_images of nll: standard error over test images.{cells.seeds_note(part.rows)}",
            f"difference: nll minus that {base}, in nats; {remark}.",
            cells.paired_note(part.rows),
            *cells.active_note(study, part.measured),
        ]

    shown = [*named, NLL.shown(part.rows), DIFFERENCE.shown(part.rows), cells.active(part.rows)]
    # That a variant's protocol is another is what such a table is about.
    plain = [model for model in study.models if model.spec.variant is None]
    return part.table(f"{{}}: {title}", shown, all_notes, NO_VALUES, models=plain)
