"""Replaced priors: what a trained model gains if another p(z) takes the place of its own (`evaluation.replaced`)."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.contrasts import WeightedMean, spread_over_images
from iwae.reporting.statements import comparison_lines, listed
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import by_objective, grouped, head, key_cells, several_cells, table, value_cells
from iwae.reporting.tables.formats import Column, Table
from iwae.reporting.tables.priors import networks
from iwae.study.registry import prior_label

MEASURES = {"elbo": "ELBO", "bound": "L_S"}
_NAMES = {"gaussian": "one Gaussian", "aggregate": "q(z)", "leave-one-out": "q(z), own image left out"}


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and prior put in the place of its own.

    ``elbo_train`` and so on: what the prior gains in the ELBO, and in the bound L_S of the S draws, on images of each
    split, in nats per image.
    """
    frame = pd.DataFrame(row for kind in kinds for row in _rows(study, kind))
    return by_objective(frame, ["dataset", "layers", "networks", "k", "objective", "variation"])


def _rows(study: StudyResults, kind: Kind) -> list[dict[str, object]]:
    models, words = study.of_kinds([kind], "replaced"), {**head(study, kind), "networks": networks(kind.spec)}
    if not models:
        return [words | {"seeds": 0}]
    names = list(dict.fromkeys(name for model in models for name in model.table("replaced", "replaced.csv").prior))
    rows = []
    for name in names:
        row = {**words, "own": prior_label(kind.spec.prior), "seeds": len(models), "prior": name}
        for split in ("train", "test"):
            for measure in MEASURES:
                row |= _gain(models, split, name, measure)
        rows.append(row)
    return rows


def _gain(models: Sequence[Model], split: str, prior: str, measure: str) -> dict[str, float]:
    """The gain's columns: its mean, standard error over images and standard deviation over seeds."""
    column, names = f"{measure}_{split}", (f"{split}_images", f"{split}_{prior}_{measure}")
    if split == "test" and prior == "leave-one-out":
        return dict.fromkeys((column, f"{column}_se_images", f"{column}_sd_seeds"), float("nan"))
    arrays = [model.arrays("replaced", "replaced.npz", names) for model in models]
    means = pd.Series([array[names[1]].mean(dtype=float) for array in arrays])
    shares = [WeightedMean(1 / len(models), array[names[0]], array[names[1]].astype(float)) for array in arrays]
    error = spread_over_images(shares).value ** 0.5
    return {column: means.mean(), f"{column}_se_images": error, f"{column}_sd_seeds": means.std()}


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A line for each prior that is put in the place of a model's own."""
    lead = comparison_lines(models, "these are not the paper's models", sections=())
    cells = [*key_cells(rows), *several_cells(rows, "networks")]
    if "own" in rows and rows.own.nunique() > 1:
        cells.append((Column("own prior", text=True), lambda row: row.own))
    cells.append((Column("prior in its place", text=True), lambda row: shown(row.prior)))
    for measure, words in MEASURES.items():
        for split in ("train", "test"):
            column = f"{measure}_{split}"
            if column in rows:
                cells += grouped(value_cells(rows, column, split, 2, sign=True), f"gain in {words}")
    return [table(f"{rows.dataset.iloc[0]}: replaced priors", lead, rows, cells, _notes(models))]


def shown(name: str) -> str:
    """The name of a prior in ``replaced.csv`` for people."""
    if name in _NAMES or pd.isna(name):
        return _NAMES.get(name, "")
    return f"{name.removeprefix('posteriors')} posteriors" if name.startswith("posteriors") else prior_label(name)


def _notes(models: Sequence[Model]) -> list[str]:
    models = [model for model in models if "replaced" in model.manifest]
    if not models:
        return []
    samples = listed(model.settings("replaced")["samples"] for model in models)
    return [
        "In nats per image, over the model's own prior; nothing is trained again. "
        f"ELBO and L_S are from the same S = {samples} draws.",
        "q(z), the aggregate posterior over all training images, gains the surgery's marginal KL on them, and no prior "
        "gains more. What it gains there and not on test images is memory of the image itself: an image's own "
        "posterior is one of its components.",
        "MoG: fitted to draws of q(z) by expectation maximisation. se_images: standard error over images.",
    ]
