"""Figures that are images, one beside the other: of models, of test images, of weights."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from iwae.reporting.figures.pictures import beside_inputs, image_rows, pixels_of, show, shown, squares
from iwae.reporting.figures.style import WIDTH, Drawing, canvas
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.study import manifest

SAMPLES = 64  # images of a panel at most
WEIGHTS = 36
LAST_LAYER = "px.logits.weight"  # (200, 784): a row for each unit of the decoder's last hidden layer


def _samples(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Bernoulli means, 0 to 255, of images drawn from the models (paper, appendix E)."""
    models = shown(study, kinds, "pictures")
    frames = (image_rows(title, model.array("pictures", "samples")[:SAMPLES]) for title, model in models.items())
    return pd.concat(frames, ignore_index=True)


def _weights(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The decoder's last weights of the most used hidden units: the rows of largest norm, largest first."""
    parts = [pd.DataFrame()]  # no more where all lost their weights on purpose
    there = (item for item in shown(study, kinds, "training").items() if not manifest.is_stripped(item[1].manifest))
    for title, model in there:
        weight = load_file(manifest.checked_file(model.folder, "training", manifest.WEIGHTS))[LAST_LAYER]
        weight = weight.astype(np.float64)
        units = np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:WEIGHTS]
        frame = image_rows(title, weight[units].round(4))
        frame.insert(2, "unit", units)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def _reconstructions(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model, the Bernoulli means given the mean of q(h1|x); 0 to 255."""
    return beside_inputs(shown(study, kinds, "pictures"), "pictures", lambda title, model, means: {title: means})


def _picked(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model and k, the Bernoulli means of one draw of q_EW; 0 to 255."""

    def by_k(title: str, model: Model, means: np.ndarray) -> dict[str, np.ndarray]:
        ks = model.settings("implicit")["ks"]
        return {f"{title}\none of {k}": images for k, images in zip(ks, means, strict=True)}

    return beside_inputs(shown(study, kinds, "implicit"), "implicit", by_k)


def _rows(frame: pd.DataFrame) -> Figure:
    """The test images, and below them a row for each model."""
    panels, count = list(dict.fromkeys(frame.panel)), int(frame.place.max()) + 1
    figure, grid = canvas(WIDTH, len(panels) * ((WIDTH - 1.35) / count + 0.1), len(panels))
    for axis, panel in zip(grid[:, 0], panels, strict=True):
        show(axis, pixels_of(frame, panel), count)
        axis.set_ylabel(panel, rotation=0, ha="right", va="center")
    return figure


samples = Drawing(_samples, lambda frame: squares(frame, lambda image: (0, 255)))
# Mid-grey is zero, and each image has its own scale.
weights = Drawing(_weights, lambda frame: squares(frame, lambda image: (-np.abs(image).max(), np.abs(image).max())))
reconstructions, picked = Drawing(_reconstructions, _rows), Drawing(_picked, _rows)
