"""What figures of 28 x 28 images share: which models they show, a row for each image, and grids of images."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iwae.reporting.figures.style import WIDTH, model_name
from iwae.reporting.statements import counted
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
    several = len({model.spec.dataset for model in models}) > 1
    return {
        f"{model.spec.dataset}\n" * several
        + f"{counted(model.spec.layers, 'layer')}, {model_name(model.spec.objective, model.spec.k)}": model
        for model in models
    }


def squares(frame: pd.DataFrame, limits: Callable[[np.ndarray], Sequence[float]]) -> Figure:
    """A panel of images for each title, with the black and white of `limits`."""
    panels = list(dict.fromkeys(frame.panel))
    columns = min(len(panels), 2 if len(panels) <= 4 else 4)
    rows = -(-len(panels) // columns)
    side = 3.0 if columns <= 2 else WIDTH / columns  # inches
    figure = Figure(figsize=(side * columns, (side + 0.13 * (1 + panels[0].count("\n")) + 0.12) * rows))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        images = pixels_of(frame, panel)
        show(axis, images, int(np.ceil(np.sqrt(len(images)))), limits)
        axis.set_title(panel)
    for axis in axes[len(panels) :]:
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
