"""Models that differ from those of the grid in one thing, as data: the number of latent units, or the protocol."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from iwae.reporting.contents import TABLES
from iwae.reporting.spread import active_units, head, kinds, measured, minus, partners, unknown
from iwae.reporting.statements import activity_variant, protocol_changes
from iwae.reporting.study import Model, StudyResults
from iwae.study.specification import ModelSpec


def capacity(study: StudyResults) -> pd.DataFrame:
    """One row for each one-layer objective, k and number of latent units, the grid's number among them.

    Columns:
        dataset, layers, objective, k, stages, schedule, model, seeds, images, samples, nll, se_images, sd_seeds: As in
            `comparison.comparison`, of the seeds for which the number of latent units was varied.
        latents: Latent units.
        difference, difference_se_images, difference_sd_seeds: nll minus that of the grid's model, in nats per image,
            paired over images; unknown for the grid's own.
        active_units_1, active_units_authors_1, activity_variant: As in `comparison.comparison`.
    """
    models = varied(study, TABLES["capacity"].about)
    variant = activity_variant(models)
    rows = []
    for group in kinds(models):
        latents = {"latents": int(study.row(group[0], "active_units_1").n)}
        units = active_units(study, group, layers=1)
        rows.append(_row(study, group) | latents | units | {"activity_variant": variant})
    keys = ["dataset", "k", "objective", "stages", "latents"]
    order = [True, True, False, True, True]
    return pd.DataFrame(rows).sort_values(keys, ascending=order, kind="stable", ignore_index=True)


def protocols(study: StudyResults) -> pd.DataFrame:
    """One row for each kind of model that was trained under several protocols, and each of these protocols.

    Columns:
        dataset, layers, objective, k, stages, schedule, model, seeds, images, samples, nll, se_images, sd_seeds: As in
            `comparison.comparison`, of the seeds for which the protocol was varied.
        variant: What was varied, the name of a preset or of one field; empty for the study's own protocol.
        changed: Each field of the protocol that differs from the study's own, with both values.
        difference, difference_se_images, difference_sd_seeds: nll minus that under the study's own protocol, in nats
            per image, paired over images.
        active_units_1, active_units_2, active_units_authors_1, active_units_authors_2, activity_variant: As in
            `comparison.comparison`; the variant of A_u is that of the study's own protocol throughout.
    """
    models = varied(study, TABLES["protocols"].about)
    variant = activity_variant([model for model in models if not model.spec.variation] or models)
    rows = []
    for group in kinds(models):
        both, bases = partners(study, group, base_of)
        words = {
            "variant": group[0].spec.variant or "",
            "changed": "; ".join(protocol_changes(bases[0], both[0])) if bases else "",
        }
        rows.append(_row(study, group) | words | active_units(study, group) | {"activity_variant": variant})
    return pd.DataFrame(rows)


def base_of(spec: ModelSpec) -> ModelSpec:
    """The model of the grid that `spec` is a variation of."""
    return replace(spec, variation="")


def varied(study: StudyResults, about: Callable[[ModelSpec], bool]) -> list[Model]:
    """The models that a table is about and their bases, in the study's order: a base stands before its variations."""
    specs = {spec for spec in study.specs if about(spec)}
    specs |= {base_of(spec) for spec in specs}
    return [model for model in study.models if model.spec in specs]


def _row(study: StudyResults, models: Sequence[Model]) -> dict[str, Any]:
    row = {**head(models), **measured(models)}
    if not models[0].spec.variation:
        return row | unknown("difference")
    return row | minus(*partners(study, models, base_of), "difference")
