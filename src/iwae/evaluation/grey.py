"""Grey levels of pictures."""

import numpy as np
import torch
from torch import Tensor


def grey(means: Tensor) -> np.ndarray:
    """Means of pixels in [0, 1] as grey levels 0..255, ``uint8``, of the same shape."""
    return (255 * means).round().to(torch.uint8).cpu().numpy()
