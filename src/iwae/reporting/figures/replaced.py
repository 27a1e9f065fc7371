"""What other priors gain in the place of a model's own, on training and on test images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures.style import MODEL, WIDTH, legend_below, names
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.replaced import rows, shown

_SPLITS = {"train": ("training images", "-", "full"), "test": ("test images", "--", "none")}
_LINEAR, _TICKS = 3, (-100, -30, -10, -3, -2, -1, 0, 1, 2, 3, 10, 30, 100)  # nats
_STEP = 0.12  # between models at one prior
_LEFT_OUT = ("posteriors", "leave-one-out")  # far below zero, or on training images alone: the table has them


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Gains in the ELBO over N(0, I), nats per image, one row for each kind of model, prior and split."""
    frame = rows(study, [kind for kind in kinds if kind.spec.prior == "standard"] or kinds)
    frame = frame[frame.prior.notna() & ~frame.prior.str.startswith(_LEFT_OUT)]
    parts = [
        frame[[*MODEL, "variation", "prior"]].assign(
            split=split, gain=frame[f"elbo_{split}"], se_images=frame[f"elbo_{split}_se_images"]
        )
        for split in _SPLITS
    ]
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each data set; the priors from left to right, as they know more of q(z)."""
    priors = list(dict.fromkeys(frame.prior))
    frame = frame.assign(model=names(frame, ["layers", "objective", "k"]))
    datasets = list(dict.fromkeys(frame.dataset))
    figure = Figure(figsize=(WIDTH, 3.2))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(datasets), squeeze=False, sharey=True)[0]
    colours = {name: f"C{place}" for place, name in enumerate(dict.fromkeys(frame.model))}
    shifts = dict(zip(colours, _STEP * (np.arange(len(colours)) - (len(colours) - 1) / 2), strict=True))
    for axes, dataset in zip(panels, datasets, strict=True):
        for (model, split, _), lines in frame[frame.dataset == dataset].groupby(
            ["model", "split", "variation"], observed=True
        ):
            _, dashes, fill = _SPLITS[split]
            look = {"color": colours[model], "linestyle": dashes, "fillstyle": fill, "marker": "o", "markersize": 4}
            places = lines.prior.map(priors.index) + shifts[model]
            axes.errorbar(places, lines.gain, yerr=lines.se_images, linewidth=1, **look)
        axes.axhline(0, color="k", linewidth=0.9)
        axes.set_yscale("symlog", linthresh=_LINEAR, linscale=2)
        axes.set_xticks(np.arange(len(priors)), [shown(name) for name in priors], rotation=25, ha="right")
        axes.set_title(dataset if len(datasets) > 1 else "")
    low, high = panels[0].get_ylim()
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    panels[0].set_yticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks])
    panels[0].minorticks_off()
    panels[0].set_ylabel(f"gain in the ELBO (nats per image),\nlogarithmic beyond {_LINEAR}")
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    for words, dashes, fill in _SPLITS.values():
        handles.append(Line2D([], [], color="0.45", linestyle=dashes, marker="o", fillstyle=fill, label=words))
    legend_below(figure, handles, 4)
    return figure
