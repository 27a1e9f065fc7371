"""Training and validation bound against passes over the training images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from iwae.reporting.figures import panels, style
from iwae.reporting.figures.style import MODEL
from iwae.reporting.study import Kind, StudyResults

KEYS = [*MODEL, "seed", "stage", "learning_rate", "pass"]
_DASHES = {"train": "", "validation": (3, 1.5)}
_BOUNDS = {f"{split}_bound": split for split in _DASHES}


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The bounds of each model, nats per image, after some of the passes."""
    curves = pd.concat(map(style.learning_curve, study.of_kinds(kinds)), ignore_index=True)
    return curves[[*KEYS, *_BOUNDS]]


def draw(frame: pd.DataFrame) -> Figure:
    """Rows of panels by number of layers, columns by objective; a colour and a marker for each k.

    Markers and ticks stand at the ends of stages, where the learning rate falls. The first two stages, many nats
    below the others, lie outside the axes where there are more, and so does the first tenth of a schedule without
    stages, which has ticks at 1, 2, 5, 10 and so on.
    """
    ends, ks = sorted(set(frame.groupby("stage")["pass"].max())), sorted(set(frame.k))
    frame = frame.rename(columns=_BOUNDS).melt(KEYS, list(_DASHES), "split", "bound").dropna(subset="bound")
    frame = frame.assign(line=style.names(frame, ["k", "split"], _name))
    of_ks = [(k, f"C{2 + place}", marker) for place, (k, marker) in enumerate(style.k_markers(ks).items())]
    lines = {_name(k, split): (c, dashes, m) for k, c, m in of_ks for split, dashes in _DASHES.items()}
    look = style.look_of(lines)
    grid = panels.curves(frame, ["dataset", "layers"], ["objective"], "line", height=2.1, x="pass", y="bound", **look)
    staged = len(ends) > 1
    panels.logarithmic(grid, ends if staged else style.round_numbers(ends[-1]))
    grid.set_axis_labels("", "the model's own bound\n(nats per image)")
    _limit(grid, frame, ends)
    what = "; ticks and markers: ends of stages" if staged else ""
    return panels.finished(grid, len(ks), f"passes over the training images{what}{style.seeds_words(frame)}")


def _name(k: int, split: str) -> str:
    return f"k = {k}, {split}"


def _limit(grid: sns.FacetGrid, frame: pd.DataFrame, ends: list[int]) -> None:
    """Set the limits, in y those of a data set for all its panels, and leave markers at the ends of stages only."""
    first = ends[1] if len(ends) > 2 else ends[-1] // 10
    if first:
        grid.set(xlim=(first / 1.3, ends[-1] * 1.2))
        for (row, column, _), panel in grid.facet_data():
            shown = frame[frame.dataset.isin(panel.dataset) & (frame["pass"] >= first)]
            if len(shown):
                low, high = shown.bound.agg(["min", "max"])
                margin = 0.05 * (high - low)
                grid.axes[row, column].set_ylim(low - margin, high + margin)
    for axes in grid.axes.flat:
        for line in axes.get_lines():
            line.set_markevery(np.isin(line.get_xdata(), ends))
