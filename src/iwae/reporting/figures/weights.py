"""The decoder's last-layer weights."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from iwae.reporting.figures.pictures import image_rows, shown, squares
from iwae.reporting.study import Kind, StudyResults
from iwae.study import manifest

WEIGHTS = 36  # images of a panel
LAST_LAYER = "px.logits.weight"  # (200, 784): a row for each unit of the decoder's last hidden layer


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The weights of the most used hidden units: the rows of largest norm, largest first."""
    parts = []
    there = (item for item in shown(study, kinds, "training").items() if not manifest.is_stripped(item[1].manifest))
    for title, model in there:
        weight = load_file(manifest.checked_file(model.folder, "training", manifest.WEIGHTS))[LAST_LAYER]
        weight = weight.astype(np.float64)
        units = np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:WEIGHTS]
        frame = image_rows(title, weight[units].round(4))
        frame.insert(2, "unit", units)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A square of weights for each model; mid-grey is zero, and each image has its own scale."""
    return squares(frame, lambda image: (-np.abs(image).max(), np.abs(image).max()))
