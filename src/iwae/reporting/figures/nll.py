"""nll against k, with the paper's values."""

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures import panels, style
from iwae.reporting.statements import span
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.comparison import rows
from iwae.study.registry import OBJECTIVES

_MARKERS = {name: entry.marker for name, entry in OBJECTIVES.items()}
_STEP = 1.08  # between the k of neighbours, so that error bars at the same k stand side by side
_HOLLOW = {"color": "k", "fillstyle": "none", "markeredgecolor": "k", "linestyle": ""}


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The nll of each model; of each kind of model, the error over images of its mean, and the paper's nll."""
    seeds = style.by_seed(study, study.of_kinds(kinds, "likelihood"), nll="nll")
    frame = rows(study, kinds).drop(columns="nll").merge(seeds, on="model")
    columns = ["dataset", "layers", "objective", "k", "images", "comparable", "seed", "nll", "se_images", "paper_nll"]
    return frame[columns]


def draw(frame: pd.DataFrame) -> Figure:
    """One panel for each number of layers; a row for each data set.

    The paper's values are drawn where ours are comparable. Elsewhere they may lie many nats away and would press our
    values into a line, so the legend says where they are.
    """
    ks, shown = sorted(set(frame.k)), [name for name in OBJECTIVES if name in set(frame.objective)]
    places = {name: _STEP ** (place - (len(shown) - 1) / 2) for place, name in enumerate(shown)}
    look = style.look_of({name: (OBJECTIVES[name].colour, OBJECTIVES[name].dashes, _MARKERS[name]) for name in shown})
    aside = frame.assign(x=frame.k * frame.objective.map(places))
    grid = panels.curves(aside, ["dataset"], ["layers"], "objective", height=2.5, x="x", y="nll", **look)
    panels.logarithmic(grid, ks)
    grid.set(xlim=(ks[0] / 1.5, ks[-1] * 1.5))
    grid.set_axis_labels("importance samples in training, k", "nll (nats per image)")
    for (row, column, _), panel in grid.facet_data():
        if len(panel):
            _errors_and_paper(grid.axes[row, column], panel)
    for text in grid.legend.get_texts():
        text.set_text(OBJECTIVES[text.get_text()].label)
    return panels.finished(grid, 5 if grid.axes.shape[1] > 1 else 2, _left_out(frame), _entries(frame))


def _errors_and_paper(axes: Axes, frame: pd.DataFrame) -> None:
    kinds = frame.groupby(["objective", "x", "se_images", "comparable"], as_index=False, dropna=False)
    means = kinds[["nll", "paper_nll"]].mean()
    colours = [OBJECTIVES[name].colour for name in means.objective]
    axes.errorbar(means.x, means.nll, means.se_images, ecolor=colours, elinewidth=0.8, linestyle="")
    paper = means[means.comparable]
    shapes = {"style": "objective", "markers": _MARKERS, "dashes": False, "markersize": 9}
    sns.lineplot(paper, x="x", y="paper_nll", errorbar=None, legend=False, ax=axes, **shapes, **_HOLLOW)


def _entries(frame: pd.DataFrame) -> list[Artist]:
    """What the legend has beside the objectives."""
    paper = Line2D([], [], markersize=8, marker="o", label="paper (hollow, same shapes)", **_HOLLOW)
    return [*([paper] if frame.comparable.any() else []), *style.error_entries(frame, "over test images")]


def _left_out(frame: pd.DataFrame) -> str | None:
    """Which of the paper's values are not drawn, if any."""
    values = frame.paper_nll[~frame.comparable].dropna()
    if values.empty:
        return None
    return f"not comparable with the paper: its values, {span(values)} nats, are not drawn"
