"""nll against k, with the paper's values."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from iwae.reporting.comparison import comparison
from iwae.reporting.figures.style import COLOURS, DASHES, GREY, RANGE, facets, finished, logarithmic, most_seeds
from iwae.reporting.study import StudyResults, nll_per_image
from iwae.study.registry import OBJECTIVES

_MARKERS = {name: entry.marker for name, entry in OBJECTIVES.items()}
_SHIFT = dict(
    zip(OBJECTIVES, (0.96, 1.04, 1.0, 0.92, 1.08), strict=False)
)  # of k, so that error bars at the same k stand side by side
_HOLLOW = {"color": "k", "fillstyle": "none", "markeredgecolor": "k", "linestyle": ""}


def data(study: StudyResults) -> pd.DataFrame:
    """The nll of each model; of each kind of model, the error over images of its mean, and the paper's nll."""
    models = [
        (model.spec.name.rsplit("/", 1)[0], model.stages, model.spec.seed, nll_per_image([model])[0].mean())
        for model in study.grid.models
    ]
    seeds = pd.DataFrame(models, columns=["model", "stages", "seed", "nll"])
    frame = comparison(study).drop(columns="nll").merge(seeds, on=["model", "stages"])
    columns = ["dataset", "stages", "layers", "objective", "k", "images", "comparable"]
    return frame[[*columns, "seed", "nll", "se_images", "paper_nll"]]


def draw(frame: pd.DataFrame) -> Figure:
    """One panel for each number of layers; a row for each data set and length of schedule.

    The paper's values are drawn where ours are comparable. Elsewhere they may lie many nats away and would press our
    values into a line, so the legend says where they are.
    """
    ks = sorted(set(frame.k))
    grid = facets(
        sns.relplot,
        frame.assign(x=frame.k * frame.objective.map(_SHIFT)),
        rows=["dataset", "stages"],
        columns=["layers"],
        height=2.5,
        facet_kws={"sharey": "row"},
        kind="line",
        x="x",
        y="nll",
        hue="objective",
        style="objective",
        palette=COLOURS,
        dashes=DASHES,
        markers=_MARKERS,
        **RANGE,
    )
    logarithmic(grid, ks)
    grid.set(xlim=(ks[0] / 1.5, ks[-1] * 1.5))
    grid.set_axis_labels("importance samples in training, k", "nll (nats per image)")
    for (row, column, _), rows in grid.facet_data():
        _errors_and_paper(grid.axes[row, column], rows)
    for text in grid.legend.get_texts():
        text.set_text(text.get_text().upper())
    return finished(grid, 5, _left_out(frame), _entries(frame))


def _errors_and_paper(axes: Axes, frame: pd.DataFrame) -> None:
    kinds = frame.groupby(["objective", "x", "se_images", "comparable"], as_index=False, dropna=False)
    means = kinds[["nll", "paper_nll"]].mean()
    colours = means.objective.map(COLOURS)
    axes.errorbar(means.x, means.nll, means.se_images, ecolor=colours, elinewidth=0.8, linestyle="")
    paper = means[means.comparable]
    shapes = {"style": "objective", "markers": _MARKERS, "dashes": False, "markersize": 9}
    sns.lineplot(paper, x="x", y="paper_nll", errorbar=None, legend=False, ax=axes, **shapes, **_HOLLOW)


def _entries(frame: pd.DataFrame) -> list[Line2D | Patch]:
    """What the legend has beside the objectives."""
    entries = [
        Line2D([], [], color=GREY, marker="|", markersize=9, linestyle="", label="\N{PLUS-MINUS SIGN} se_images")
    ]
    if frame.comparable.any():
        entries.insert(0, Line2D([], [], markersize=8, marker="o", label="paper (hollow, same shapes)", **_HOLLOW))
    if most_seeds(frame) > 1:
        entries.append(Patch(color=GREY, label="range of seeds", **RANGE["err_kws"]))
    return entries


def _left_out(frame: pd.DataFrame) -> str | None:
    """Which of the paper's values are not drawn, if any."""
    values = frame.paper_nll[~frame.comparable].dropna()
    if values.empty:
        return None
    span = " to ".join(dict.fromkeys(f"{value:.2f}" for value in (values.min(), values.max())))
    return f"not comparable with the paper: its values, {span} nats, are not drawn"
