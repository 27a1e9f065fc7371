"""Figures that are images, one beside the other: of models, of test images, of weights; and what such figures share."""

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from iwae.reporting.figures.style import WIDTH, Drawing, canvas
from iwae.reporting.statements import counted, model_name
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.study import manifest

EDGE = 28  # pixels
SAMPLES = 64  # images of a panel at most
WEIGHTS = 36
LAST_LAYER = "px.logits.weight"  # (200, 784): a row for each unit of the decoder's last hidden layer

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


def firsts(models: Sequence[Model]) -> list[Model]:
    """The model of the first seed of each kind."""
    return list({model.kind: model for model in reversed(models)}.values())[::-1]


def _dataset(model: Model, models: Collection[Model]) -> str:
    """A line with the data set, where there are several."""
    return f"{model.spec.dataset}\n" if len({each.spec.dataset for each in models}) > 1 else ""


def squares(panels: Panels, **options: Any) -> Figure:
    """A panel of images for each title; `options` are those of `show`."""
    columns = min(len(panels), 2 if len(panels) <= 4 else 4)
    side = 3.0 if columns <= 2 else WIDTH / columns  # inches
    height = side + 0.13 * (1 + next(iter(panels)).count("\n")) + 0.12
    return tiled(panels, (side * columns, height), columns, **options)


def tiled(panels: Panels, size: tuple[float, float], panels_across: int, **options: Any) -> Figure:
    """A panel of images for each title, drawn by `show`; `size` is the figure's width and a row's height, inches."""
    rows = -(-len(panels) // panels_across)
    figure, grid = canvas(size[0], size[1] * rows, rows, panels_across)
    for axis, (title, images) in zip(grid.flat, panels.items(), strict=False):
        show(axis, images, **options)
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
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _samples(study: StudyResults, kinds: Sequence[Kind]) -> Panels:
    """Bernoulli means, 0 to 255, of images drawn from the models (paper, appendix E)."""
    models = shown(study, kinds, "pictures")
    return {title: model.array("pictures", "samples")[:SAMPLES] for title, model in models.items()}


def _weights(study: StudyResults, kinds: Sequence[Kind]) -> Panels:
    """The decoder's last weights of the most used hidden units: the rows of largest norm, largest first."""
    panels = {}  # none where all lost their weights on purpose
    there = (item for item in shown(study, kinds, "training").items() if not manifest.is_stripped(item[1].manifest))
    for title, model in there:
        weight = load_file(manifest.checked_file(model.folder, "training", manifest.WEIGHTS))[LAST_LAYER]
        units = np.argsort(-np.linalg.norm(weight.astype(np.float64), axis=1), kind="stable")[:WEIGHTS]
        panels[title] = weight[units]
    return panels


def _reconstructed(section: str, study: StudyResults, kinds: Sequence[Kind]) -> Panels:
    """The binarized test images of each data set and, for each model, the Bernoulli means of a section; 0 to 255.

    Those of ``pictures`` are given the mean of q(h1|x), those of ``implicit``, for each k, one draw of q_EW.
    """
    models = shown(study, kinds, section)
    panels: Panels = {}
    for title, model in models.items():
        panels.setdefault(f"{_dataset(model, models.values())}test image", model.array(section, "inputs"))
        means = model.array(section, "reconstructions")
        if section == "implicit":
            ks = model.settings(section)["ks"]
            panels |= {f"{title}\none of {k}": images for k, images in zip(ks, means, strict=True)}
        else:
            panels[title] = means
    return panels


def _rows(panels: Panels) -> Figure:
    """The test images, and below them a row for each model."""
    count = max(map(len, panels.values()))
    figure, grid = canvas(WIDTH, len(panels) * ((WIDTH - 1.35) / count + 0.1), len(panels))
    for axis, (title, images) in zip(grid[:, 0], panels.items(), strict=True):
        show(axis, images, count)
        axis.set_ylabel(title, rotation=0, ha="right", va="center")
    return figure


def _about_zero(image: np.ndarray) -> tuple[float, float]:
    """Black and white such that mid-grey is zero; each image has a scale of its own."""
    return -np.abs(image).max(), np.abs(image).max()


samples, weights = Drawing(_samples, squares), Drawing(_weights, partial(squares, limits=_about_zero))
reconstructions, picked = (Drawing(partial(_reconstructed, name), _rows) for name in ("pictures", "implicit"))
