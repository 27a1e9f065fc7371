"""The true posterior of training images beside q and q_EW, in models with two latent units.

``posterior`` is as in the paper's appendix C, ``implicit`` after Cremer, Morris & Duvenaud (2017). Densities are on
grids, row i the second coordinate.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Patch
from matplotlib.ticker import MaxNLocator

from iwae.reporting.figures.images import firsts, show, titled
from iwae.reporting.figures.style import WIDTH, Drawing, canvas, legend_below
from iwae.reporting.study import Kind, StudyResults

LEAST = 1e-3  # of a panel's largest density: what is lower is drawn as zero
CONTOURS = (1, 2)  # deviations of q
IMAGE = 0  # the image that `implicit` shows
_CELLS = 100  # of a panel along each axis at most: of a finer grid every second point is shown, or every third, ...
_FEWER_CELLS = 60  # in `implicit`
_MARGIN = 0.04  # of a panel, about what it shows
_ARRAYS = ("axes", "log_joint", "mean", "deviation", "inputs", "reconstructions")
_LINE: dict[str, Any] = {"edgecolor": "C1", "linewidth": 0.8, "facecolor": "none"}
_DENSITY: dict[str, Any] = {"cmap": "Blues", "origin": "lower"}  # of images of it
_POWER = 0.5  # of the density, for its colour, the square root: small modes and tails are seen beside a sharp peak


class Panel(NamedTuple):
    """An image with its reconstruction from the mean of q, its posterior and q."""

    axes: tuple[np.ndarray, np.ndarray]  # the coordinates of the columns and of the rows of the density
    density: np.ndarray  # p(h|x) in the part of the grid where it is seen, (rows, columns)
    mean: np.ndarray  # of q(h|x), (2,)
    deviation: np.ndarray
    image: np.ndarray  # 0 to 255, (784,)
    reconstruction: np.ndarray


def _posterior(study: StudyResults, kinds: Sequence[Kind]) -> dict[str, list[Panel]]:
    """The panels of each model by its title, one for each image; p(h|x) is normalised on its whole grid."""
    found = {}
    for title, model in titled(firsts(study.of_kinds(kinds, "pictures"))).items():
        arrays = (model.array("pictures", f"posterior_{name}").astype(np.float64) for name in _ARRAYS)
        found[title] = [
            Panel(*_thinned(normalised(log_joint, axes), axes), *rest)
            for axes, log_joint, *rest in zip(*arrays, strict=True)
        ]
    return found


def normalised(log_joint: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The density p(h|x) on a grid, (P, P), which times the area of a cell sums to 1.

    `log_joint` is log p(x, h) there, (P, P), row i the second coordinate; `axes` has the coordinates of the columns and
    of the rows, (2, P).
    """
    density = np.exp(log_joint - log_joint.max())
    return density / (density.sum() * _steps(axes).prod())


def _steps(axes: Collection[np.ndarray]) -> np.ndarray:
    """The step along each axis, from its ends: they are known better than neighbours are."""
    return np.array([(axis[-1] - axis[0]) / (len(axis) - 1) for axis in axes])


def ends_of(axes: Collection[np.ndarray]) -> np.ndarray:
    """Where the cells about the points of two axes begin and end, (2, 2): half a step beyond the first and the last."""
    return np.array([(axis[0], axis[-1]) for axis in axes]) + _steps(axes)[:, None] / 2 * (-1, 1)


def _thinned(density: np.ndarray, axes: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The axes of what is drawn of a density, and this: what is above zero, and a cell of zeros about it."""
    every = -(-len(density) // _CELLS)
    density, axes = _seen(density[::every, ::every]), axes[:, ::every]
    found = (np.flatnonzero(density.any(axis)) for axis in (0, 1))
    columns, rows = (slice(max(0, used[0] - 1), used[-1] + 2) for used in found)
    return (axes[0, columns], axes[1, rows]), density[rows, columns]


def _seen(density: np.ndarray) -> np.ndarray:
    """A density, zero where it would not be seen."""
    return np.where(density < LEAST * density.max(), 0, density)


def _draw_posterior(found: dict[str, list[Panel]]) -> Figure:
    """A row for each model, a column for each image: density and contours of q, above them image and reconstruction."""
    count = max(map(len, found.values()))
    width = WIDTH / count
    figure = Figure(figsize=(WIDTH, 1.6 * width * len(found) + 0.65), layout="constrained")
    parts = figure.subfigures(len(found), 1, squeeze=False)[:, 0]
    for part, (title, panels) in zip(parts, found.items(), strict=True):
        part.suptitle(title.replace("\n", ", "), x=0.01, ha="left")
        axes = part.subplots(2, count, squeeze=False, height_ratios=(0.45, 1))
        for column, panel in zip(axes.T, panels, strict=True):
            _panel(column[0], column[1], panel)
            column[1].set_xlabel("h1_1")
        axes[1, 0].set_ylabel("h1_2")
    q = f"q(h|x): {' and '.join(map(str, CONTOURS))} deviations"
    handles = [Patch(color="C0", label="true posterior p(h|x)"), Patch(label=q, **_LINE)]
    words = "each panel has axes and a scale of its own, its colour goes by the square root of the density"
    legend_below(figure, handles, 2, f"above each panel: training image and reconstruction at the mean of q\n{words}")
    return figure


def _panel(above: Axes, axes: Axes, panel: Panel) -> None:
    """Image and reconstruction above, and density and contours below."""
    show(above, np.stack([panel.image, panel.reconstruction]), 2)
    ends = ends_of(panel.axes)
    extent: Any = ends.ravel()
    axes.imshow(panel.density, extent=extent, norm=PowerNorm(_POWER, vmin=0), interpolation="auto", **_DENSITY)
    axes.set_facecolor(colormaps[_DENSITY["cmap"]](0.0))
    for number in CONTOURS:
        width, height = 2 * number * panel.deviation
        axes.add_patch(Ellipse((panel.mean[0], panel.mean[1]), width, height, **_LINE))
    limits = _view(ends, panel.mean, CONTOURS[-1] * panel.deviation)
    axes.set(**dict(zip(("xlim", "ylim"), limits, strict=True)))
    _few_ticks(axes)


def _few_ticks(axes: Axes) -> None:
    """Two small ticks along each axis, and no lines across the panel."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(2))
    axes.tick_params(labelsize="x-small", pad=1.5, length=2)
    axes.grid(visible=False)


def _view(ends: np.ndarray, mean: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """The limits of both axes, (2, 2): a square, so that circles are circles, that holds the density and q."""
    low, high = np.minimum(ends[:, 0], mean - reach), np.maximum(ends[:, 1], mean + reach)
    half = (high - low).max() * (0.5 + _MARGIN)
    return (low + high)[:, None] / 2 + half * np.array([-1, 1])


def _implicit(study: StudyResults, kinds: Sequence[Kind]) -> dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]:
    """By the title of a model, an image's axes, (2, P), and on that grid its posterior, q and q_EW for each k."""
    found, shown = study.of_kinds(kinds, "implicit"), {}
    for title, model in titled(firsts([model for model in found if "pictures" in model.manifest])).items():
        pictures = (model.array("pictures", f"posterior_{name}") for name in _ARRAYS[:4])
        axes, log_joint, mean, deviation = (array[IMAGE].astype(float) for array in pictures)
        every = -(-len(log_joint) // _FEWER_CELLS)
        axes, log_joint = axes[:, ::every], log_joint[::every, ::every]
        log_q = gaussian_log_density(axes, mean, deviation)
        sums = model.array("implicit", "companions")[:, :, IMAGE].astype(float)
        densities = {"p(h|x)": log_joint}
        for k, log_t in zip(model.settings("implicit")["ks"], sums, strict=True):
            name = "q, k = 1" if k == 1 else f"q_EW, k = {k}"
            densities[name] = implicit_log_density(log_joint, log_q, log_t, k)
        shown[title] = axes, {name: _seen(normalised(each, axes)) for name, each in densities.items()}
    return shown


def gaussian_log_density(axes: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Log N(z; mean, diag(deviation^2)) on a grid with these axes (2, P): (P, P), row i the second coordinate."""
    first, second = -0.5 * ((axes - mean[:, None]) / deviation[:, None]) ** 2
    return first[None, :] + second[:, None] - np.log(deviation).sum() - np.log(2 * np.pi)


def implicit_log_density(log_joint: np.ndarray, log_q: np.ndarray, log_t: np.ndarray, k: int) -> np.ndarray:
    """Log q_EW(z) = log p(x, z) + log E[k / (w(z) + T)] on a grid, from log p(x, z), log q(z) and draws of log T."""
    terms = -np.logaddexp((log_joint - log_q)[..., None], log_t)
    return log_joint + np.log(k) + np.logaddexp.reduce(terms, axis=-1) - np.log(terms.shape[-1])


def _draw_implicit(found: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]) -> Figure:
    """A row for each model, a column for the posterior and for each k."""
    names = list(dict.fromkeys(name for _, densities in found.values() for name in densities))
    height = (WIDTH / len(names) + 0.15) * len(found)
    figure, grid = canvas(WIDTH, height, len(found), len(names))
    for line, (title, (axes, densities)) in zip(grid, found.items(), strict=True):
        extent: Any = ends_of(axes).ravel()
        for axis, name in zip(line, names, strict=True):
            axis.imshow(densities[name], extent=extent, aspect="auto", norm=PowerNorm(_POWER, vmin=0), **_DENSITY)
            _few_ticks(axis)
        line[0].set_ylabel(f"{title}\nh1_2")
    for name, top, bottom in zip(names, grid[0], grid[-1], strict=True):
        top.set_title(name)
        bottom.set_xlabel("h1_1")
    return figure


posterior, implicit = Drawing(_posterior, _draw_posterior), Drawing(_implicit, _draw_implicit)
