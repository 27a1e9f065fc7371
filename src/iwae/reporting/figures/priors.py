"""Figures of priors: of models that differ in theirs, and what other ones would gain in the place of a model's own.

The first are drawn images, pseudo-inputs, and p(z) over q(z) on a plane.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures.images import Panels, firsts, show, tiled
from iwae.reporting.figures.posteriors import ends_of
from iwae.reporting.figures.style import MODEL, WIDTH, Drawing, canvas, legend_below, names
from iwae.reporting.statements import counted, model_name
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.priors import without_prior
from iwae.reporting.tables.replaced import rows, shown
from iwae.study.registry import ARCHITECTURES, prior_label

_IMAGES = 36
_LABEL = 1.1  # inches, for the models' names
_ROWS = 5  # pseudo-inputs of a panel
_COLUMNS = 10  # a pseudo-input and the images that `evaluation.prior_pictures` draws from it
_DENSITIES = {"log_prior": "p(z)", "log_aggregate": "q(z)"}
_CELLS = 100  # along each axis at most: of a finer grid every second point is shown, or every third, ...
_SPLITS: dict[str, tuple[str, Any, Any]] = {
    "train": ("training images", "-", "full"),
    "test": ("test images", "--", "none"),
}
_LINEAR, _TICKS = 3, (-100, -30, -10, -3, -2, -1, 0, 1, 2, 3, 10, 30, 100)  # nats
_SHIFT = 0.12  # between models at one prior
_ACROSS = 3  # panels side by side at most
_LEFT_OUT = ("posteriors", "leave-one-out")  # far below zero, or on training images alone: the table has them


def with_standard(kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds, those of one model together, each model's with N(0, I) first."""
    bases = list(dict.fromkeys(map(without_prior, kinds)))
    return [kind for base in bases for kind in (base, *(one for one in kinds if without_prior(one) == base))]


def named(study: StudyResults, kinds: Sequence[Kind]) -> dict[tuple[str, str], Model]:
    """The model of the first seed of each kind, by what tells of its networks, and its prior."""
    several = len({kind.dataset for kind in kinds}) > 1
    models = firsts(study.of_kinds(kinds, "pictures"))
    return {(_model(model.kind, several), prior_label(model.spec.prior)): model for model in models}


def _model(kind: Kind, several: bool) -> str:
    """What models have in common that differ in their prior alone, after the data set where there are several."""
    networks = ARCHITECTURES[kind.architecture].label if kind.architecture else model_name(kind.objective, kind.k)
    layers = f", {counted(kind.layers, 'layer')}" if kind.layers > 1 and not kind.architecture else ""
    units = f", {kind.latents} units" if kind.latents else ""
    return f"{kind.dataset}\n" * several + f"{networks}{layers}{units}"


def _samples(study: StudyResults, kinds: Sequence[Kind]) -> dict[tuple[str, str], np.ndarray]:
    """Bernoulli means, 0 to 255, of images drawn from the first model of each kind, by the model's name and its prior.

    Those with N(0, I) are among them.
    """
    models = named(study, with_standard(kinds))
    return {names: model.array("pictures", "samples")[:_IMAGES] for names, model in models.items()}


def _draw_samples(panels: dict[tuple[str, str], np.ndarray]) -> Figure:
    """A square of images for each model: in a row those that differ in their prior alone, in a column one prior."""
    models, priors = (list(dict.fromkeys(names)) for names in zip(*panels, strict=True))
    side = min(3.0, (WIDTH - _LABEL) / len(priors))  # inches
    size = (_LABEL + side * len(priors), side * len(models) + 0.25)
    figure, grid = canvas(*size, len(models), len(priors))
    for axes, prior in zip(grid[0], priors, strict=True):
        axes.set_title(prior)
    for line, model in zip(grid, models, strict=True):
        line[0].set_ylabel(model, rotation=0, ha="right", va="center")
        for axes, prior in zip(line, priors, strict=True):
            if (model, prior) in panels:
                show(axes, panels[model, prior])
            else:
                axes.set_axis_off()
    return figure


def _pseudo_inputs(study: StudyResults, kinds: Sequence[Kind]) -> Panels:
    """Grey levels, 0 to 255, row after row: a pseudo-input, then Bernoulli means of images drawn with z ~ q(z|u)."""
    panels = {}
    for title, model in named(study, kinds).items():
        inputs, samples = (model.array("pictures", f"pseudo_{name}") for name in ("inputs", "samples"))
        lines = np.concatenate([inputs[:, None], samples], axis=1)[:_ROWS]
        panels[", ".join(title)] = lines.reshape(-1, lines.shape[-1])
    return panels


def _plane(study: StudyResults, kinds: Sequence[Kind]) -> dict[str, tuple[np.ndarray, list[np.ndarray]]]:
    """For each model, by its title, both axes' coordinates, (P,), and p(z) and q(z) on that grid, (P, P)."""
    planes = {}
    for title, model in named(study, with_standard(kinds)).items():
        axis = model.array("pictures", "plane_axis")
        every = -(-len(axis) // _CELLS)
        grids = (model.array("pictures", f"plane_{name}")[::every, ::every] for name in _DENSITIES)
        planes[", ".join(title)] = axis[::every], [np.exp(grid.astype(np.float64)) for grid in grids]
    return planes


def _draw_plane(planes: dict[str, tuple[np.ndarray, list[np.ndarray]]]) -> Figure:
    """A column for each model: p(z) above, q(z) below, one scale of colours for both."""
    width = max(WIDTH * 0.6, WIDTH / 3 * len(planes))
    height = 2 * min(width / len(planes), 2.5) - 0.2
    figure, grid = canvas(width, height, 2, len(planes), sharex="col", sharey="col")
    for column, (title, (axis, densities)) in zip(grid.T, planes.items(), strict=True):
        norm, ends = PowerNorm(0.5, 0, np.max(densities)), ends_of([axis] * 2).ravel()
        for axes, density in zip(column, densities, strict=True):
            axes.imshow(density, origin="lower", extent=ends, norm=norm, cmap="viridis")
            axes.grid(visible=False)
        column[0].set_title(title)
    for axes, words in zip(grid[:, 0], _DENSITIES.values(), strict=True):
        axes.set_ylabel(words)
    return figure


def _replaced(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
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


def _draw_replaced(frame: pd.DataFrame) -> Figure:
    """A panel for each data set and number of layers; the priors from left to right, as they know more of q(z)."""
    priors = list(dict.fromkeys(frame.prior))
    frame = frame.assign(model=names(frame, ["objective", "k"]), panel=names(frame, ["dataset", "layers"]))
    groups = list(frame.groupby("panel", observed=True))
    columns = min(len(groups), _ACROSS)
    rows = -(-len(groups) // columns)
    figure, grid = canvas(WIDTH, 2.6 * rows + 0.6, rows, columns, sharex=True, sharey=True)
    models = [name for name in frame.model.cat.categories if (frame.model == name).any()]
    step = min(_SHIFT, 0.5 / len(models))
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
        look: dict[str, Any] = {"color": colour, "linestyle": dashes, "fillstyle": fill, "marker": "o", "markersize": 4}
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


prior_samples, plane = Drawing(_samples, _draw_samples), Drawing(_plane, _draw_plane)
replaced = Drawing(_replaced, _draw_replaced)
pseudo_inputs = Drawing(
    _pseudo_inputs, lambda panels: tiled(panels, (WIDTH, 0.5 * WIDTH * _ROWS / _COLUMNS + 0.3), 2, columns=_COLUMNS)
)
