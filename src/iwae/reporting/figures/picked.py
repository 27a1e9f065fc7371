"""Test images reconstructed from one draw of q_EW, for each k."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.figures.pictures import image_rows, shown
from iwae.reporting.figures.reconstructions import draw
from iwae.reporting.study import Kind, StudyResults

__all__ = ["data", "draw"]


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model and k, the Bernoulli means of one draw of q_EW; 0 to 255."""
    models, parts = shown(study, kinds, "implicit"), {}
    several = len({model.spec.dataset for model in models.values()}) > 1
    for title, model in models.items():
        arrays = model.arrays("implicit", "implicit.npz", ["inputs", "reconstructions"])
        first = f"{model.spec.dataset}\n" * several + "test image"
        parts.setdefault(first, image_rows(first, arrays["inputs"]))
        for k, images in zip(model.settings("implicit")["ks"], arrays["reconstructions"], strict=True):
            name = f"{title}\none of {k}"
            parts[name] = image_rows(name, images)
    return pd.concat(parts.values(), ignore_index=True)
