"""Tables 1 and 3 as data: our nll and active units with their errors, the paper's, and IWAE minus VAE over images."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.contents import TABLE_1, TABLE_3
from iwae.reporting.reference import paper_row
from iwae.reporting.spread import active_units, head, measured, minus, unknown
from iwae.reporting.statements import activity_variant, is_comparable
from iwae.reporting.study import Model, StudyResults
from iwae.study.registry import OBJECTIVES, objectives_of

KEYS = ["dataset", "layers", "k", "stages"]
Cell = tuple[str, int, int, int]  # dataset, layers, k, stages


def table1(study: StudyResults) -> pd.DataFrame:
    """`comparison` for the data sets of the paper's Table 1."""
    return comparison(study, TABLE_1)


def table3(study: StudyResults) -> pd.DataFrame:
    """`comparison` for the data sets that were binarized once: that of the paper's Table 3, and our own."""
    return comparison(study, TABLE_3)


def comparison(study: StudyResults, datasets: Collection[str] = (*TABLE_1, *TABLE_3)) -> pd.DataFrame:
    """One row for each dataset, layers, k, stages and objective of the grid; k = 1 is one model in the rows of both.

    Columns beside these keys:
        schedule, comparable: The part of the paper's schedule that was run; whether the paper has a value, and training
            and nll are done as there (`statements.is_comparable`).
        model, seeds, images, samples: Which models, how many seeds, over how many test images and importance samples.
        nll, se_images, sd_seeds: Mean over seeds (nats per image); standard error over images of the per-image values
            averaged over seeds; standard deviation over seeds (two or more).
        paper_nll, difference: The paper's, and ours minus the paper's, the latter only where comparable; likewise
        difference_per_se_images, difference_per_sd_seeds: The difference in units of either error.
        active_units_1, active_units_2, active_units_authors_1, active_units_authors_2: Means over seeds of both
            variants, and paper_active_1, paper_active_2; activity_variant says which variant stands beside the paper's.
        minus_vae, minus_vae_se_images, minus_vae_sd_seeds, paper_minus_vae: For an IWAE, its nll minus the VAE's at the
            same dataset, layers, k and stages; the error over images is of the paired per-image differences.
    """
    study = study.grid
    models = [model for model in study.models if model.spec.dataset in datasets]
    cells, variant = _cells(models), activity_variant(models)
    rows = []
    for cell in sorted(cells):
        for objective in OBJECTIVES:
            if group := cells[cell].get(objective):
                rows.append(
                    _row(study, cell, objective, group)
                    | {"activity_variant": variant}
                    | _paired(cell, objective, cells[cell])
                )
    return pd.DataFrame(rows).astype({"paper_active_1": "Int64", "paper_active_2": "Int64"})


def _cells(models: Sequence[Model]) -> dict[Cell, dict[str, list[Model]]]:
    cells: dict[Cell, dict[str, list[Model]]] = defaultdict(lambda: defaultdict(list))
    for model in models:
        spec = model.spec
        for objective in objectives_of(spec.objective, spec.k):
            cells[spec.dataset, spec.layers, spec.k, model.stages][objective].append(model)
    return cells


def _row(study: StudyResults, cell: Cell, objective: str, models: Sequence[Model]) -> dict[str, Any]:
    dataset, layers, k, _ = cell
    reference, start = paper_row(dataset, layers, k, objective), head(models)
    row: dict[str, Any] = {key: start[key] for key in (*KEYS, "schedule")} | {
        "comparable": reference is not None and all(is_comparable(model) for model in models),
        "objective": objective,  # at k = 1 that of the column, not of the model's name
        "model": start["model"],
        "seeds": start["seeds"],
        **measured(models),
        "paper_nll": np.nan if reference is None else reference.nll,
    }
    row["difference"] = difference = row["nll"] - row["paper_nll"] if row["comparable"] else np.nan
    row["difference_per_se_images"] = difference / row["se_images"]
    row["difference_per_sd_seeds"] = difference / row["sd_seeds"]
    row |= active_units(study, models)
    for layer in (1, 2):
        row[f"paper_active_{layer}"] = pd.NA if reference is None else reference[f"active_{layer}"]
    return row


def _paired(cell: Cell, objective: str, models: dict[str, list[Model]]) -> dict[str, float]:
    """IWAE minus VAE over the seeds that both have: they share images, binarization and initialisation."""
    dataset, layers, k, _ = cell
    by_seed = {name: {model.spec.seed: model for model in group} for name, group in models.items()}
    seeds = sorted(by_seed.get("vae", {}).keys() & by_seed.get("iwae", {}).keys())
    if objective != "iwae" or k == 1 or not seeds:
        return unknown("minus_vae") | {"paper_minus_vae": np.nan}
    row = minus(*([by_seed[name][seed] for seed in seeds] for name in ("iwae", "vae")), "minus_vae")
    ours, theirs = (paper_row(dataset, layers, k, name) for name in ("iwae", "vae"))
    paper = np.nan if ours is None or theirs is None else ours.nll - theirs.nll
    return row | {"paper_minus_vae": paper}
