"""The ELBO surgery (Hoffman & Johnson 2016): elbo = reconstruction - I(n; z) - KL(q(z) || p(z))."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from iwae.reporting.quantities import SURGERY_TERMS
from iwae.reporting.statements import span
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import KIND, Part, Sum
from iwae.reporting.tables.formats import Column, Table

_MOVING = ("index_gap", "marginal_kl")  # terms that move with the number of images
_CONSEQUENCE = "these are not the paper's models"
_MEMORY = (
    "marginal_kl is what another prior over all latents could gain on training images, but not on others, whose own "
    "posteriors are no part of q(z). The table `replaced`, with another prior of the top layer, shows how much is such "
    "memory."
)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model, number N of training images in q(z), and term: means over seeds, in nats.

    ``images``: N; ``se_draws``: standard error over Monte-Carlo draws.
    """
    names = ["seeds", "images", "log_images", "term", "value", "se_draws", "sd_seeds"]
    frame = cells.several_rows(study, kinds, "surgery", _terms, names)
    return frame.assign(log_images=np.log(frame.images))


def _terms(models: list[Model]) -> pd.DataFrame:
    terms = pd.concat([model.table("surgery") for model in models])
    frame = terms.groupby(["images", "term"], sort=False).agg(
        value=("value", "mean"),
        se_draws=("se", lambda errors: float(np.sqrt((errors**2).sum()) / len(errors))),
        sd_seeds=("value", "std"),
    )
    return frame.reset_index()


def lay_out(part: Part) -> list[Table]:
    """All terms over all training images, then how two of them move with N."""
    rows, wide = part.rows, _wide(part.rows)
    largest = wide[wide.images == wide.groupby(list(KIND)).images.transform("max")]
    missing = rows[rows.seeds == 0][[*KIND, "dataset", "seeds"]]
    terms = replace(part, rows=cells.by_objective(pd.concat([largest, missing])))
    shown = [*cells.keys(rows), *(_column(terms.rows, term, term) for term in SURGERY_TERMS)]
    tables = [terms.table("ELBO surgery: {}, whole training set", shown, _notes(terms), _CONSEQUENCE, sections=())]
    return tables + ([_sizes_table(part, wide)] if wide.images.nunique() > 1 else [])


def _column(rows: pd.DataFrame, name: str, label: str) -> Column:
    return Sum(name, label, digits=3, error="se_draws").shown(rows)


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each kind of model and N that was measured, columns for each term and its errors."""
    index = [*KIND, "dataset", "seeds", "images", "log_images"]
    wide = rows[rows.seeds > 0].pivot(index=index, columns="term", values=["value", "se_draws", "sd_seeds"])
    wide.columns = [term if kind == "value" else f"{term}_{kind}" for kind, term in wide.columns]
    names = [f"{term}{error}" for term in SURGERY_TERMS for error in ("", "_se_draws", "_sd_seeds")]
    return cells.by_objective(wide.reset_index().reindex(columns=[*index, *names]), [*cells.ORDER, "images"])


def _notes(part: Part) -> list[str]:
    rows = part.rows.dropna(subset="images")
    if rows.empty:
        return []
    sizes = " or ".join(
        f"{size:.0f} (log N = {log:.4f})" for size, log in sorted(set(zip(rows.images, rows.log_images, strict=True)))
    )
    several = " sd_seeds: over seeds." if rows.seeds.max() > 1 else ""
    return [
        "elbo = reconstruction - mutual_information - marginal_kl, in nats per training image; "
        "index_gap = log N - mutual_information.",
        f"The mutual information of image index and code cannot exceed log N, N = {sizes}; it falls short of it by "
        f"{span(rows.index_gap, 3)} nats, so index_gap and how it moves with N say more than the value itself.",
        f"se_draws: standard error over Monte-Carlo draws.{several}",
        *([_MEMORY] if any("replaced" in model.manifest for model in part.models) else []),
    ]


def _sizes_table(part: Part, wide: pd.DataFrame) -> Table:
    """A line for each kind of model, a column for each of two terms and N."""
    names = {f"{term}{error}": f"{term}_{{}}{error}" for term in _MOVING for error in ("", "_se_draws", "_sd_seeds")}
    lines = wide.pivot(index=[*KIND, "dataset", "seeds"], columns="images", values=list(names))
    lines.columns = [names[name].format(size) for name, size in lines.columns]  # index_gap_100_se_draws
    part = replace(part, rows=cells.by_objective(lines.reset_index()))
    shown, sizes = cells.keys(part.rows), sorted(set(wide.images))
    for term in _MOVING:
        by_size = [_column(part.rows, f"{term}_{size}", f"N = {size:.0f}") for size in sizes]
        shown += cells.grouped(by_size, term)
    title = "ELBO surgery: {}, how the terms move with the number N of training images in q(z)"
    note = f"log N: {', '.join(f'{np.log(size):.3f} for N = {size:.0f}' for size in sizes)}."
    return part.table(title, shown, [note], _CONSEQUENCE, sections=())
