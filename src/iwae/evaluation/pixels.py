"""Pixels that come in, as binary images, and that go out, as grey levels of pictures."""

import numpy as np
import torch
from torch import Tensor

from iwae.errors import InputError


def as_tensor(x: np.ndarray, device: torch.device | str, kind: torch.dtype = torch.float32) -> Tensor:
    """Binary images as numbers on a device, of the same shape.

    Raises:
        InputError: A pixel is neither 0 nor 1.
    """
    found = torch.from_numpy(x).to(device, kind)
    others = found[(found != 0) & (found != 1)]
    if len(others):
        raise InputError(f"pixels of {others[0].item():g} are impossible: images must be binary, of 0 and 1.")
    return found


def grey(means: Tensor) -> np.ndarray:
    """Means of pixels in [0, 1] as grey levels 0..255, ``uint8``, of the same shape."""
    return (255 * means).round().to(torch.uint8).cpu().numpy()
