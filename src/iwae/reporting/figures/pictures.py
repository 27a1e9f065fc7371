"""What figures of 28 x 28 images share: which models they show, a row for each image, and grids of images."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iwae.reporting.figures.style import WIDTH, canvas
from iwae.reporting.statements import counted, model_name
from iwae.reporting.study import Kind, Model, StudyResults

EDGE = 28  # pixels
PIXELS = [f"pixel_{number}" for number in range(EDGE * EDGE)]


def shown(study: StudyResults, kinds: Sequence[Kind], section: str) -> dict[str, Model]:
    """The models whose pictures are shown, by title: for each data set, layers and objective the largest k."""
    models = study.of_kinds(kinds, section)
    by_k = sorted(models, key=lambda model: (model.spec.k, -model.spec.seed))
    chosen = {(model.spec.dataset, model.spec.layers, model.spec.objective): model.spec for model in by_k}
    return titled([model for model in models if model.spec in chosen.values()])


def image_rows(panel: str, images: np.ndarray) -> pd.DataFrame:
    """A row for each image: the panel, its place there, and its pixels in reading order."""
    frame = pd.DataFrame(images, columns=PIXELS)
    frame.insert(0, "panel", panel)
    frame.insert(1, "place", range(len(images)))
    return frame


def titled(models: Sequence[Model]) -> dict[str, Model]:
    """The models by a title, on two lines where there are several data sets."""
    return {
        f"{_dataset(model, models)}{counted(model.spec.layers, 'layer')}, "
        f"{model_name(model.spec.objective, model.spec.k)}": model
        for model in models
    }


def firsts(models: Sequence[Model]) -> dict[str, Model]:
    """The model of the first seed of each kind, by its title."""
    kinds = {model.kind: model for model in reversed(models)}
    return titled(list(reversed(kinds.values())))


def beside_inputs(models: Mapping[str, Model], section: str, rows_of: Callable) -> pd.DataFrame:
    """The test images that models were shown, once for each data set, and their reconstructions in a section's arrays.

    `rows_of` makes of a title, a model and its reconstructions these by the name of their panel.
    """
    parts = {}
    for title, model in models.items():
        parts.setdefault(f"{_dataset(model, models.values())}test image", model.array(section, "inputs"))
        parts |= rows_of(title, model, model.array(section, "reconstructions"))
    return pd.concat((image_rows(panel, images) for panel, images in parts.items()), ignore_index=True)


def _dataset(model: Model, models: Collection[Model]) -> str:
    """A line with the data set, where there are several."""
    return f"{model.spec.dataset}\n" if len({each.spec.dataset for each in models}) > 1 else ""


def squares(frame: pd.DataFrame, limits: Callable[[np.ndarray], Sequence[float]]) -> Figure:
    """A panel of images for each title, with the black and white of `limits`."""
    panels = list(dict.fromkeys(frame.panel))
    columns = min(len(panels), 2 if len(panels) <= 4 else 4)
    side = 3.0 if columns <= 2 else WIDTH / columns  # inches
    height = side + 0.13 * (1 + panels[0].count("\n")) + 0.12
    return tiled(frame, (side * columns, height), columns, limits=limits)


def tiled(
    frame: pd.DataFrame, size: tuple[float, float], columns: int, across: int | None = None, **options: Any
) -> Figure:
    """A panel of images for each title.

    Args:
        frame: The images, as `image_rows` gives them.
        size: Width of the figure and height of a row of panels, inches.
        columns: Panels of a row.
        across: Images side by side in a panel; None for squares of images.
        **options: What `show` takes.
    """
    panels = list(dict.fromkeys(frame.panel))
    rows = -(-len(panels) // columns)
    figure, grid = canvas(size[0], size[1] * rows, rows, columns)
    for axis, panel in zip(grid.flat, panels, strict=False):
        images = pixels_of(frame, panel)
        show(axis, images, across or math.isqrt(len(images) - 1) + 1, **options)
        axis.set_title(panel)
    for axis in grid.flat[len(panels) :]:
        axis.set_axis_off()
    return figure


def pixels_of(frame: pd.DataFrame, panel: str) -> np.ndarray:
    """The images of a panel, (images, 28, 28)."""
    return frame.loc[frame.panel == panel, PIXELS].to_numpy(dtype=np.float64).reshape(-1, EDGE, EDGE)


def show(
    axes: Axes,
    images: np.ndarray,
    columns: int,
    limits: Callable[[np.ndarray], Sequence[float]] = lambda image: (0, 255),
) -> None:
    """Tile `images`, `columns` in a row, one pixel of white between them; `limits` gives an image's black and white."""
    rows = -(-len(images) // columns)
    canvas = np.ones((rows * (EDGE + 1) - 1, columns * (EDGE + 1) - 1))
    for place, image in enumerate(images):
        top, left = (EDGE + 1) * (place // columns), (EDGE + 1) * (place % columns)
        low, high = limits(image)
        canvas[top : top + EDGE, left : left + EDGE] = (image - low) / max(high - low, 1e-12)
    axes.imshow(canvas, vmin=0, vmax=1, cmap="gray")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
