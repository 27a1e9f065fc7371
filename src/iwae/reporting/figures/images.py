"""Pictures of models: samples, reconstructions and last-layer weights, each a grid of 28 x 28 images."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from iwae.reporting.figures.style import WIDTH
from iwae.reporting.statements import counted
from iwae.reporting.study import Model, StudyResults
from iwae.study import manifest
from iwae.study.registry import OBJECTIVES
from iwae.study.settings import SCHEDULE_STAGES

EDGE = 28  # pixels
PIXELS = [f"pixel_{number}" for number in range(EDGE * EDGE)]
SAMPLES = 64  # images of a panel at most
WEIGHTS = 36
LAST_LAYER = "px.logits.weight"  # (200, 784): a row for each unit of the decoder's last hidden layer


def shown(study: StudyResults) -> list[Model]:
    """The models whose pictures are shown: of each data set, layers and objective the largest k, its first seed."""
    chosen: dict[tuple[str, int, str], Model] = {}
    for model in sorted(study.grid.models, key=lambda model: (-model.spec.k, model.spec.seed)):
        chosen.setdefault((model.spec.dataset, model.spec.layers, model.spec.objective), model)
    order = list(OBJECTIVES)
    return sorted(
        chosen.values(), key=lambda model: (model.spec.dataset, model.spec.layers, order.index(model.spec.objective))
    )


def samples_data(study: StudyResults) -> pd.DataFrame:
    """Bernoulli means, 0 to 255, of images drawn from the models."""
    models = shown(study)
    arrays = [model.arrays("pictures", "pictures.npz", ["samples"])["samples"][:SAMPLES] for model in models]
    return pd.concat(map(_frame, titles(models), arrays), ignore_index=True)


def reconstructions_data(study: StudyResults) -> pd.DataFrame:
    """Binarized test images and, for each model, the Bernoulli means given the mean of q(h1|x); 0 to 255."""
    models, parts = shown(study), {}
    several = len({model.spec.dataset for model in models}) > 1
    for model, title in zip(models, titles(models), strict=True):
        arrays = model.arrays("pictures", "pictures.npz", ["inputs", "reconstructions"])
        first = f"{model.spec.dataset}\ntest image" if several else "test image"
        parts.setdefault(first, _frame(first, arrays["inputs"]))
        parts[title] = _frame(title, arrays["reconstructions"])
    return pd.concat(parts.values(), ignore_index=True)


def weights_data(study: StudyResults) -> pd.DataFrame:
    """The decoder's last-layer weights of its most used hidden units: the rows of largest norm, largest first."""
    models, parts = shown(study), []
    for model, title in zip(models, titles(models), strict=True):
        weight = load_file(manifest.checked_file(model.folder, "training", manifest.WEIGHTS))[LAST_LAYER]
        norms = np.linalg.norm(weight.astype(np.float64), axis=1)
        units = np.argsort(-norms, kind="stable")[:WEIGHTS]
        frame = _frame(title, weight[units].astype(np.float64).round(4))
        frame.insert(2, "unit", units)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def _frame(panel: str, images: np.ndarray) -> pd.DataFrame:
    """A row for each image: the panel, its place there, and its pixels in reading order."""
    frame = pd.DataFrame(images, columns=PIXELS)
    frame.insert(0, "panel", panel)
    frame.insert(1, "place", range(len(images)))
    return frame


def titles(models: Sequence[Model]) -> list[str]:
    """A title for each model, on several lines: the data set where there are several, what it is, what it ran."""
    several = len({model.spec.dataset for model in models}) > 1
    return ["\n".join(filter(None, (model.spec.dataset * several, *_title(model)))) for model in models]


def _title(model: Model) -> tuple[str, str]:
    cut = "" if model.stages == SCHEDULE_STAGES else f"{model.stages} of {SCHEDULE_STAGES} stages"
    return f"{counted(model.spec.layers, 'layer')}, {model.label}", cut


def draw_samples(frame: pd.DataFrame) -> Figure:
    """A square of images for each model."""
    return _squares(frame, lambda images: (0, 255))


def draw_weights(frame: pd.DataFrame) -> Figure:
    """A square of weights for each model; mid-grey is zero, and each image has its own scale."""
    return _squares(frame, lambda image: (-np.abs(image).max(), np.abs(image).max()))


def draw_reconstructions(frame: pd.DataFrame) -> Figure:
    """The test images, and below them a row for each model."""
    panels = list(dict.fromkeys(frame.panel))
    count = int(frame.place.max()) + 1
    figure = Figure(figsize=(WIDTH, len(panels) * ((WIDTH - 1.35) / count + 0.1)))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        show(axis, _pixels(frame, panel), count)
        axis.set_ylabel(panel, rotation=0, ha="right", va="center")
    return figure


def _squares(frame: pd.DataFrame, limits: Callable[[np.ndarray], Sequence[float]]) -> Figure:
    panels = list(dict.fromkeys(frame.panel))
    columns = min(len(panels), 2 if len(panels) <= 4 else 4)
    rows = -(-len(panels) // columns)
    side = 3.0 if columns <= 2 else WIDTH / columns  # inches
    figure = Figure(figsize=(side * columns, (side + 0.13 * (1 + panels[0].count("\n")) + 0.12) * rows))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        images = _pixels(frame, panel)
        show(axis, images, int(np.ceil(np.sqrt(len(images)))), limits)
        axis.set_title(panel)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    return figure


def _pixels(frame: pd.DataFrame, panel: str) -> np.ndarray:
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
