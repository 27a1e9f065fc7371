"""Signal to noise of the gradients against k, by objective and estimator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from iwae.reporting.contents import SIGNAL_TO_NOISE
from iwae.reporting.figures.style import MODEL, WIDTH, canvas, legend_below
from iwae.reporting.study import Kind, StudyResults
from iwae.study.registry import ESTIMATORS, OBJECTIVES

_DASHES = {"standard": "-", "stl": "--", "dreg": ":"}
_PARTS = ("encoder", "decoder")
_OF_MODEL = ("dataset", "layers", "model_objective", "model_k")  # `MODEL`, where the bound has an objective and a k too
_PROBLEM = "linear Gaussian"  # in the place of a data set
_LEAST_K = 30  # from which the signal to noise of the problem goes as a power, nearly


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The signal to noise of each part of a model by the bound's ``objective``, ``estimator`` and k.

    The columns ``model_objective`` and ``model_k`` are the model's own, of training; the rows of the linear Gaussian
    problem, where the study has it, have none.
    """
    frames = []
    for model in study.of_kinds(kinds, "gradients"):
        words = {column: getattr(model.spec, name) for column, name in zip(_OF_MODEL, MODEL, strict=True)}
        frames.append(model.table("gradients").assign(**words, seed=model.spec.seed))
    problem = study.folder / SIGNAL_TO_NOISE
    if problem.is_file():
        frames.append(pd.read_csv(problem).assign(dataset=_PROBLEM))
    whole = pd.concat(frames, ignore_index=True).astype({"layers": "Int64", "model_k": "Int64", "seed": "Int64"})
    return whole[[*_OF_MODEL, "seed", "objective", "estimator", "k", "part", "ratio", "se", "variance"]]


def draw(frame: pd.DataFrame) -> Figure:
    """Panels for the encoder and for the decoder: of the problem, and of the models and their mean."""
    source = frame.dataset.where(frame.dataset == _PROBLEM, "trained models")  # in the order of the alphabet
    sources = list(frame[frame.ratio > 0].groupby(source))
    figure, panels = canvas(WIDTH, 0.5 + 2.5 * len(sources), rows=len(sources), columns=2)
    handles: dict[str, Line2D] = {}
    for row, (source, rows) in zip(panels, sources, strict=True):
        for axes, part in zip(row, _PARTS, strict=True):
            handles |= _panel(axes, rows[rows.part == part], exact=source == _PROBLEM)
            axes.set_title(f"{part}, {source}")
        row[0].set_ylabel("signal to noise")
    for axes in panels[-1]:
        axes.set_xlabel("k of the bound")
    title = "objective and estimator of the gradient; thin lines: single models, thick: their mean"
    legend_below(figure, list(handles.values()), 3, title)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, exact: bool) -> dict[str, Line2D]:
    """Draw a line for each objective and estimator; where rows are of one measurement, their errors and exponents."""
    handles, notes, ks = {}, [], sorted(set(frame.k))
    for (objective, estimator), lines in frame.groupby(["objective", "estimator"], sort=False):
        name = f"{OBJECTIVES[objective].label}, {ESTIMATORS[estimator].label}"
        look: dict[str, Any] = {"color": OBJECTIVES[objective].colour, "linestyle": _DASHES[estimator]}
        look |= {"marker": "o", "label": name}
        if exact and len(lines) > 1:
            axes.errorbar(lines.k, lines.ratio, lines.se, **look, capsize=2)
            fitted = lines[lines.k >= _LEAST_K]
            if len(fitted) > 1:
                power, error = power_law(*(fitted[name].to_numpy() for name in ("k", "ratio", "se")))
                notes.append(f"{ESTIMATORS[estimator].label}: k^({power:+.2f} ± {error:.2f})")
        else:
            for _, one in lines.groupby([*_OF_MODEL, "seed"]):
                axes.plot(one.k, one.ratio, **look | {"marker": "", "linewidth": 0.5, "alpha": 0.4})
            mean = lines.groupby("k").ratio.mean()
            axes.plot(mean.index, mean, **look)
        handles[name] = Line2D([], [], **look)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(ks, ks)
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    if notes:
        axes.text(0.03, 0.97, "\n".join(notes), transform=axes.transAxes, va="top", fontsize="small")
        axes.margins(y=0.35)
    return handles


def power_law(x: np.ndarray, y: np.ndarray, se: np.ndarray) -> tuple[float, float]:
    """The exponent of y = c x^exponent and its standard error, by weighted least squares on a log scale.

    x, y and the standard errors of y are (n,) and positive.
    """
    (exponent, _), covariance = np.polyfit(np.log(x), np.log(y), 1, w=y / se, cov="unscaled")
    return float(exponent), float(covariance[0, 0] ** 0.5)
