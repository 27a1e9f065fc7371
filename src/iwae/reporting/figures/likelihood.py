"""nll against k in training, with the paper's values, and the bound L_k against the k of its evaluation."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures import panels, style
from iwae.reporting.figures.style import GREY, MODEL, Drawing
from iwae.reporting.statements import model_name, span
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.comparison import rows
from iwae.study.registry import OBJECTIVES

_MARKERS = {name: entry.marker for name, entry in OBJECTIVES.items()}
_STEP = 1.08  # between the k of neighbours, so that error bars at the same k stand side by side
_HOLLOW: dict[str, Any] = {"color": "k", "fillstyle": "none", "markeredgecolor": "k", "linestyle": ""}


def _nll(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The nll of each model; of each kind of model, the error over images of its mean, and the paper's nll."""
    seeds = style.by_seed(study, study.of_kinds(kinds, "likelihood"), nll="nll")
    frame = rows(study, kinds).drop(columns="nll").merge(seeds, on="model")
    columns = ["dataset", "layers", "objective", "k", "images", "comparable", "seed", "nll", "se_images", "paper_nll"]
    return frame[columns]


def _draw_nll(frame: pd.DataFrame) -> Figure:
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
    entries, columns = style.error_entries(frame, "over test images"), 5
    if frame.comparable.any():
        columns = 3
        entries.insert(0, Line2D([], [], markersize=8, marker="o", label="paper (hollow, same shapes)", **_HOLLOW))
    title, left_out = None, frame.paper_nll[~frame.comparable].dropna()
    if len(left_out):
        title = f"not comparable with the paper: its values, {span(left_out)} nats, are not drawn"
    return panels.finished(grid, columns if grid.axes.shape[1] > 1 else 2, title, entries)


def _errors_and_paper(axes: Axes, frame: pd.DataFrame) -> None:
    kinds = frame.groupby(["objective", "x", "se_images", "comparable"], as_index=False, dropna=False)
    means = kinds[["nll", "paper_nll"]].mean()
    colours: Any = [OBJECTIVES[name].colour for name in means.objective]
    axes.errorbar(means.x, means.nll, means.se_images, ecolor=colours, elinewidth=0.8, linestyle="")
    paper = means[means.comparable]
    shapes = {"style": "objective", "markers": _MARKERS, "dashes": False, "markersize": 9}
    sns.lineplot(paper, x="x", y="paper_nll", errorbar=None, legend=False, ax=axes, **shapes, **_HOLLOW)


def _bound(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """L_samples of each model on the test images, nats per image; k is the model's own k in training.

    Where some were annealed, their last rows have the column ``annealed``: log p(x) by annealing, as L_samples plus how
    far it lies above, over the images that have both.
    """
    models = study.of_kinds(kinds, "likelihood")
    frame = style.stacked(models, "likelihood", k="samples").query("split == 'test'")
    columns, slack = [*MODEL, "seed", "samples", "images", "bound"], style.by_seed(study, models, slack="slack")
    if not slack.empty:
        frame = frame.merge(slack, how="left", on=["model", "seed"])
        frame["annealed"] = (frame.bound + frame.slack).where(frame.samples == frame.samples.max())
        columns.append("annealed")
    return frame[columns].reset_index(drop=True)


def _draw_bound(frame: pd.DataFrame) -> Figure:
    """A panel for each number of layers, a line for each kind of model: colour and dashes by objective, marker by k."""
    frame = frame.assign(model=style.names(frame, ["objective", "k"], model_name))
    look = {"x": "samples", "y": "bound", **style.looks(frame)}
    grid = panels.curves(frame, ["dataset"], ["layers"], "model", height=2.4, **look)
    most = int(frame.samples.max())
    panels.logarithmic(grid, sorted({most, *(10**power for power in range(len(str(most))))}))
    more = []
    if "annealed" in frame:
        ends = frame.assign(row=style.names(frame, ["dataset"]), column=style.names(frame, ["layers"]))
        ends = ends[ends.samples == most].assign(slack=ends.annealed - ends.bound)
        # Not of all seeds: above the end of the line, which is their mean.
        means = ends.groupby(["row", "column", "model"], observed=True)[["bound", "slack"]].mean().dropna()
        for (row, column, model), mean in means.iterrows():
            look_of = {"color": look["palette"][model], "marker": look["markers"][model]}
            place = 3 * most, mean.bound + mean.slack
            grid.axes_dict[row, column].plot(*place, **look_of, markerfacecolor="none", linestyle="")
        more = [Line2D([], [], color=GREY, marker="o", markerfacecolor="none", linestyle="", label="by annealing")]
    grid.set_axis_labels("", "bound on log p(x) (nats per image)")
    title = f"importance samples in the bound, test images{style.seeds_words(frame)}"
    return panels.finished(grid, 5 if frame.layers.nunique() > 1 else 2, title, more)


nll, bound = Drawing(_nll, _draw_nll), Drawing(_bound, _draw_bound)
