"""The bound L_k on log p(x) against the number k of samples in its evaluation."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures import style
from iwae.reporting.figures.style import MODEL
from iwae.reporting.study import Kind, StudyResults


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """L_samples of each model on the test images, nats per image; k is the model's own k in training."""
    frame = style.stacked(study.of_kinds(kinds, "likelihood"), "likelihood")
    frame.columns = [*MODEL, "seed", *("samples" if name == "k" else name for name in frame.columns[5:])]
    return frame.loc[frame.split == "test", [*MODEL, "seed", "samples", "images", "bound"]].reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each number of layers, a line for each kind of model: colour and dashes by objective, marker by k."""
    frame = frame.assign(model=style.names(frame, ["objective", "k"], style.model_name))
    look = {"x": "samples", "y": "bound", **style.looks(frame)}
    grid = style.curves(frame, ["dataset"], ["layers"], "model", height=2.4, **look)
    style.logarithmic(grid, [10**power for power in range(len(str(frame.samples.max())))])
    grid.set_axis_labels("", "bound on log p(x) (nats per image)")
    title = f"importance samples in the bound, test images{style.seeds_words(frame)}"
    return style.finished(grid, 5 if frame.layers.nunique() > 1 else 2, title)
