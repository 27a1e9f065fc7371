"""The true posterior of training images beside q and q_EW, in models with two latent units.

``posterior`` is as in the paper's appendix C, ``implicit`` after Cremer, Morris & Duvenaud (2017). A row of their
frames is a line of a panel, its values in cell_0, cell_1, ...; ``part`` says what it is of, ``y`` is its second
coordinate, and the line ``h1_1`` has the first coordinates of the cells.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Patch
from matplotlib.ticker import MaxNLocator

from iwae.reporting.figures.pictures import EDGE, firsts, show
from iwae.reporting.figures.style import WIDTH, Drawing, canvas, legend_below
from iwae.reporting.study import Kind, StudyResults

LEAST = 1e-3  # of a panel's largest density: what is lower is drawn as zero
CONTOURS = (1, 2)  # deviations of q
IMAGE = 0  # the image that `implicit` shows
_CELLS = 100  # of a panel along each axis at most: of a finer grid every second point is shown, or every third, ...
_DIGITS = 4  # of the density
_FEWER_CELLS, _FEWER_DIGITS = 60, 3  # in `implicit`
_MARGIN = 0.04  # of a panel, about what it shows
_ARRAYS = ("axes", "log_joint", "mean", "deviation", "inputs", "reconstructions")
_LINE = {"edgecolor": "C1", "linewidth": 0.8, "facecolor": "none"}
_DENSITY = {"cmap": "Blues", "origin": "lower"}  # of images of it
_POWER = 0.5  # of the density, for its colour, the square root: small modes and tails are seen beside a sharp peak


def _posterior(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """What the panels of each model and image, which ``place`` counts, show.

    ``density`` is the true posterior p(h|x), normalised on the whole grid of its image; ``mean`` and ``deviation`` are
    those of q(h|x); ``input`` and ``reconstruction`` are lines of pixels, 0 to 255, with their number ``y``.
    """
    parts = []
    for title, model in firsts(study.of_kinds(kinds, "pictures")).items():
        axes, log_joint, *rest = (model.array("pictures", f"posterior_{name}").astype(np.float64) for name in _ARRAYS)
        for place, (grid, surface, mean, deviation, image, reconstruction) in enumerate(
            zip(axes, log_joint, *rest, strict=True)
        ):
            density, (first, second) = _thinned(normalised(surface, grid), grid)
            lines = {
                "h1_1": (first[None], [np.nan]),
                "density": (density, second),
                "mean": (mean[None], [np.nan]),
                "deviation": (deviation[None], [np.nan]),
                "input": (image.reshape(EDGE, EDGE), range(EDGE)),
                "reconstruction": (reconstruction.reshape(EDGE, EDGE), range(EDGE)),
            }
            parts += [_lines(title, place, part, values, heights) for part, (values, heights) in lines.items()]
    return pd.concat(parts, ignore_index=True)


def _lines(panel: str, place: int, part: str, values: np.ndarray, heights: object) -> pd.DataFrame:
    """Rows with the lines of an array (lines, cells), in cell_0, cell_1, ..., and with ``y`` of each."""
    frame = pd.DataFrame(values, columns=[f"cell_{number}" for number in range(values.shape[1])])
    for position, (name, value) in enumerate({"panel": panel, "place": place, "part": part, "y": heights}.items()):
        frame.insert(position, name, value)
    return frame


def normalised(log_joint: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The density p(h|x) on a grid, (P, P), which times the area of a cell sums to 1.

    `log_joint` is log p(x, h) there, (P, P), row i the second coordinate; `axes` has the coordinates of the columns and
    of the rows, (2, P).
    """
    density = np.exp(log_joint - log_joint.max())
    return density / (density.sum() * _steps(axes).prod())


def _steps(axes: Sequence[np.ndarray]) -> np.ndarray:
    """The step along each axis, from its ends: they are known better than neighbours are."""
    return np.array([(axis[-1] - axis[0]) / (len(axis) - 1) for axis in axes])


def ends_of(axes: Sequence[np.ndarray]) -> np.ndarray:
    """Where the cells about the points of two axes begin and end, (2, 2): half a step beyond the first and the last."""
    return np.array([(axis[0], axis[-1]) for axis in axes]) + _steps(axes)[:, None] / 2 * (-1, 1)


def _thinned(density: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """What is drawn of a density, to some digits, and its axes: what is above zero, and a cell of zeros about it."""
    every = -(-len(density) // _CELLS)
    density, axes = density[::every, ::every], axes[:, ::every]
    density = _rounded(density, _DIGITS)
    found = (np.flatnonzero(density.any(axis)) for axis in (0, 1))
    columns, rows = (slice(max(0, used[0] - 1), used[-1] + 2) for used in found)
    return density[rows, columns], [axes[0, columns], axes[1, rows]]


def _rounded(density: np.ndarray, digits: int) -> np.ndarray:
    """A density to some digits, zero where it would not be seen."""
    return np.vectorize(lambda value: float(f"{value:.{digits}g}"))(
        np.where(density < LEAST * density.max(), 0, density)
    )


def _draw_posterior(frame: pd.DataFrame) -> Figure:
    """A row for each model, a column for each image: density and contours of q, above them image and reconstruction."""
    panels, places = list(dict.fromkeys(frame.panel)), sorted(set(frame.place))
    width = WIDTH / len(places)
    figure = Figure(figsize=(WIDTH, 1.6 * width * len(panels) + 0.65), layout="constrained")
    parts = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
    for part, panel in zip(parts, panels, strict=True):
        part.suptitle(panel.replace("\n", ", "), x=0.01, ha="left")
        axes = part.subplots(2, len(places), squeeze=False, height_ratios=(0.45, 1))
        for column, place in enumerate(places):
            _panel(*axes[:, column], frame[(frame.panel == panel) & (frame.place == place)])
            axes[1, column].set_xlabel("h1_1")
        axes[1, 0].set_ylabel("h1_2")
    q = f"q(h|x): {' and '.join(map(str, CONTOURS))} deviations"
    handles = [Patch(color="C0", label="true posterior p(h|x)"), Patch(label=q, **_LINE)]
    words = "each panel has axes and a scale of its own, its colour goes by the square root of the density"
    legend_below(figure, handles, 2, f"above each panel: training image and reconstruction at the mean of q\n{words}")
    return figure


def _panel(above: Axes, axes: Axes, frame: pd.DataFrame) -> None:
    """Image and reconstruction above, and density and contours below."""
    parts = {part: lines.dropna(axis=1, how="all") for part, lines in frame.groupby("part")}
    show(above, np.stack([_cells(parts[part]) for part in ("input", "reconstruction")]), 2)
    density, cells = _cells(parts["density"]), (_cells(parts["h1_1"])[0], parts["density"].y.to_numpy())
    ends = ends_of(cells)
    axes.imshow(density, extent=ends.ravel(), norm=PowerNorm(_POWER, vmin=0), interpolation="auto", **_DENSITY)
    axes.set_facecolor(colormaps[_DENSITY["cmap"]](0.0))
    mean, deviation = (_cells(parts[part])[0] for part in ("mean", "deviation"))
    for number in CONTOURS:
        axes.add_patch(Ellipse(mean, *(2 * number * deviation), **_LINE))
    axes.set(**dict(zip(("xlim", "ylim"), _view(ends, mean, CONTOURS[-1] * deviation), strict=True)))
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


def _cells(lines: pd.DataFrame) -> np.ndarray:
    """The cells of some lines, (lines, cells)."""
    return lines.filter(regex=r"^cell_").to_numpy(dtype=np.float64)


def _implicit(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The densities of an image on its grid; ``part`` is ``posterior`` or ``k = ...``."""
    found, parts = study.of_kinds(kinds, "implicit"), []
    for title, model in firsts([model for model in found if "pictures" in model.manifest]).items():
        pictures = (model.array("pictures", f"posterior_{name}") for name in _ARRAYS[:4])
        axes, log_joint, mean, deviation = (array[IMAGE].astype(float) for array in pictures)
        every = -(-len(log_joint) // _FEWER_CELLS)
        axes, log_joint = axes[:, ::every], log_joint[::every, ::every]
        log_q = gaussian_log_density(axes, mean, deviation)
        sums = model.array("implicit", "companions")[:, :, IMAGE].astype(float)
        shown = {"posterior": log_joint}
        for k, log_t in zip(model.settings("implicit")["ks"], sums, strict=True):
            shown[f"k = {k}"] = implicit_log_density(log_joint, log_q, log_t, k)
        parts.append(_lines(title, IMAGE, "h1_1", axes[:1], [np.nan]))
        for part, values in shown.items():
            density = _rounded(normalised(values, axes), _FEWER_DIGITS)
            parts.append(_lines(title, IMAGE, part, density, axes[1]))
    return pd.concat(parts, ignore_index=True)


def gaussian_log_density(axes: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Log N(z; mean, diag(deviation^2)) on a grid with these axes (2, P): (P, P), row i the second coordinate."""
    first, second = -0.5 * ((axes - mean[:, None]) / deviation[:, None]) ** 2
    return first[None, :] + second[:, None] - np.log(deviation).sum() - np.log(2 * np.pi)


def implicit_log_density(log_joint: np.ndarray, log_q: np.ndarray, log_t: np.ndarray, k: int) -> np.ndarray:
    """Log q_EW(z) = log p(x, z) + log E[k / (w(z) + T)] on a grid, from log p(x, z), log q(z) and draws of log T."""
    terms = -np.logaddexp((log_joint - log_q)[..., None], log_t)
    return log_joint + np.log(k) + np.logaddexp.reduce(terms, axis=-1) - np.log(terms.shape[-1])


def _draw_implicit(frame: pd.DataFrame) -> Figure:
    """A row for each model, a column for the posterior and for each k."""
    panels = list(dict.fromkeys(frame.panel))
    parts = [part for part in dict.fromkeys(frame.part) if part != "h1_1"]
    height = (WIDTH / len(parts) + 0.15) * len(panels)
    figure, axes = canvas(WIDTH, height, len(panels), len(parts))
    for row, panel in enumerate(panels):
        lines = frame[frame.panel == panel]
        across = _cells(lines[lines.part == "h1_1"].dropna(axis=1, how="all"))[0]
        for column, part in enumerate(parts):
            shown = lines[lines.part == part].dropna(axis=1, how="all")
            axis = axes[row, column]
            ends = ends_of([across, shown.y.to_numpy()]).ravel()
            axis.imshow(_cells(shown), extent=ends, aspect="auto", norm=PowerNorm(_POWER, vmin=0), **_DENSITY)
            name = {"posterior": "p(h|x)", "k = 1": "q, k = 1"}.get(part, f"q_EW, {part}")
            axis.set(title=name if row == 0 else "", xlabel="h1_1" if row == len(panels) - 1 else "")
            _few_ticks(axis)
        axes[row, 0].set_ylabel(f"{panel}\nh1_2")
    return figure


posterior, implicit = Drawing(_posterior, _draw_posterior), Drawing(_implicit, _draw_implicit)
