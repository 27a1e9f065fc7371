"""The ELBO surgery: what the negative ELBO of each model is made of."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iwae.reporting.decomposition import surgery
from iwae.reporting.figures.style import WIDTH, legend_below
from iwae.reporting.statements import counted
from iwae.reporting.study import StudyResults
from iwae.study.settings import SCHEDULE_STAGES

_PARTS: dict[str, tuple[str, int, dict[str, Any]]] = {  # label, sign in -ELBO, look
    "mutual_information": ("mutual information I", 1, {"facecolor": "C0", "edgecolor": "k"}),
    "marginal_kl": ("marginal KL", 1, {"facecolor": "C4", "edgecolor": "k", "hatch": "////"}),
    "reconstruction": ("-reconstruction", -1, {"facecolor": "0.88", "edgecolor": "k", "hatch": "...."}),
}


def data(study: StudyResults) -> pd.DataFrame:
    """The terms over the largest N of each model, nats per image; bars are stacked in the order of the rows."""
    frame = surgery(study)
    largest = frame.groupby(["dataset", "layers", "objective", "k", "stages"]).images.transform("max")
    frame = frame[(frame.images == largest) & frame.term.isin([*_PARTS, "index_gap"])]
    order = ["dataset", "layers", "objective", "k", "stages"]
    return frame.sort_values(order, ascending=[True, True, False, True, True], kind="stable").reset_index(drop=True)


def draw(frame: pd.DataFrame) -> Figure:
    """Left, bars that add up to -ELBO, the mutual information first, by its limit log N; right, what it lacks.

    A part that Monte-Carlo error made negative runs back to the left and is labelled with its sign.
    """
    keys = ["dataset", "layers", "objective", "k", "stages"]
    mixed, several = frame.stages.nunique() > 1, frame.dataset.nunique() > 1
    models = [(key, rows.set_index("term")) for key, rows in frame.groupby(keys, sort=False)]
    figure = Figure(figsize=(WIDTH, 0.26 * len(models) + 1.3))
    figure.set_layout_engine("constrained")
    bars, gaps = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    names = []
    for place, (key, terms) in enumerate(models):
        _bar(bars, place, terms)
        gap = terms.loc["index_gap"]
        gaps.errorbar(gap.value, place, xerr=gap.se_draws, marker="o", color="k", markersize=3.5, elinewidth=0.8)
        name = _name(*key[1:], mixed)
        names.append(f"{key[0]}, {name}" if several else name)
    for images, rows in frame.groupby("images"):
        bars.axvline(rows.log_images.iloc[0], color="k", linestyle="--", label=f"log N, N = {images}")
    if not mixed and frame.stages.iloc[0] != SCHEDULE_STAGES:
        bars.set_title(f"cut after {frame.stages.iloc[0]} of {SCHEDULE_STAGES} stages")
    bars.set_yticks(range(len(models)), names)
    bars.set_ylim(len(models) - 0.4, -0.6)
    for axes in (bars, gaps):
        axes.grid(visible=False, axis="y")
    bars.set_xlabel("-ELBO (nats per training image)")
    gaps.set_xlabel("log N - I (nats)\n\N{PLUS-MINUS SIGN} se_draws")
    gaps.tick_params(axis="y", length=0)
    legend_below(figure, bars.get_legend_handles_labels()[0], 4)
    return figure


def _bar(axes: Axes, place: int, terms: pd.DataFrame) -> None:
    left = 0.0
    for term, (label, sign, look) in _PARTS.items():
        width = sign * terms.loc[term, "value"]
        axes.barh(place, width, 0.72, left, linewidth=0.5, label=label if place == 0 else None, **look)
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
        axes.text(left + width / 2, place, f"{width:.2f}", ha="center", va="center", fontsize="x-small", bbox=box)
        left += width


def _name(layers: int, objective: str, k: int, stages: int, mixed: bool) -> str:
    name = f"{counted(layers, 'layer')}, {objective.upper()} k={k}"
    return name if stages == SCHEDULE_STAGES or not mixed else f"{name} ({stages} of {SCHEDULE_STAGES} stages)"
