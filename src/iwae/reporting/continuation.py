"""Table 2 as data: models that were trained on with the other objective."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.reference import paper_row
from iwae.reporting.spread import (
    active_units,
    chosen_units,
    head,
    kinds,
    mean_and_errors,
    measured,
    minus,
    partners,
    unknown,
)
from iwae.reporting.statements import activity_variant, is_comparable
from iwae.reporting.study import Model, StudyResults, nll_per_image
from iwae.study.specification import ModelSpec

_COUNTS = ("paper_first_active", "paper_active", "paper_active_change")


def table2(study: StudyResults) -> pd.DataFrame:
    """One row for each kind of continued model.

    Columns:
        dataset, layers, first_objective, first_k, objective, k: What the model was trained as, and continued as.
        stages, schedule, comparable, model, seeds, images, samples: As in `comparison.comparison`; comparable if both
            models are.
        first_nll and nll, each with se_images and sd_seeds: Of the models before, and of those after.
        change, change_se_images, change_sd_seeds: nll after minus before, of the seeds that both have, in nats; the
            error over images is of the paired per-image differences.
        first_active_units_1, first_active_units_authors_1, active_units_1, active_units_authors_1: Means over seeds of
            both variants; active_change is of the one that activity_variant names, over the seeds that both have.
        paper_first_nll, paper_nll, paper_change, paper_first_active, paper_active, paper_active_change: The paper's.
        difference: nll after minus the paper's, where comparable.
    """
    continued = [model for model in study.models if model.spec.origin is not None]
    variant = activity_variant(continued)
    frame = pd.DataFrame([_row(study, models, variant) for models in kinds(continued)])
    return frame.astype(dict.fromkeys(_COUNTS, "Int64"))


def _row(study: StudyResults, models: Sequence[Model], variant: str) -> dict[str, Any]:
    origin, start = models[0].spec.origin, head(models)
    both, first = partners(study, models, lambda spec: spec.origin)
    comparable = len(both) == len(models) and all(is_comparable(model) for model in (*models, *first))
    row = {
        "dataset": start["dataset"],
        "layers": start["layers"],
        "first_objective": origin.objective,
        "first_k": origin.k,
        **{key: start[key] for key in ("objective", "k", "stages", "schedule")},
        "comparable": comparable and paper_row(*_key(models[0].spec)) is not None,
        **{key: start[key] for key in ("model", "seeds")},
        **(mean_and_errors(nll_per_image(first)[0], "first_nll") if first else unknown("first_nll")),
        **measured(models),
        **minus(both, first, "change"),
        **active_units(study, first, "first_", layers=1),
        **active_units(study, models, layers=1),
        "activity_variant": variant,
        "active_change": chosen_units(active_units(study, both), variant)[0]
        - chosen_units(active_units(study, first), variant)[0],
        **_paper(models[0].spec, origin),
    }
    return row | {"difference": row["nll"] - row["paper_nll"] if row["comparable"] else np.nan}


def _key(spec: ModelSpec) -> tuple[str, int, int, str, str]:
    return spec.dataset, spec.layers, spec.k, spec.objective, spec.variation


def _paper(spec: ModelSpec, origin: ModelSpec) -> dict[str, Any]:
    after, before = paper_row(*_key(spec)), paper_row(*_key(origin))
    known = after is not None and before is not None
    return {
        "paper_first_nll": np.nan if before is None else before.nll,
        "paper_first_active": pd.NA if before is None else before.active_1,
        "paper_nll": np.nan if after is None else after.nll,
        "paper_active": pd.NA if after is None else after.active_1,
        "paper_change": after.nll - before.nll if known else np.nan,
        "paper_active_change": after.active_1 - before.active_1 if known else pd.NA,
    }
