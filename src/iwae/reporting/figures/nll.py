"""nll against k, with the paper's values."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.comparison import table1
from iwae.reporting.figures.style import GREY, OBJECTIVE_MARKS, legend_below, panel_title, panels
from iwae.reporting.study import Study, nll_per_image

_SHIFT = {"vae": 0.96, "iwae": 1.04}  # of k, so that error bars at the same k stand side by side


def data(study: Study) -> pd.DataFrame:
    """nll, its error over images and its range over seeds, and the paper's nll, for each point of the figure."""
    frame = table1(study)
    groups = {}
    for model in study.models:
        groups.setdefault((model.spec.name.rsplit("/", 1)[0], model.stages), []).append(model)
    means = {key: nll_per_image(models)[0].mean(axis=1) for key, models in groups.items()}
    keys = list(zip(frame.model, frame.stages, strict=True))
    frame["nll_min"], frame["nll_max"] = [means[key].min() for key in keys], [means[key].max() for key in keys]
    columns = ["dataset", "stages", "layers", "objective", "k", "seeds", "images", "comparable"]
    return frame[[*columns, "nll", "se_images", "nll_min", "nll_max", "paper_nll"]]


def draw(frame: pd.DataFrame) -> Figure:
    """One panel for each number of layers; a row for each data set and length of schedule.

    The paper's values are drawn where the paper's schedule was run. Elsewhere they lie many nats away and would press
    our values into a line, so the legend says where they are.
    """
    rows, layers = sorted(set(zip(frame.dataset, frame.stages, strict=True))), sorted(set(frame.layers))
    figure, axes = panels(len(rows), len(layers), 2.9, sharey="row")
    for line, (dataset, stages) in zip(axes, rows, strict=True):
        for panel, layer in zip(line, layers, strict=True):
            chosen = frame[(frame.dataset == dataset) & (frame.stages == stages) & (frame.layers == layer)]
            _panel(panel, chosen)
            panel.set_title(panel_title(layer, stages, dataset if len(set(frame.dataset)) > 1 else None))
        line[0].set_ylabel("nll (nats per image)")
    handles = [
        Line2D([], [], label=name.upper(), **OBJECTIVE_MARKS[name].line())
        for name in sorted(set(frame.objective), reverse=True)
    ]
    if frame.comparable.any():
        handles.append(_hollow("paper (hollow, same shapes)"))
    handles.append(
        Line2D([], [], color=GREY, marker="|", markersize=9, linestyle="", label="\N{PLUS-MINUS SIGN} se_images")
    )
    if frame.seeds.max() > 1:
        handles.append(Line2D([], [], color=GREY, alpha=0.4, linewidth=5, label="range of seeds"))
    legend_below(figure, handles, len(handles), _left_out(frame))
    return figure


def _hollow(label: str) -> Line2D:
    return Line2D([], [], label=label, color="k", marker="o", markersize=8, fillstyle="none", linestyle="")


def _panel(axes: Axes, frame: pd.DataFrame) -> None:
    axes.set_xscale("log")
    ks = sorted(set(frame.k))
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.minorticks_off()
    axes.set_xlim(min(ks) / 1.5, max(ks) * 1.5)
    axes.set_xlabel("importance samples in training, k")
    for objective, rows in frame.groupby("objective", sort=False):
        mark, rows = OBJECTIVE_MARKS[objective], rows.sort_values("k")
        x = rows.k.to_numpy() * _SHIFT[objective]
        axes.vlines(x, rows.nll_min, rows.nll_max, color=mark.color, alpha=0.35, linewidth=6)
        axes.errorbar(x, rows.nll, yerr=rows.se_images, elinewidth=0.8, label=objective.upper(), **mark.line())
        if rows.comparable.all():
            axes.plot(
                x,
                rows.paper_nll,
                color="k",
                marker=mark.marker,
                markersize=9,
                fillstyle="none",
                linestyle="",
                markeredgewidth=0.8,
            )


def _left_out(frame: pd.DataFrame) -> str | None:
    """Which of the paper's values are not drawn, if any."""
    values = frame.paper_nll[~frame.comparable].dropna()
    if values.empty:
        return None
    span = " to ".join(dict.fromkeys(f"{value:.2f}" for value in (values.min(), values.max())))
    return f"not the paper's schedule: its values, {span} nats, are not drawn"
