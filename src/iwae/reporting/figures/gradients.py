"""Signal to noise of the gradients against k, by objective and estimator."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from iwae.reporting.figures.style import MODEL, WIDTH, canvas, legend_below
from iwae.reporting.study import Kind, StudyResults
from iwae.study.registry import ESTIMATORS, OBJECTIVES

_DASHES = {"standard": "-", "stl": "--", "dreg": ":"}


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The signal to noise of each part of a model by the bound's ``objective``, ``estimator`` and k.

    The columns ``model_objective`` and ``model_k`` are the model's own, of training.
    """
    frames = []
    for model in study.of_kinds(kinds, "gradients"):
        words = dict(zip(("dataset", "layers", "model_objective", "model_k"), model.kind[: len(MODEL)], strict=True))
        frames.append(model.table("gradients").assign(**words, seed=model.spec.seed))
    whole = pd.concat(frames, ignore_index=True)
    return whole[[*words, "seed", "objective", "estimator", "k", "part", "ratio", "se", "variance"]]


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for the encoder and one for the decoder; lines are means over the models."""
    figure, ((left, right),) = canvas(WIDTH, 3.0, columns=2, sharex=True)
    handles, ks = {}, sorted(set(frame.k))
    for axes, part in ((left, "encoder"), (right, "decoder")):
        shown = frame[(frame.part == part) & (frame.ratio > 0)]
        for (objective, estimator), lines in shown.groupby(["objective", "estimator"], sort=False):
            mean = lines.groupby("k").ratio.mean()
            name = f"{OBJECTIVES[objective].label}, {ESTIMATORS[estimator].label}"
            look = {"color": OBJECTIVES[objective].colour, "linestyle": _DASHES[estimator], "marker": "o"}
            (handles[name],) = axes.plot(mean.index, mean, label=name, **look)
        axes.set(xscale="log", yscale="log", title=part, xlabel="k of the bound")
        axes.set_xticks(ks, ks)
        axes.xaxis.set_minor_locator(NullLocator())
    left.set_ylabel("signal to noise")
    legend_below(figure, list(handles.values()), 3, "objective and estimator of the gradient; mean over the models")
    return figure
