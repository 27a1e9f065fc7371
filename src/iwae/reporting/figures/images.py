"""Figures that are images, one beside the other: of models, of test images, of weights, of pseudo-inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from iwae.reporting.figures.pictures import beside_inputs, image_rows, pixels_of, show, shown, squares, tiled
from iwae.reporting.figures.prior_samples import firsts
from iwae.reporting.figures.style import WIDTH, canvas
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.study import manifest

SAMPLES = 64  # images of a panel at most
WEIGHTS = 36
LAST_LAYER = "px.logits.weight"  # (200, 784): a row for each unit of the decoder's last hidden layer
_ROWS = 5  # pseudo-inputs of a panel
_COLUMNS = 10  # a pseudo-input and the images that `evaluation.prior_pictures` draws from it


@dataclass(frozen=True)
class Gallery:
    """A figure: its frame from a study and the kinds of models that it is about, and the drawing from the frame."""

    data: Callable[[StudyResults, Sequence[Kind]], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]


def _samples(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Bernoulli means, 0 to 255, of images drawn from the models (paper, appendix E)."""
    models = shown(study, kinds, "pictures")
    images = {title: model.arrays("pictures", ["samples"])["samples"][:SAMPLES] for title, model in models.items()}
    return pd.concat((image_rows(title, each) for title, each in images.items()), ignore_index=True)


def _weights(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The decoder's last weights of the most used hidden units: the rows of largest norm, largest first."""
    parts = []
    there = (item for item in shown(study, kinds, "training").items() if not manifest.is_stripped(item[1].manifest))
    for title, model in there:
        weight = load_file(manifest.checked_file(model.folder, "training", manifest.WEIGHTS))[LAST_LAYER]
        weight = weight.astype(np.float64)
        units = np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:WEIGHTS]
        frame = image_rows(title, weight[units].round(4))
        frame.insert(2, "unit", units)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()  # all lost their weights on purpose


def _reconstructions(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model, the Bernoulli means given the mean of q(h1|x); 0 to 255."""
    return beside_inputs(shown(study, kinds, "pictures"), "pictures", lambda title, model, means: {title: means})


def _picked(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model and k, the Bernoulli means of one draw of q_EW; 0 to 255."""
    return beside_inputs(shown(study, kinds, "implicit"), "implicit", _by_k)


def _by_k(title: str, model: Model, means: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{title}\none of {k}": images for k, images in zip(model.settings("implicit")["ks"], means, strict=True)}


def _pseudo_inputs(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Grey levels, 0 to 255, row after row: a pseudo-input, then Bernoulli means of images drawn with z ~ q(z|u)."""
    parts = []
    for title, model in firsts(study, kinds).items():
        arrays = model.arrays("pictures", ["pseudo_inputs", "pseudo_samples"])
        lines = np.concatenate([arrays["pseudo_inputs"][:, None], arrays["pseudo_samples"]], axis=1)[:_ROWS]
        parts.append(image_rows(title, lines.reshape(-1, lines.shape[-1])))
    return pd.concat(parts, ignore_index=True)


def _rows(frame: pd.DataFrame) -> Figure:
    """The test images, and below them a row for each model."""
    panels, count = list(dict.fromkeys(frame.panel)), int(frame.place.max()) + 1
    figure, grid = canvas(WIDTH, len(panels) * ((WIDTH - 1.35) / count + 0.1), len(panels))
    for axis, panel in zip(grid[:, 0], panels, strict=True):
        show(axis, pixels_of(frame, panel), count)
        axis.set_ylabel(panel, rotation=0, ha="right", va="center")
    return figure


samples = Gallery(_samples, lambda frame: squares(frame, lambda image: (0, 255)))
# Mid-grey is zero, and each image has its own scale.
weights = Gallery(_weights, lambda frame: squares(frame, lambda image: (-np.abs(image).max(), np.abs(image).max())))
reconstructions, picked = Gallery(_reconstructions, _rows), Gallery(_picked, _rows)
pseudo_inputs = Gallery(
    _pseudo_inputs, lambda frame: tiled(frame, (WIDTH, 0.5 * WIDTH * _ROWS / _COLUMNS + 0.3), 2, _COLUMNS)
)
