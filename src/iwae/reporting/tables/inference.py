"""Where the ELBO is lost: by the form of q, and by the encoder that must serve all images."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.statements import NO_VALUES, comparison_lines, listed
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import by_objective, head, key_cells, seeds_note, table, value_cells
from iwae.reporting.tables.formats import Table

GAPS = ("approximation_gap", "correlated_gap", "amortisation_gap")


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model, in nats per image.

    ``approximation_gap``: log p(x) by annealing minus the ELBO of the best diagonal Gaussian of each image;
    ``correlated_gap``: the same of the best Gaussian of full covariance; ``amortisation_gap``: the ELBO of the best
    diagonal one minus that of the encoder's q.
    """
    return pd.DataFrame(_row(study, kind) for kind in kinds)


def _row(study: StudyResults, kind: Kind) -> dict[str, Any]:
    found = {name: weighted_sum(study, name, {kind: 1.0}) for name in GAPS}
    own = found["amortisation_gap"]
    return {
        **head(study, kind),
        "seeds": len(own.seeds),
        "images": max((variance.dof + 1 for variance in own.over_images.values()), default=pd.NA),
        **{column: value for name, one in found.items() for column, value in one.columns(name).items()},
    }


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table of the gaps."""
    rows, cells = by_objective(rows, ["layers", "k", "objective"]), key_cells(rows)
    for name, label in zip(GAPS, ("log p - diagonal", "log p - full", "diagonal - encoder"), strict=True):
        cells += value_cells(rows, name, label)
    lead, title = comparison_lines(models, NO_VALUES), f"{rows.dataset.iloc[0]}: where the ELBO is lost"
    return [table(title, lead, rows, cells, _notes(rows))]


def _notes(rows: pd.DataFrame) -> list[str]:
    if rows.amortisation_gap.isna().all():
        return []
    return [
        f"ELBO, in nats per image, over {listed(rows.images.dropna())} test images: of the encoder's q, of the best "
        "diagonal Gaussian of each image, and of its best Gaussian of full covariance. log p: the bound by annealing.",
        "log p - diagonal is the approximation gap, diagonal - encoder the amortisation gap. With two layers the "
        "Gaussians are those of the noise of q, which have the encoder's q among them.",
        f"se_images: standard error over test images.{seeds_note(rows, 'amortisation_gap')}",
    ]
