"""Models that differ from others, their bases, in one thing, each minus its base over the same images."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from iwae.reporting.statements import NO_VALUES, listed, protocol_changes
from iwae.reporting.study import Kind, StudyResults, kind_of
from iwae.reporting.tables import cells, notes
from iwae.reporting.tables.cells import NLL, Columns, Part, Sum
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.reporting.tables.priors import named
from iwae.study.registry import ESTIMATORS
from iwae.study.specification import PAPER_LATENTS

DIFFERENCE = Sum("difference", "difference", "nll", digits=3, sign=True)
MANY = 2  # changed fields: more are listed below the table


def with_bases(study: StudyResults, kinds: Collection[Kind]) -> StudyResults:
    """The models of these kinds and those that they are variations of, by seed."""
    varied = {spec for spec in study.specs if kind_of(spec) in kinds}
    wanted = varied | {base_of(spec) for spec in varied}
    return replace(
        study,
        specs=tuple(spec for spec in study.specs if spec in wanted),
        models=tuple(model for model in study.models if model.spec in wanted),
    )


def base_of(kind: Kind) -> Kind:
    """The kind that this one is a variation of: without the last of its variant, its estimator and its units."""
    parts = f"with-{kind.variant}", f"by-{kind.estimator}", f"z{kind.latents}"
    return next((base for part in parts if (base := kind.without(part)) != kind), kind)


@dataclass(frozen=True)
class Variation:
    """A table of models that were varied, each below its base."""

    title: str  # without the data set
    base: str  # what the difference is from, in words
    remark: str  # what the sign of a difference means
    varied: Columns  # what was varied
    named: Callable[[pd.DataFrame], list[Column]]  # the columns that name a row
    order: tuple[str, ...] = ()  # columns by which rows are ordered; none for each base before its variations
    own: Callable[[Part], list[str]] = lambda part: []  # notes of its own, which stand first

    def rows(self, study: StudyResults, kinds: Collection[Kind]) -> pd.DataFrame:
        """One row for each kind of model over the seeds for which something was varied.

        ``difference``: nll minus that of its base in nats, paired over images.
        """
        study = with_bases(study, kinds)
        bases = {kind: base_of(kind) if kind in kinds else kind for kind in study.kinds()}
        places = {kind: place for place, kind in enumerate(bases)}
        order = sorted(bases, key=lambda kind: places.get(bases[kind], places[kind]))
        difference = replace(DIFFERENCE, minus=bases.get)
        frame = cells.frame(study, order, self.varied, NLL.sampled, difference, cells.active_units)
        return cells.by_objective(frame, self.order) if self.order else frame

    def lay_out(self, part: Part) -> list[Table]:
        """A table of nll, its difference from that of the base, and active units."""
        study = with_bases(part.study, part.kinds)
        values = [NLL.shown(part.rows), DIFFERENCE.shown(part.rows), cells.active(part.rows)]
        # That a variant's protocol is another is what such a table is about.
        plain = [model for model in study.models if model.spec.variant is None]
        measured = [model for model in study.models if "likelihood" in model.manifest]
        part = replace(part, study=study, models=plain, measured=measured)
        shown = [*self.named(part.rows), *values]
        return [part.table(f"{{}}: {self.title}", shown, self.notes(part), NO_VALUES)]

    def notes(self, part: Part) -> list[str]:
        """What stands below the table."""
        differences = notes.difference_notes(part, f"that {self.base}", self.remark)
        return [*self.own(part), *differences, *notes.active_note(part)]


_HELD_OUT = Sum("held_out", "held out", "validation_loss", minus=base_of)


def _protocol(study: StudyResults, kind: Kind) -> dict[str, Any]:
    """The variant, each field that differs from the study's own, and what the models with and without share.

    ``held_out``: the loss of the images held out, minus that of the base, in nats.
    """
    models, bases = (study.of_kinds([one]) for one in (kind, base_of(kind)))
    changes = protocol_changes(bases[0], models[0]) if models and bases else []
    return {**named(study, kind), "changed": "; ".join(changes), **_HELD_OUT(study, kind)}


def _changed(row: pd.Series) -> str:
    fields = row.changed.split("; ") if row.changed else []
    return f"{len(fields)} fields, listed below" if len(fields) > MANY else row.changed or EMPTY


def _listed_below(part: Part) -> list[str]:
    long = part.rows[part.rows.changed.str.count("; ") >= MANY].drop_duplicates(["variant", "changed"])
    images = listed({model.training.protocol.held_out for model in part.measured} - {0})
    return [
        *notes.own_note(part),
        *(f"{row.variant}: {row.changed}." for _, row in long.iterrows()),
        f"held out: the difference in each model's own loss (VAE: -L_1, IWAE: -L_k) of the {images} training "
        "images that are held out, after the last pass; its error is not known. What is chosen by it owes nothing to "
        "test images.",
    ]


capacity = Variation(
    "active units and nll against the number of latent units, one layer",
    "of the model with the grid's number of latent units",
    "negative where it is better",
    varied=lambda study, kind: {"latents": kind.latents or PAPER_LATENTS},
    named=lambda rows: [*cells.keys(rows, ("objective", "k")), Column("latent units", lambda row: str(row.latents))],
    order=("dataset", "k", "objective", "latents"),
)
estimators = Variation(
    "nll by estimator of the gradient",
    "by the standard estimator",
    "negative where the other estimator is better",
    varied=lambda study, kind: {"estimator": ESTIMATORS[kind.estimator].label},
    named=lambda rows: [*cells.keys(rows), *cells.words("estimator")],
)
protocols = Variation(
    "nll under other protocols",
    "under the study's own protocol",
    "positive where the change costs nats",
    varied=_protocol,
    named=lambda rows: [
        *cells.keys(rows),
        *cells.several(rows, "networks", "prior"),
        cells.PROTOCOL,
        Column("changed", _changed, text=True),
        cells.value(_HELD_OUT.label, _HELD_OUT.name, digits=3, sign=True),
    ],
    own=_listed_below,
)
