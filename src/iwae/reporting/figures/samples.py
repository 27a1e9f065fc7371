"""Images drawn from the models (paper, appendix E)."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import image_rows, shown, squares
from iwae.reporting.study import Kind, StudyResults

SAMPLES = 64  # images of a panel at most


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Bernoulli means, 0 to 255, of images drawn from the models."""
    models = shown(study, kinds, "pictures")
    images = {title: model.arrays("pictures", ["samples"])["samples"][:SAMPLES] for title, model in models.items()}
    return pd.concat((image_rows(title, each) for title, each in images.items()), ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A square of images for each model."""
    return squares(frame, lambda images: (0, 255))
