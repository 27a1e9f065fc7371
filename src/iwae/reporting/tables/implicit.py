"""The ELBO of q_EW, the distribution of a sample picked from k by its weight: between two bounds, beside L_k."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.statements import NO_VALUES, comparison_lines, listed
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import by_objective, head, key_cells, number, table, value_cells
from iwae.reporting.tables.formats import EMPTY, Column, Table

_BOUNDS = ("importance", "lower", "upper")
_ERRORS = ("{}_se_images", "{}_sd_seeds")


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and ``samples``, the k from which a sample is picked: means over seeds, in nats.

    ``importance``: L_k; ``lower`` and ``upper``: bounds of the ELBO of q_EW minus L_k, paired over images.
    """
    return pd.concat([_rows(study, kind) for kind in kinds], ignore_index=True)


def _rows(study: StudyResults, kind: Kind) -> pd.DataFrame:
    models = study.of_kinds([kind], "implicit")
    if not models:
        return pd.DataFrame([head(study, kind) | {"seeds": 0}])
    frames = [model.table("implicit", "implicit.csv").assign(seed=model.spec.seed) for model in models]
    whole = pd.concat(frames).rename(columns={"k": "samples"})
    whole[["lower", "upper"]] = whole[["lower", "upper"]].sub(whole.importance, axis=0)
    by_seed = whole.groupby(["samples", "seed"])[list(_BOUNDS)].mean()
    by_image = whole.groupby(["samples", "image"])[list(_BOUNDS)].mean()  # the seeds share their images
    found = by_seed.groupby("samples").mean()
    for name in _BOUNDS:
        groups = by_image.groupby("samples")[name]
        found[f"{name}_se_images"] = groups.std() / groups.size() ** 0.5
        found[f"{name}_sd_seeds"] = by_seed.groupby("samples")[name].std()
    found = found.reset_index().assign(images=by_image.groupby("samples").size().to_numpy(), seeds=len(models))
    return found.assign(**head(study, kind))[[*head(study, kind), "seeds", "samples", "images", *found.columns[1:-2]]]


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table with a line for each model and number of samples."""
    rows = by_objective(rows, ["layers", "k", "objective"])
    if "samples" not in rows:
        rows = rows.assign(samples=float("nan"), images=pd.NA, **{name: float("nan") for name in _columns()})
    cells = [*key_cells(rows), (Column("samples"), lambda row: EMPTY if pd.isna(row.samples) else f"{row.samples:.0f}")]
    cells += value_cells(rows, "importance", "L_k")
    cells += value_cells(rows, "lower", "B - L_k", 3, sign=True) + value_cells(rows, "upper", "U - L_k", 3, sign=True)
    lead, title = comparison_lines(models, NO_VALUES), f"{rows.dataset.iloc[0]}: the ELBO of q_EW, which is not L_k"
    return [table(title, lead, rows, cells, _notes(rows))]


def _columns() -> list[str]:
    return [column for name in _BOUNDS for column in (name, *(error.format(name) for error in _ERRORS))]


def _notes(rows: pd.DataFrame) -> list[str]:
    several = rows[(rows.seeds > 0) & (rows.samples > 1)]
    if several.empty:
        return []
    return [
        "q_EW: the distribution of a sample that is picked from k draws of q by its weight (Cremer, Morris & Duvenaud "
        "2017). In expectation L_k <= B <= ELBO[q_EW] <= U, over "
        f"{listed(rows.images.dropna().astype(int))} test images.",
        f"For k > 1 the lower bound lies {number(several.lower.min(), 3)} to {number(several.lower.max(), 3)} nats "
        "above L_k: that the two are equal, as is often said, is false.",
        "se_images: standard error over test images, of differences paired over them.",
    ]
