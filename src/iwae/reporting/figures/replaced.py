"""What other priors gain in the place of a model's own, on training and on test images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures.style import MODEL, WIDTH, canvas, legend_below, names
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.replaced import rows, shown

_SPLITS = {"train": ("training images", "-", "full"), "test": ("test images", "--", "none")}
_LINEAR, _TICKS = 3, (-100, -30, -10, -3, -2, -1, 0, 1, 2, 3, 10, 30, 100)  # nats
_STEP = 0.12  # between models at one prior
_COLUMNS = 3  # panels side by side at most
_LEFT_OUT = ("posteriors", "leave-one-out")  # far below zero, or on training images alone: the table has them


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Gains in the ELBO over N(0, I), nats per image, one row for each kind of model, prior and split."""
    frame = rows(study, [kind for kind in kinds if kind.prior == "standard"] or kinds)
    frame = frame[frame.prior.notna() & ~frame.prior.str.startswith(_LEFT_OUT)]
    parts = [
        frame[[*MODEL, "variation", "prior"]].assign(
            split=split, gain=frame[f"elbo_{split}"], se_images=frame[f"elbo_{split}_se_images"]
        )
        for split in _SPLITS
    ]
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each data set and number of layers; the priors from left to right, as they know more of q(z)."""
    priors = list(dict.fromkeys(frame.prior))
    frame = frame.assign(model=names(frame, ["objective", "k"]), panel=names(frame, ["dataset", "layers"]))
    groups = list(frame.groupby("panel", observed=True))
    columns = min(len(groups), _COLUMNS)
    rows = -(-len(groups) // columns)
    figure, grid = canvas(WIDTH, 2.6 * rows + 0.6, rows, columns, sharex=True, sharey=True)
    models = [name for name in frame.model.cat.categories if (frame.model == name).any()]
    step = min(_STEP, 0.5 / len(models))
    looks = {name: (f"C{place}", step * (place - (len(models) - 1) / 2)) for place, name in enumerate(models)}
    for axes, (title, panel) in zip(grid.flat, groups, strict=False):
        _gains(axes, panel, priors, looks)
        axes.set_title(title if len(groups) > 1 else "")
        axes.set_xticks(np.arange(len(priors)), [shown(name) for name in priors], rotation=30, ha="right")
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(groups) :]:
        axes.set_axis_off()
    _scale(grid[0, 0])
    for axes in grid[:, 0]:
        axes.set_ylabel(f"gain in the ELBO (nats per image),\nlogarithmic beyond {_LINEAR}")
    handles = [Line2D([], [], color=colour, label=name) for name, (colour, _) in looks.items()]
    for words, dashes, fill in _SPLITS.values():
        handles.append(Line2D([], [], color="0.45", linestyle=dashes, marker="o", fillstyle=fill, label=words))
    legend_below(figure, handles, 4)
    return figure


def _gains(axes: Axes, frame: pd.DataFrame, priors: list[str], looks: dict[str, tuple[str, float]]) -> None:
    """The gains of each model of a panel on either split, in its colour and at its distance from the priors' places."""
    for (model, split, _), lines in frame.groupby(["model", "split", "variation"], observed=True):
        _, dashes, fill = _SPLITS[split]
        colour, shift = looks[model]
        look = {"color": colour, "linestyle": dashes, "fillstyle": fill, "marker": "o", "markersize": 4}
        axes.errorbar(lines.prior.map(priors.index) + shift, lines.gain, yerr=lines.se_images, linewidth=1, **look)
    axes.axhline(0, color="k", linewidth=0.9)


def _scale(axes: Axes) -> None:
    """Make the vertical axis, which all panels share, linear about zero and logarithmic beyond."""
    axes.set_yscale("symlog", linthresh=_LINEAR, linscale=2)
    low, high = (1.5 * end for end in axes.get_ylim())  # a margin where the axis is logarithmic
    axes.set_ylim(low, high)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks])
    axes.minorticks_off()
