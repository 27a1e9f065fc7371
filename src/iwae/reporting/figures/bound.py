"""The bound L_k on log p(x) against the number k of samples in its evaluation."""

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from iwae.reporting.figures.style import (
    MODEL,
    RANGE,
    facets,
    finished,
    logarithmic,
    looks,
    model_name,
    names,
    seeds_words,
    stacked,
)
from iwae.reporting.study import Kind, StudyResults


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """L_samples of each model on the test images, nats per image; k is the model's own k in training."""
    frame = stacked(study.of_kinds(kinds, "likelihood"), "likelihood", "likelihood.csv")
    frame.columns = [*MODEL, "seed", *("samples" if name == "k" else name for name in frame.columns[5:])]
    return frame.loc[frame.split == "test", [*MODEL, "seed", "samples", "images", "bound"]].reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each number of layers, a line for each kind of model: colour and dashes by objective, marker by k."""
    grid = facets(
        sns.relplot,
        frame.assign(model=names(frame, ["objective", "k"], model_name)),
        rows=["dataset"],
        columns=["layers"],
        height=2.4,
        facet_kws={"sharey": "row"},
        kind="line",
        x="samples",
        y="bound",
        hue="model",
        style="model",
        **looks(frame),
        **RANGE,
    )
    logarithmic(grid, [10**power for power in range(len(str(frame.samples.max())))])
    grid.set_axis_labels("", "bound on log p(x) (nats per image)")
    title = f"importance samples in the bound, test images{seeds_words(frame)}"
    return finished(grid, 5 if frame.layers.nunique() > 1 else 2, title)
