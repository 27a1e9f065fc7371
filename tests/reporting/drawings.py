"""What tests ask of a figure: its lines, bars, bands, legend and panels."""

import io

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection, PolyCollection

from iwae.reporting.contents import recipe
from iwae.reporting.figures import plotted
from iwae.reporting.study import StudyResults


def data(name, study):
    """The numbers of a figure."""
    return plotted(name, StudyResults.open(study))


def draw(name, frame, study):
    """The figure of these numbers."""
    study = StudyResults.open(study)
    return recipe("figure", name, study.specs, study.sections_of)[1].draw(frame)


def drawn(name, study):
    """What a figure plots, numbers as its CSV gives them, and the figure drawn from exactly this."""
    found = data(name, study)
    if isinstance(found, pd.DataFrame):
        found = pd.read_csv(io.StringIO(found.to_csv(index=False)))
    return found, draw(name, found, study)


def lines_of(axes):
    """The lines with more than one point, (points, 2) each."""
    return [line.get_xydata() for line in axes.get_lines() if len(line.get_xdata()) > 1]


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()], legend.get_title().get_text()


def has_line(axes, values):
    return any(len(line) == len(values) and np.allclose(line[:, 1], values) for line in lines_of(axes))


def has_band(axes, low, high):
    """Whether the range over seeds is drawn as a band: there and back, each corner once at least."""
    corners = {*np.round(low, 9), *np.round(high, 9)}
    return any(
        {*np.round(path.vertices[:, 1], 9)} == corners
        for band in axes.collections
        if isinstance(band, PolyCollection)
        for path in band.get_paths()
    )


def segments_of(axes):
    """The corners of all error bars."""
    found = [bar for lines in axes.collections if isinstance(lines, LineCollection) for bar in lines.get_segments()]
    return [np.round(bar, 6).tolist() for bar in found]


def has_bars(axes, values, errors):
    """Whether values have error bars."""
    bars = {tuple(height for _, height in bar) for bar in segments_of(axes)}
    wanted = zip(np.round(values - errors, 6), np.round(values + errors, 6), strict=True)
    return set(wanted) <= bars


def bars_of(axes):
    """The bars of a histogram that are not empty: left and right edge, height; and their colours."""
    bars = [(patch.get_x(), patch.get_x() + patch.get_width(), patch.get_height()) for patch in axes.patches]
    colours = [patch.get_facecolor() for patch in axes.patches]
    return [(bar, colour) for bar, colour in zip(bars, colours, strict=True) if bar[2] > 0]


def ends_of_bars(axes):
    """By place, the end of the last part of each bar."""
    return {round(p.get_y() + p.get_height() / 2): p.get_x() + p.get_width() for p in axes.patches}


def panels_of(name, figure):
    """What names the panels of a figure: titles, labels of rows, or the names of bars."""
    if name == "surgery":
        return [label.get_text() for label in figure.axes[0].get_yticklabels()]
    if name in ("reconstructions", "picked"):
        return [axes.get_ylabel() for axes in figure.axes]
    return [axes.get_title(loc="left") for axes in figure.axes if axes.axison and axes.get_visible()]
