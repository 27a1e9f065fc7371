"""Training and validation bound against passes over the training images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures.style import k_mark, legend_below, over_seeds, panel_title, panels, seeds_words
from iwae.reporting.study import Study

KEYS = ["dataset", "layers", "stages", "objective", "k", "stage", "learning_rate", "pass"]
POINTS = 150  # of a curve
_LOOKS: dict[str, dict[str, Any]] = {
    "train": {"linewidth": 1.4, "linestyle": "-", "markersize": 3.5},
    "validation": {"linewidth": 0.9, "linestyle": (0, (3, 1.5)), "markersize": 5.5, "fillstyle": "none"},
}


def data(study: Study) -> pd.DataFrame:
    """The bounds, nats per image: mean and range over seeds, after each of `_drawn` passes."""
    curves = study.concat("training", "training.csv")
    drawn = set().union(*(_drawn(rows) for _, rows in curves.groupby("stages")))
    return over_seeds(curves[curves["pass"].isin(drawn)], KEYS, [f"{split}_bound" for split in _LOOKS])


def _drawn(curves: pd.DataFrame) -> set[int]:
    """The last pass of each stage, and passes evenly spaced on the logarithmic axis; the folders hold every pass."""
    last = curves["pass"].max()
    return {int(end) for end in curves.groupby("stage")["pass"].max()} | {
        int(p) for p in np.geomspace(1, last, POINTS).round()
    }


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each number of layers (rows), objective and length of schedule (columns); a line for each k.

    Markers and ticks stand at the ends of stages, where the learning rate falls. The first two stages, many nats
    below the others, lie outside the axes where there are more.
    """
    rows, ks = sorted(set(zip(frame.dataset, frame.layers, strict=True))), sorted(set(frame.k))
    columns = sorted(set(zip(frame.objective, frame.stages, strict=True)), reverse=True)
    figure, axes = panels(len(rows), len(columns), 2.4, sharex=True, sharey=True)
    for line, (dataset, layers) in zip(axes, rows, strict=True):
        for panel, (objective, stages) in zip(line, columns, strict=True):
            match = (frame.dataset == dataset) & (frame.layers == layers) & (frame.stages == stages)
            _panel(panel, frame[match & (frame.objective == objective)], ks)
            bound = "L_1" if objective == "vae" else "L_k"
            panel.set_title(f"{objective.upper()}, {bound}: {panel_title(layers, stages)}")
        line[0].set_ylabel("bound (nats per image)")
    _limits(axes[0][0], frame)
    splits = [split for split in _LOOKS if frame[f"{split}_bound"].notna().any()]
    handles = [
        Line2D(
            [], [], label=f"k = {k}, {split}", color=k_mark(ks, k).color, marker=k_mark(ks, k).marker, **_LOOKS[split]
        )
        for k in ks
        for split in splits
    ]
    title = f"passes over the training images; ticks and markers: ends of stages{seeds_words(frame)}"
    legend_below(figure, handles, len(ks), title)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, ks: Sequence[int]) -> None:
    axes.set_xscale("log")
    for k, rows in frame.groupby("k"):
        mark = k_mark(ks, k)
        rows = rows.sort_values("pass").reset_index(drop=True)
        ends = list(rows.groupby("stage").tail(1).index)
        for split, look in _LOOKS.items():
            name = f"{split}_bound"
            axes.plot(rows["pass"], rows[name], color=mark.color, marker=mark.marker, markevery=ends, **look)
            if rows.seeds.max() > 1:
                axes.fill_between(
                    rows["pass"], rows[f"{name}_min"], rows[f"{name}_max"], color=mark.color, alpha=0.2, lw=0
                )


def _limits(axes: Axes, frame: pd.DataFrame) -> None:
    """Set limits and ticks; all panels share them."""
    ends = sorted(set(frame.groupby(["stages", "stage"])["pass"].max()))
    axes.set_xticks(ends, [str(end) for end in ends])
    if len(ends) > 2:
        axes.set_xlim(ends[1] / 1.3, ends[-1] * 1.2)
    axes.minorticks_off()
    later = frame if len(ends) <= 2 else frame[frame["pass"] >= ends[1]]
    bounds = later[[f"{split}_bound{end}" for split in _LOOKS for end in ("_min", "_max")]]
    low, high = bounds.min().min(), bounds.max().max()
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
