"""Test images and their reconstructions."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import beside_inputs, pixels_of, show, shown
from iwae.reporting.figures.style import WIDTH, canvas
from iwae.reporting.study import Kind, StudyResults


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model, the Bernoulli means given the mean of q(h1|x); 0 to 255."""
    return beside_inputs(shown(study, kinds, "pictures"), "pictures", lambda title, model, means: {title: means})


def draw(frame: pd.DataFrame) -> Figure:
    """The test images, and below them a row for each model."""
    panels, count = list(dict.fromkeys(frame.panel)), int(frame.place.max()) + 1
    figure, grid = canvas(WIDTH, len(panels) * ((WIDTH - 1.35) / count + 0.1), len(panels))
    for axis, panel in zip(grid[:, 0], panels, strict=True):
        show(axis, pixels_of(frame, panel), count)
        axis.set_ylabel(panel, rotation=0, ha="right", va="center")
    return figure
