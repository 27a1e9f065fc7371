"""Test images reconstructed from one draw of q_EW, for each k."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from iwae.reporting.figures.pictures import beside_inputs, shown
from iwae.reporting.figures.reconstructions import draw
from iwae.reporting.study import Kind, Model, StudyResults

__all__ = ["data", "draw"]


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Binarized test images and, for each model and k, the Bernoulli means of one draw of q_EW; 0 to 255."""
    return beside_inputs(shown(study, kinds, "implicit"), "implicit", _by_k)


def _by_k(title: str, model: Model, means: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{title}\none of {k}": images for k, images in zip(model.settings("implicit")["ks"], means, strict=True)}
