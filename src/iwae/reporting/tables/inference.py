"""Where the ELBO is lost: by the form of q, and by the encoder that must serve all images."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.statements import NO_VALUES, listed
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part, Sum
from iwae.reporting.tables.formats import Table

GAPS = (
    Sum("approximation_gap", "log p - diagonal"),
    Sum("correlated_gap", "log p - full"),
    Sum("amortisation_gap", "diagonal - encoder"),
)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model, in nats per image.

    ``approximation_gap``: log p(x) by annealing minus the ELBO of the best diagonal Gaussian of each image;
    ``correlated_gap``: the same of the best Gaussian of full covariance; ``amortisation_gap``: the ELBO of the best
    diagonal one minus that of the encoder's q.
    """
    counts = GAPS[-1].counts  # of the gap that needs no annealing
    return cells.frame(study, kinds, counts, *GAPS)


def lay_out(part: Part) -> list[Table]:
    """A table of the gaps."""
    part = part.ordered()
    shown = [*cells.keys(part.rows), *(gap.shown(part.rows) for gap in GAPS)]
    return [part.table("{}: where the ELBO is lost", shown, _notes, NO_VALUES)]


def _notes(part: Part) -> list[str]:
    return [
        f"ELBO, in nats per image, over {listed(part.rows.images.dropna())} test images: of the encoder's q, of the "
        "best diagonal Gaussian of each image, and of its best Gaussian of full covariance. log p: the bound by "
        "annealing.",
        "log p - diagonal is the approximation gap, diagonal - encoder the amortisation gap. With two layers the "
        "Gaussians are those of the noise of q, which have the encoder's q among them.",
        f"se_images: standard error over test images.{cells.seeds_note(part.rows, 'amortisation_gap')}",
    ]
