"""The true posterior of training images and its approximation, in models with two latent units (paper, appendix C)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Patch
from matplotlib.ticker import MaxNLocator

from iwae.reporting.contents import PLANE
from iwae.reporting.figures.images import EDGE, show, titles
from iwae.reporting.figures.style import WIDTH, legend_below
from iwae.reporting.study import Model, Study
from iwae.specification import OBJECTIVES

LEAST = 1e-3  # of a panel's largest density: what is lower is drawn as zero
CONTOURS = (1, 2)  # deviations of q
_DIGITS = 4  # of the density
_MARGIN = 2  # cells about what is shown
_ARRAYS = ("axis", "log_joint", "mean", "deviation", "inputs", "reconstructions")
_LINE = {"edgecolor": "C1", "linewidth": 0.9, "facecolor": "none"}
_CMAP = "Blues"


def data(study: Study) -> pd.DataFrame:
    """What the panels show: a row for each line of an image, its values in cell_0, cell_1, ...

    The column ``part`` says what a line is of. ``density`` is the true posterior p(h|x), normalised on the grid, at the
    second coordinate ``y`` of h; the line ``h1_1`` has the first coordinates of its cells. ``mean`` and ``deviation``
    are those of q(h|x). ``input`` and ``reconstruction`` are lines of pixels, 0 to 255, with their number ``y``.
    ``place`` counts the images.
    """
    models = _shown(study)
    parts = []
    for model, title in zip(models, titles(models), strict=True):
        arrays = model.arrays("pictures", "pictures.npz", [f"posterior_{name}" for name in _ARRAYS])
        axis, log_joint, *rest = (arrays[f"posterior_{name}"].astype(np.float64) for name in _ARRAYS)
        for place, (surface, mean, deviation, image, reconstruction) in enumerate(zip(log_joint, *rest, strict=True)):
            density = _normalised(surface, axis)
            rows, columns = _window(density, axis, mean, deviation)
            lines = {
                "h1_1": (axis[columns][None], [np.nan]),
                "density": (density[rows, columns], axis[rows]),
                "mean": (mean[None], [np.nan]),
                "deviation": (deviation[None], [np.nan]),
                "input": (image.reshape(EDGE, EDGE), range(EDGE)),
                "reconstruction": (reconstruction.reshape(EDGE, EDGE), range(EDGE)),
            }
            parts += [_lines(title, place, part, values, heights) for part, (values, heights) in lines.items()]
    return pd.concat(parts, ignore_index=True)


def _shown(study: Study) -> list[Model]:
    """The first seed of each kind of model with two latent units."""
    chosen: dict[tuple[str, str, int], Model] = {}
    for model in study.models:  # in the order of seeds
        if model.spec.latents == PLANE:
            chosen.setdefault((model.spec.dataset, model.spec.objective, model.spec.k), model)
    return sorted(chosen.values(), key=lambda one: (one.spec.dataset, OBJECTIVES.index(one.spec.objective), one.spec.k))


def _lines(panel: str, place: int, part: str, values: np.ndarray, heights: object) -> pd.DataFrame:
    frame = pd.DataFrame(values, columns=[f"cell_{number}" for number in range(values.shape[1])])
    for position, (name, value) in enumerate({"panel": panel, "place": place, "part": part, "y": heights}.items()):
        frame.insert(position, name, value)
    return frame


def _normalised(log_joint: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The density on the grid whose cells sum to 1, to some digits, and zero where it is hardly anything."""
    density = np.exp(log_joint - log_joint.max())
    density[density < LEAST] = 0
    density /= density.sum() * (axis[1] - axis[0]) ** 2
    return np.vectorize(lambda value: float(f"{value:.{_DIGITS}g}"))(density)


def _window(density: np.ndarray, axis: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a square part of the grid that holds all density and the contours of q, as far as it goes."""
    found = np.argwhere(density > 0)[:, ::-1]  # (cells, 2), the first coordinate first
    reach = CONTOURS[-1] * deviation
    contours = np.searchsorted(axis, [mean - reach, mean + reach])
    low, high = (bound(np.vstack([found, contours]), axis=0) for bound in (np.min, np.max))
    size = min(len(axis), int((high - low).max()) + 1 + 2 * _MARGIN)
    starts = np.clip((low + high + 1 - size) // 2, 0, len(axis) - size)
    columns, rows = (slice(start, start + size) for start in starts)
    return rows, columns


def draw(frame: pd.DataFrame) -> Figure:
    """A row for each model, a column for each image: density and contours of q, above them image and reconstruction."""
    panels, places = list(dict.fromkeys(frame.panel)), sorted(set(frame.place))
    width = WIDTH / len(places)
    figure = Figure(figsize=(WIDTH, 1.6 * width * len(panels) + 0.5))
    figure.set_layout_engine("constrained")
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
    legend_below(figure, handles, 2, "above each panel: training image and reconstruction at the mean of q")
    return figure


def _panel(above: Axes, axes: Axes, frame: pd.DataFrame) -> None:
    """Image and reconstruction above, and density and contours below."""
    parts = {part: lines.dropna(axis=1, how="all") for part, lines in frame.groupby("part")}
    show(above, np.stack([_values(parts[part]) for part in ("input", "reconstruction")]), 2)
    density, first, second = _values(parts["density"]), _values(parts["h1_1"])[0], parts["density"].y.to_numpy()
    half = (first[1] - first[0]) / 2
    extent = (first[0] - half, first[-1] + half, second[0] - half, second[-1] + half)
    axes.imshow(density, extent=extent, origin="lower", cmap=_CMAP, vmin=0)
    mean, deviation = (_values(parts[part])[0] for part in ("mean", "deviation"))
    for number in CONTOURS:
        axes.add_patch(Ellipse(mean, *(2 * number * deviation), **_LINE))
    axes.set(xlim=extent[:2], ylim=extent[2:])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(2))
    axes.tick_params(labelsize="x-small", pad=1.5, length=2)
    axes.grid(visible=False)


def _values(lines: pd.DataFrame) -> np.ndarray:
    """The cells of some lines, (lines, cells)."""
    return lines.filter(regex=r"^cell_").to_numpy(dtype=np.float64)
