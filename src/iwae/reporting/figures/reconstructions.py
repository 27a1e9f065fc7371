"""Test images and their reconstructions."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import image_rows, pixels_of, show, shown
from iwae.reporting.figures.style import WIDTH
from iwae.reporting.study import Kind, StudyResults


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model, the Bernoulli means given the mean of q(h1|x); 0 to 255."""
    models, parts = shown(study, kinds, "pictures"), {}
    several = len({model.spec.dataset for model in models.values()}) > 1
    for title, model in models.items():
        arrays = model.arrays("pictures", "pictures.npz", ["inputs", "reconstructions"])
        first = f"{model.spec.dataset}\n" * several + "test image"
        parts.setdefault(first, image_rows(first, arrays["inputs"]))
        parts[title] = image_rows(title, arrays["reconstructions"])
    return pd.concat(parts.values(), ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """The test images, and below them a row for each model."""
    panels, count = list(dict.fromkeys(frame.panel)), int(frame.place.max()) + 1
    figure = Figure(figsize=(WIDTH, len(panels) * ((WIDTH - 1.35) / count + 0.1)))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        show(axis, pixels_of(frame, panel), count)
        axis.set_ylabel(panel, rotation=0, ha="right", va="center")
    return figure
