"""The ELBO surgery: what the negative ELBO of each model is made of."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iwae.reporting.figures.style import MODEL, WIDTH, canvas, legend_below, names
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.cells import by_objective
from iwae.reporting.tables.surgery import rows

_PARTS: dict[str, tuple[str, int, dict[str, Any]]] = {  # label, sign in -ELBO, look
    "mutual_information": ("mutual information I", 1, {"facecolor": "C0", "edgecolor": "k"}),
    "marginal_kl": ("marginal KL", 1, {"facecolor": "C4", "edgecolor": "k", "hatch": "////"}),
    "reconstruction": ("-reconstruction", -1, {"facecolor": "0.88", "edgecolor": "k", "hatch": "...."}),
}


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The terms over the largest N of each model, nats per image; bars are stacked in the order of the rows."""
    frame = rows(study, kinds)
    largest = frame.groupby(MODEL).images.transform("max")
    frame = frame[(frame.images == largest) & frame.term.isin([*_PARTS, "index_gap"])]
    return by_objective(frame, MODEL)


def draw(frame: pd.DataFrame) -> Figure:
    """Left, bars that add up to -ELBO, the mutual information first, by its limit log N; right, what it lacks.

    A part that Monte-Carlo error made negative runs back to the left and is labelled with its sign.
    """
    models = frame.assign(name=names(frame, MODEL)).groupby("name", observed=True)
    figure, ((bars, gaps),) = canvas(WIDTH, 0.26 * len(models) + 1.3, columns=2, sharey=True, width_ratios=(3, 1))
    for place, (_, lines) in enumerate(models):
        terms = lines.set_index("term")
        _bar(bars, place, terms)
        gap = terms.loc["index_gap"]
        gaps.errorbar(gap.value, place, xerr=gap.se_draws, marker="o", color="k", markersize=3.5, elinewidth=0.8)
    for images, lines in frame.groupby("images"):
        bars.axvline(lines.log_images.iloc[0], color="k", linestyle="--", label=f"log N, N = {images:.0f}")
    bars.set_yticks(range(len(models)), [name for name, _ in models])
    bars.set_ylim(len(models) - 0.4, -0.6)
    for axes in (bars, gaps):
        axes.grid(visible=False, axis="y")
    bars.set_xlabel("-ELBO (nats per training image)")
    gaps.set_xlabel("log N - I (nats), bar:\none standard error")
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
