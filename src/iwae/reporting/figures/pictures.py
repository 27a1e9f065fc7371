"""What figures of 28 x 28 images share: which models they show, and grids of images."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iwae.reporting.figures.style import WIDTH, canvas
from iwae.reporting.statements import counted, model_name
from iwae.reporting.study import Kind, Model, StudyResults

EDGE = 28  # pixels

Panels = dict[str, np.ndarray]
"""The images of each panel by its title, (images, 784)."""


def shown(study: StudyResults, kinds: Sequence[Kind], section: str) -> dict[str, Model]:
    """The models whose pictures are shown, by title: for each data set, layers and objective the largest k."""
    models = study.of_kinds(kinds, section)
    by_k = sorted(models, key=lambda model: (model.spec.k, -model.spec.seed))
    chosen = {(model.spec.dataset, model.spec.layers, model.spec.objective): model.spec for model in by_k}
    return titled([model for model in models if model.spec in chosen.values()])


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


def beside_inputs(models: Mapping[str, Model], section: str, panels_of: Callable[..., Panels]) -> Panels:
    """The test images that models were shown, once for each data set, and their reconstructions in a section's arrays.

    `panels_of` makes the panels of a model from its title, the model and its reconstructions.
    """
    panels = {}
    for title, model in models.items():
        panels.setdefault(f"{_dataset(model, models.values())}test image", model.array(section, "inputs"))
        panels |= panels_of(title, model, model.array(section, "reconstructions"))
    return panels


def _dataset(model: Model, models: Collection[Model]) -> str:
    """A line with the data set, where there are several."""
    return f"{model.spec.dataset}\n" if len({each.spec.dataset for each in models}) > 1 else ""


def squares(panels: Panels, limits: Callable[[np.ndarray], Sequence[float]]) -> Figure:
    """A panel of images for each title, with the black and white of `limits`."""
    columns = min(len(panels), 2 if len(panels) <= 4 else 4)
    side = 3.0 if columns <= 2 else WIDTH / columns  # inches
    height = side + 0.13 * (1 + next(iter(panels)).count("\n")) + 0.12
    return tiled(panels, (side * columns, height), columns, limits=limits)


def tiled(panels: Panels, size: tuple[float, float], columns: int, across: int | None = None, **options: Any) -> Figure:
    """A panel of images for each title.

    Args:
        panels: The images.
        size: Width of the figure and height of a row of panels, inches.
        columns: Panels of a row.
        across: Images side by side in a panel; None for squares of images.
        **options: What `show` takes.
    """
    rows = -(-len(panels) // columns)
    figure, grid = canvas(size[0], size[1] * rows, rows, columns)
    for axis, (title, images) in zip(grid.flat, panels.items(), strict=False):
        show(axis, images, across, **options)
        axis.set_title(title)
    for axis in grid.flat[len(panels) :]:
        axis.set_axis_off()
    return figure


def show(
    axes: Axes,
    images: np.ndarray,
    columns: int | None = None,
    limits: Callable[[np.ndarray], Sequence[float]] = lambda image: (0, 255),
) -> None:
    """Tile images, (images, 784), `columns` in a row or to a square, one pixel of white between them.

    `limits` gives the black and the white of an image.
    """
    columns = columns or math.isqrt(len(images) - 1) + 1
    rows = -(-len(images) // columns)
    canvas = np.ones((rows * (EDGE + 1) - 1, columns * (EDGE + 1) - 1))
    for place, image in enumerate(images.reshape(-1, EDGE, EDGE).astype(np.float64)):
        top, left = (EDGE + 1) * (place // columns), (EDGE + 1) * (place % columns)
        low, high = limits(image)
        canvas[top : top + EDGE, left : left + EDGE] = (image - low) / max(high - low, 1e-12)
    axes.imshow(canvas, vmin=0, vmax=1, cmap="gray")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
