"""Figures that are images, one beside the other: of models, of test images, of weights."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from iwae.reporting.figures.pictures import Panels, beside_inputs, show, shown, squares
from iwae.reporting.figures.style import WIDTH, Drawing, canvas
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.study import manifest

SAMPLES = 64  # images of a panel at most
WEIGHTS = 36
LAST_LAYER = "px.logits.weight"  # (200, 784): a row for each unit of the decoder's last hidden layer


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


def _reconstructions(study: StudyResults, kinds: Sequence[Kind]) -> Panels:
    """Binarized test images and, for each model, the Bernoulli means given the mean of q(h1|x); 0 to 255."""
    return beside_inputs(shown(study, kinds, "pictures"), "pictures", lambda title, model, means: {title: means})


def _picked(study: StudyResults, kinds: Sequence[Kind]) -> Panels:
    """Binarized test images and, for each model and k, the Bernoulli means of one draw of q_EW; 0 to 255."""

    def by_k(title: str, model: Model, means: np.ndarray) -> Panels:
        ks = model.settings("implicit")["ks"]
        return {f"{title}\none of {k}": images for k, images in zip(ks, means, strict=True)}

    return beside_inputs(shown(study, kinds, "implicit"), "implicit", by_k)


def _rows(panels: Panels) -> Figure:
    """The test images, and below them a row for each model."""
    count = max(map(len, panels.values()))
    figure, grid = canvas(WIDTH, len(panels) * ((WIDTH - 1.35) / count + 0.1), len(panels))
    for axis, (title, images) in zip(grid[:, 0], panels.items(), strict=True):
        show(axis, images, count)
        axis.set_ylabel(title, rotation=0, ha="right", va="center")
    return figure


samples = Drawing(_samples, lambda panels: squares(panels, lambda image: (0, 255)))
# Mid-grey is zero, and each image has its own scale.
weights = Drawing(_weights, lambda panels: squares(panels, lambda image: (-np.abs(image).max(), np.abs(image).max())))
reconstructions, picked = Drawing(_reconstructions, _rows), Drawing(_picked, _rows)
