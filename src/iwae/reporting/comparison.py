"""Table 1 as data: our nll and active units with their errors, the paper's, and IWAE minus VAE paired over images."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.reference import paper_row
from iwae.reporting.statements import activity_variant, is_comparable, schedule
from iwae.reporting.study import Model, Study, nll_per_image
from iwae.specification import OBJECTIVES

KEYS = ["dataset", "layers", "k", "stages"]
Cell = tuple[str, int, int, int]  # dataset, layers, k, stages


def table1(study: Study) -> pd.DataFrame:
    """Table 1: one row for each dataset, layers, k, stages and objective; k = 1 is one model in the rows of both.

    Columns beside these keys:
        schedule, comparable: The part of the paper's schedule that was run; whether training and nll are done as in the
            paper (`statements.is_comparable`).
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
    cells = _cells(study.models)
    variant = activity_variant(study.models)
    rows = []
    for cell in sorted(cells):
        for objective in OBJECTIVES:
            if models := cells[cell].get(objective):
                rows.append(
                    _row(study, cell, objective, models)
                    | {"activity_variant": variant}
                    | _paired(cell, objective, cells[cell])
                )
    return pd.DataFrame(rows).astype({"paper_active_1": "Int64", "paper_active_2": "Int64"})


def _cells(models: Sequence[Model]) -> dict[Cell, dict[str, list[Model]]]:
    cells: dict[Cell, dict[str, list[Model]]] = defaultdict(lambda: defaultdict(list))
    for model in models:
        spec = model.spec
        for objective in OBJECTIVES if spec.k == 1 else (spec.objective,):
            cells[spec.dataset, spec.layers, spec.k, model.stages][objective].append(model)
    return cells


def _row(study: Study, cell: Cell, objective: str, models: Sequence[Model]) -> dict[str, Any]:
    dataset, layers, k, stages = cell
    nll, _ = nll_per_image(models)
    row: dict[str, Any] = dict(zip(KEYS, cell, strict=True)) | {
        "schedule": schedule(stages),
        "comparable": all(is_comparable(model) for model in models),
        "objective": objective,
        "model": models[0].spec.name.rsplit("/", 1)[0],
        "seeds": len(models),
        "images": nll.shape[1],
        "samples": models[0].settings("likelihood")["samples"],
        **_mean_and_errors(nll, ""),
    }
    reference = paper_row(dataset, layers, k, objective)
    row["paper_nll"] = np.nan if reference is None else reference.nll
    difference = row["nll"] - row["paper_nll"] if row["comparable"] else np.nan
    row["difference"] = difference
    row["difference_per_se_images"] = difference / row["se_images"]
    row["difference_per_sd_seeds"] = difference / row["sd_seeds"]
    for quantity in ("active_units", "active_units_authors"):
        for layer in (1, 2):
            row[f"{quantity}_{layer}"] = np.mean([study.value(model, f"{quantity}_{layer}") for model in models])
    for layer in (1, 2):
        row[f"paper_active_{layer}"] = pd.NA if reference is None else reference[f"active_{layer}"]
    return row


def _mean_and_errors(values: np.ndarray, prefix: str) -> dict[str, float]:
    """Mean, se_images and sd_seeds of per-image values (seeds, images)."""
    by_image, by_seed = values.mean(axis=0), values.mean(axis=1)
    return {
        prefix or "nll": by_image.mean(),
        f"{prefix}_se_images".lstrip("_"): by_image.std(ddof=1) / np.sqrt(len(by_image)),
        f"{prefix}_sd_seeds".lstrip("_"): by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
    }


def _paired(cell: Cell, objective: str, models: dict[str, list[Model]]) -> dict[str, float]:
    """IWAE minus VAE over the seeds that both have: they share images, binarization and initialisation."""
    dataset, layers, k, _ = cell
    empty = dict.fromkeys(("minus_vae", "minus_vae_se_images", "minus_vae_sd_seeds", "paper_minus_vae"), np.nan)
    by_seed = {name: {model.spec.seed: model for model in group} for name, group in models.items()}
    seeds = sorted(by_seed.get("vae", {}).keys() & by_seed.get("iwae", {}).keys())
    if objective != "iwae" or k == 1 or not seeds:
        return empty
    pairs = [by_seed[name][seed] for name in ("iwae", "vae") for seed in seeds]
    nll, _ = nll_per_image(pairs)
    row = empty | _mean_and_errors(nll[: len(seeds)] - nll[len(seeds) :], "minus_vae")
    ours, theirs = (paper_row(dataset, layers, k, name) for name in ("iwae", "vae"))
    if ours is not None and theirs is not None:
        row["paper_minus_vae"] = ours.nll - theirs.nll
    return row
