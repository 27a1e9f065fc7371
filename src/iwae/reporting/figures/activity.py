"""Histogram of the activity A_u of the latent units (paper, appendix C)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures.panels import facets, finished
from iwae.reporting.figures.style import MODEL, seeds_words, stacked
from iwae.reporting.study import Kind, StudyResults
from iwae.study.measurements import ACTIVITY_COLUMNS
from iwae.study.settings import ACTIVE

LEAST = 1e-6  # of the axis
STEP = 0.25  # width of a bin, decades; a bin's edge lies at the threshold
_COLOURS = {"units of h2": "#F0E442", "units of h1": "C0"}  # far apart in lightness too; h1 lies below
_THRESHOLD: dict[str, Any] = {"color": "k", "linestyle": "--", "linewidth": 0.9}


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """A_u of each latent unit, by the estimate that Table 1 shows, and its weight in a mean over seeds.

    Values below `LEAST` count as `LEAST`; an unbiased estimate of an inactive unit's A_u may even be negative.
    """
    column = ACTIVITY_COLUMNS[study.activity]
    frame = stacked(study.of_kinds(kinds, "activity"), "activity", layer="unit_layer")
    frame = frame.assign(estimate=column, value=frame[column].clip(lower=LEAST))
    frame["weight"] = 1 / frame.groupby(MODEL).seed.transform("nunique")
    return frame[[*MODEL, "seed", "unit_layer", "unit", "estimate", "value", "weight"]]


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each kind of model; units of h2 are stacked on those of h1."""
    top = np.log10(ACTIVE) + STEP * np.ceil((np.log10(frame.value.max()) - np.log10(ACTIVE)) / STEP)
    grid = facets(
        sns.displot,
        frame.assign(units="units of h" + frame.unit_layer.astype(str)),
        rows=["dataset", "layers"],
        columns=["objective", "k"],
        height=1.75,
        x="value",
        weights="weight",
        log_scale=True,
        binwidth=STEP,
        binrange=(np.log10(LEAST), max(top, np.log10(ACTIVE) + STEP)),
        multiple="stack",
        hue="units",
        palette=_COLOURS,
        hue_order=[f"units of h{layer}" for layer in sorted(set(frame.unit_layer), reverse=True)],
        alpha=1,
        edgecolor="k",
        linewidth=0.5,
    )
    grid.set_axis_labels("A_u", "")
    for (row, column), axes in grid.axes_dict.items():
        axes.set_title(column if axes in grid.axes[0] or not grid.axes[0][0].get_visible() else "")
        if axes in grid.axes[:, 0]:
            axes.set_ylabel("\n".join([*row.split(", "), "units per bin"]))
        axes.axvline(ACTIVE, **_THRESHOLD)
    estimate = "authors' estimate" if frame.estimate.iloc[0] == "activity_authors" else "definition"
    threshold = Line2D([], [], label=f"threshold, A_u = {ACTIVE}", **_THRESHOLD)
    return finished(grid, 3, f"A_u: activity, {estimate}{seeds_words(frame, 'mean')}", [threshold])
