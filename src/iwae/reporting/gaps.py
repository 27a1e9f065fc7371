"""Two differences of nll within each model of the grid: test minus training images, and without its inactive units."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.reference import paper_range
from iwae.reporting.spread import head, kinds, mean_and_errors, measured
from iwae.reporting.statements import is_comparable
from iwae.reporting.study import Model, StudyResults, nll_per_image


def generalization(study: StudyResults) -> pd.DataFrame:
    """The nll of test and training images: one row for each kind of model.

    Columns:
        dataset, layers, objective, k, stages, schedule, model, seeds, images, samples, nll, se_images, sd_seeds: As in
            `comparison.comparison`, of the test images.
        train_images, nll_train, nll_train_se_images, nll_train_sd_seeds: The same of training images.
        gap, gap_se_images, gap_sd_seeds: nll of test minus that of training images, in nats per image. The two sets of
            images are independent, so the squares of their errors add up; the deviation over seeds is of the gaps.
        comparable, paper_low, paper_high: Whether training and nll are done as in the paper and its text gives a range
            of the gap, and the range.
    """
    return pd.DataFrame([_gap_row(models) for models in kinds(study.grid.models)])


def _gap_row(models: Sequence[Model]) -> dict[str, Any]:
    test, train = (nll_per_image(models, split)[0] for split in ("test", "train"))
    row = {**head(models), **measured(models), "train_images": train.shape[1], **mean_and_errors(train, "nll_train")}
    by_seed = test.mean(axis=1) - train.mean(axis=1)
    row |= {
        "gap": by_seed.mean(),
        "gap_se_images": np.hypot(row["se_images"], row["nll_train_se_images"]),
        "gap_sd_seeds": by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
    }
    return row | _paper("generalization_gap", models, "likelihood")


def inactive(study: StudyResults) -> pd.DataFrame:
    """What nll loses with the inactive units: one row for each kind of model.

    Columns:
        dataset, layers, objective, k, stages, schedule, model, seeds: As in `comparison.comparison`.
        images, samples: Test images and importance samples with which both nll were measured.
        nll: Of the whole model on these images, in nats per image.
        change, change_se_images, change_sd_seeds: nll without the inactive units minus that of the whole model, paired
            over images and with the same samples of the units that are kept.
        removed_1, removed_2, units_1, units_2: Units that were removed from each layer, means over seeds, and how many
            units there were.
        comparable, paper_low, paper_high: Whether training is done as in the paper and nll with as many samples; the
            paper's bound on the size of the change.
    """
    grid = study.grid
    models = [model for model in grid.models if "chopped" in model.manifest]
    return pd.DataFrame([_change_row(group) for group in kinds(models)])


def _change_row(models: Sequence[Model]) -> dict[str, Any]:
    arrays = [model.arrays("chopped", "chopped.npz", ("whole", "chopped")) for model in models]
    whole, chopped = (-np.stack([part[name].astype(np.float64) for part in arrays]) for name in ("whole", "chopped"))
    row = {
        **head(models),
        "images": whole.shape[1],
        "samples": models[0].settings("chopped")["samples"],
        "nll": whole.mean(),
        **mean_and_errors(chopped - whole, "change"),
    }
    tables = [model.table("chopped", "chopped.csv").set_index("layer") for model in models]
    for name in ("removed", "units"):
        for layer in (1, 2):
            found = [float(table.loc[layer, name]) for table in tables if layer in table.index]
            row[f"{name}_{layer}"] = np.mean(found or [np.nan])
    return row | _paper("chopped_change", models, "chopped")


def _paper(quantity: str, models: Sequence[Model], section: str) -> dict[str, Any]:
    paper = paper_range(quantity, models[0].spec.dataset)
    return {
        "comparable": paper is not None and all(is_comparable(model, section) for model in models),
        "paper_low": np.nan if paper is None else paper.low,
        "paper_high": np.nan if paper is None else paper.high,
    }
