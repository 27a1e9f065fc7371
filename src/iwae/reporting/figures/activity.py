"""Histogram of the activity A_u of the latent units (paper, appendix C)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from iwae.reporting.figures.style import GREY, legend_below, panels, seeds_words
from iwae.reporting.results import ACTIVE
from iwae.reporting.statements import activity_variant, counted
from iwae.reporting.study import Study
from iwae.settings import SCHEDULE_STAGES
from iwae.specification import OBJECTIVES

LEAST = 1e-6  # of the axis
STEP = 0.25  # width of a bin, decades; a bin's edge lies at the threshold
KEYS = ["dataset", "layers", "stages", "objective", "k"]
_FILL = {1: {"facecolor": "C0", "edgecolor": "k"}, 2: {"facecolor": "white", "edgecolor": "C1", "hatch": "/////"}}
_THRESHOLD = {"color": "k", "linestyle": "--", "linewidth": 0.9}


def data(study: Study) -> pd.DataFrame:
    """Units in each bin of log10 A_u, averaged over seeds: columns of the model, layer, low, high and units.

    The variant of A_u is the one that Table 1 shows. Values below `LEAST` count as `LEAST`; an unbiased estimate of an
    inactive unit's A_u may even be negative.
    """
    column = "activity_authors" if activity_variant(study.models) == "one-sample" else "activity"
    table = study.concat("activity", "activity.csv")
    logs = np.log10(table[column].clip(lower=LEAST))
    steps = (logs - np.log10(ACTIVE)) / STEP
    edges = np.log10(ACTIVE) + STEP * np.arange(np.floor(steps.min()), np.floor(steps.max()) + 2)
    rows = []
    for keys, group in table.assign(log=logs).groupby([*KEYS, "layer"], sort=False):
        counts, _ = np.histogram(group.log, edges)
        head = dict(zip([*KEYS, "unit_layer"], keys, strict=True)) | {"variant": column, "seeds": group.seed.nunique()}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            rows.append(head | {"log10_low": low, "log10_high": high, "units": count / head["seeds"]})
    return pd.DataFrame(rows)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each kind of model; units of h2 are stacked on those of h1."""
    rows = sorted(set(zip(frame.dataset, frame.layers, strict=True)))
    columns = sorted(set(zip(frame.objective, frame.k, frame.stages, strict=True)), key=_order)
    figure, axes = panels(len(rows), len(columns), 2.0, sharex=True, sharey="row")
    for panel, (objective, k, stages) in zip(axes[0], columns, strict=True):
        cut = "" if stages == SCHEDULE_STAGES else f"\n{stages} of {SCHEDULE_STAGES} stages"
        panel.set_title(f"{objective.upper()} k={k}{cut}")
    for line, (dataset, layers) in zip(axes, rows, strict=True):
        for panel, (objective, k, stages) in zip(line, columns, strict=True):
            match = (frame.dataset == dataset) & (frame.layers == layers) & (frame.stages == stages)
            _panel(panel, frame[match & (frame.objective == objective) & (frame.k == k)])
        line[0].set_ylabel(f"{counted(layers, 'layer')}\nunits per bin")
    variant = "authors' variant" if frame.variant.iloc[0] == "activity_authors" else "definition"
    handles = [Patch(label=f"units of h{layer}", **_FILL[layer]) for layer in sorted(set(frame.unit_layer))]
    handles.append(Line2D([], [], label=f"threshold, A_u = {ACTIVE}", **_THRESHOLD))
    legend_below(figure, handles, len(handles), f"log10 of A_u, {variant}{seeds_words(frame, 'mean')}")
    return figure


def _order(column: tuple[str, int, int]) -> tuple:
    objective, k, stages = column
    return OBJECTIVES.index(objective), k, stages


def _panel(axes: Axes, frame: pd.DataFrame) -> None:
    if frame.empty:
        axes.text(0.5, 0.5, "no model", transform=axes.transAxes, ha="center", color=GREY)
        return
    below = 0.0
    for layer, rows in frame.groupby("unit_layer"):
        width, look = rows.log10_high - rows.log10_low, {"align": "edge", "linewidth": 0.5, **_FILL[layer]}
        axes.bar(rows.log10_low, rows.units, width, below, **look)
        below = rows.units.to_numpy()
    axes.axvline(np.log10(ACTIVE), **_THRESHOLD)
