"""Panels on a page, drawn by seaborn, which takes seconds to import: figures of images do without."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from iwae.reporting.figures.style import NARROW, RANGE, WIDTH, legend_below, names

_LEGEND = 0.6  # inches, below the panels


def curves(
    frame: pd.DataFrame, rows: Sequence[str], columns: Sequence[str], line: str, **options: Any
) -> sns.FacetGrid:
    """`facets` of lines, one for each value of the column `line`, with the range over seeds as a band."""
    return facets(sns.relplot, frame, rows, columns, kind="line", hue=line, style=line, **RANGE, **options)


def facets(
    plot: Callable[..., sns.FacetGrid],
    frame: pd.DataFrame,
    rows: Sequence[str],
    columns: Sequence[str],
    height: float,
    **options: Any,
) -> sns.FacetGrid:
    """A panel for each value of the columns named in `rows` and `columns`, drawn by seaborn's relplot or displot.

    The figure has the page's width, and rows of `height` inches; places without a model stay empty, and `finished` adds
    the legend. pyplot, which seaborn makes it with, lets go of it.
    """
    frame = frame.assign(row=names(frame, rows), column=names(frame, columns))
    count, shared = frame["column"].nunique(), {"legend_out": False, "sharey": "row"}
    size = {"height": height, "aspect": (WIDTH if count > 1 else NARROW) / count / height}
    # seaborn lays out its figures itself, and matplotlib warns where that replaces another layout or finds no room.
    with mpl.rc_context({"figure.constrained_layout.use": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tight layout not applied", UserWarning)
        grid = plot(frame, row="row", col="column", facet_kws=shared, **size, **options)
    plt.close(grid.figure)
    grid.figure.set_layout_engine("constrained")
    models = set(zip(frame.row, frame["column"], strict=True))
    for panel, axes in grid.axes_dict.items():
        axes.set_title(", ".join(filter(None, reversed(panel))))
        axes.set_visible(panel in models)
    return grid


def logarithmic(grid: sns.FacetGrid, ticks: Sequence[int]) -> None:
    """Give all panels a logarithmic horizontal axis with these ticks."""
    grid.set(xscale="log", xticks=ticks, xticklabels=ticks)
    for axes in grid.axes.flat:
        axes.minorticks_off()


def finished(grid: sns.FacetGrid, columns: int, title: str | None = None, more: Sequence[Artist] = ()) -> Figure:
    """The figure of `grid` with its legend below the panels, and `more` entries in it."""
    grid.figure.set_figheight(grid.figure.get_figheight() + _LEGEND)
    for column in grid.axes.T:  # the lowest panel that is there has the axis of those below it
        lowest = [axes for axes in column if axes.get_visible()][-1]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(column[-1].get_xlabel())
        lowest.xaxis.label.set_visible(True)
    handles = grid.legend.legend_handles
    for handle, text in zip(handles, grid.legend.get_texts(), strict=True):
        handle.set_label(text.get_text())
    grid.legend.remove()
    legend_below(grid.figure, [*handles, *more], columns, title)
    return grid.figure
