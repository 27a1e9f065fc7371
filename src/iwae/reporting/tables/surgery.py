"""The ELBO surgery (Hoffman & Johnson 2016): elbo = reconstruction - I(n; z) - KL(q(z) || p(z))."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from iwae.reporting.quantities import SURGERY_TERMS
from iwae.reporting.statements import comparison_lines
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import by_objective, grouped, head, key_cells, table, value_cells
from iwae.reporting.tables.formats import Table

_KIND = ["layers", "k", "objective"]
_MEMORY = (
    "marginal_kl is what p(z) could gain on training images, not on others: of these q(z) knows no posterior of their "
    "own. The table `replaced` tells how much of it is such memory of the training image itself."
)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model, number N of training images in q(z), and term: means over seeds, in nats.

    ``images``: N; ``se_draws``: standard error over Monte-Carlo draws.
    """
    return pd.concat([_rows(study, kind) for kind in kinds], ignore_index=True)


def _rows(study: StudyResults, kind: Kind) -> pd.DataFrame:
    models = study.of_kinds([kind], "surgery")
    if not models:
        return pd.DataFrame([head(study, kind) | {"seeds": 0}])
    terms = pd.concat([model.table("surgery", "surgery.csv") for model in models])
    frame = terms.groupby(["images", "term"], sort=False).agg(
        value=("value", "mean"),
        se_draws=("se", lambda errors: float(np.sqrt((errors**2).sum()) / len(errors))),
        sd_seeds=("value", "std"),
    )
    frame = frame.reset_index().assign(seeds=len(models), **head(study, kind))
    frame["log_images"] = np.log(frame.images)
    return frame[[*head(study, kind), "seeds", "images", "log_images", "term", "value", "se_draws", "sd_seeds"]]


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """All terms over all training images, then how two of them move with N."""
    dataset, lead = rows.dataset.iloc[0], comparison_lines(models, "these are not the paper's models", sections=())
    wide, missing = _wide(rows), rows[rows.seeds == 0][[*_KIND, "seeds"]]
    largest = wide[wide.images == wide.groupby(_KIND).images.transform("max")]
    cells, terms = key_cells(rows), by_objective(pd.concat([largest, missing]), _KIND)
    for term in SURGERY_TERMS:
        cells += value_cells(terms, term, term, 3, error="se_draws")
    notes = [*_notes(largest), *[_MEMORY] * any("replaced" in model.manifest for model in models)]
    tables = [table(f"ELBO surgery: {dataset}, whole training set", lead, terms, cells, notes)]
    return tables + ([_sizes_table(dataset, lead, wide)] if wide.images.nunique() > 1 else [])


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each kind of model and N that was measured, columns for each term and its errors."""
    measured = rows[rows.seeds > 0] if "term" in rows else rows.head(0).assign(term="", value=0.0, images=0)
    index = [*_KIND, "seeds", "images", "log_images"]
    wide = measured.pivot(index=index, columns="term", values=["value", "se_draws", "sd_seeds"])
    wide.columns = [term if kind == "value" else f"{term}_{kind}" for kind, term in wide.columns]
    return by_objective(wide.reset_index(), [*_KIND, "images"])


def _notes(rows: pd.DataFrame) -> list[str]:
    if rows.empty:
        return []
    low, high = rows.index_gap.min(), rows.index_gap.max()
    sizes = " or ".join(
        f"{size} (log N = {log:.4f})" for size, log in sorted(set(zip(rows.images, rows.log_images, strict=True)))
    )
    several = " sd_seeds: over seeds." if rows.seeds.max() > 1 else ""
    return [
        "elbo = reconstruction - mutual_information - marginal_kl, in nats per training image; "
        "index_gap = log N - mutual_information.",
        f"The mutual information of image index and code cannot exceed log N, N = {sizes}; it falls short of it by "
        f"{low:.3g} to {high:.3g} nats, so index_gap and how it moves with N say more than the value itself.",
        f"se_draws: standard error over Monte-Carlo draws.{several}",
    ]


def _sizes_table(dataset: str, lead: Sequence[str], wide: pd.DataFrame) -> Table:
    """A line for each kind of model, a column for each of two terms and N."""
    shown = ("index_gap", "marginal_kl")
    names = [f"{term}{error}" for term in shown for error in ("", "_se_draws", "_sd_seeds")]
    kinds = wide.pivot(index=[*_KIND, "seeds"], columns="images", values=names)
    sizes = sorted(set(wide.images))
    for term in shown:  # index_gap_se_draws of N = 100 becomes index_gap_100_se_draws
        kinds = kinds.rename(columns=lambda name, term=term: name.replace(term, f"{term}_N"), level=0)
    kinds.columns = [name.replace("_N", f"_{size}") for name, size in kinds.columns]
    kinds = by_objective(kinds.reset_index(), _KIND)
    cells = key_cells(kinds)
    for term in shown:
        by_size = [value_cells(kinds, f"{term}_{size}", f"N = {size}", 3, error="se_draws") for size in sizes]
        cells += grouped(sum(by_size, []), term)
    title = f"ELBO surgery: {dataset}, how the terms move with the number N of training images in q(z)"
    notes = [f"log N: {', '.join(f'{np.log(size):.3f} for N = {size}' for size in sizes)}."]
    return table(title, lead, kinds, cells, notes)
