"""Whether this machine has a GPU to compute on, decided in one place for the workflow, training and measuring.

Standard library only: the workflow asks while it builds its graph, and importing PyTorch takes seconds.
"""

import ctypes
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

NO_DRIVER = "there is no NVIDIA driver"
_DRIVER = "libcuda.so.1"


@cache
def obstacle() -> str:
    """Why nothing can be computed on a GPU here, as half a sentence; empty if nothing is in the way.

    The driver is asked as PyTorch asks it, so CUDA_VISIBLE_DEVICES counts, and a driver without a usable GPU is none.
    """
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return NO_DRIVER
    gpus, version = ctypes.c_int(0), ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(gpus))
    if status or not gpus.value:
        return f"the NVIDIA driver shows no GPU (status {status})"
    driver.cuDriverGetVersion(ctypes.byref(version))
    built = _cuda_of_pytorch()
    if built is None:
        return "PyTorch was built without CUDA"
    if version.value // 1000 < built:  # 13020 is CUDA 13.2
        return f"the NVIDIA driver is for CUDA {version.value // 1000}, PyTorch for CUDA {built}"
    return ""


def _cuda_of_pytorch() -> int | None:
    """The major version of CUDA that PyTorch was built for, from its file of versions, which is read, not imported."""
    found = find_spec("torch")
    if not found or not found.origin:
        return None
    text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    match = re.search(r"^cuda\b.*= '(\d+)", text, re.MULTILINE)
    return int(match[1]) if match else None
