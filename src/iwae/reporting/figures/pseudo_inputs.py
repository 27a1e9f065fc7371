"""Pseudo-inputs of VampPriors, and images generated from each of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import image_rows, tiled
from iwae.reporting.figures.prior_samples import firsts
from iwae.reporting.figures.style import WIDTH
from iwae.reporting.study import Kind, StudyResults

_ROWS = 5  # pseudo-inputs of a panel
_COLUMNS = 10  # a pseudo-input and the images that `evaluation.prior_pictures` draws from it


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Grey levels, 0 to 255, row after row: a pseudo-input, then Bernoulli means of images drawn with z ~ q(z|u)."""
    parts = []
    for title, model in firsts(study, kinds).items():
        arrays = model.arrays("pictures", ["pseudo_inputs", "pseudo_samples"])
        lines = np.concatenate([arrays["pseudo_inputs"][:, None], arrays["pseudo_samples"]], axis=1)[:_ROWS]
        parts.append(image_rows(title, lines.reshape(-1, lines.shape[-1])))
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each model, a row for each pseudo-input, which stands first."""
    return tiled(frame, (WIDTH, 0.5 * WIDTH * _ROWS / _COLUMNS + 0.3), 2, _COLUMNS)
