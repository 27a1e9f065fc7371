"""Where computations run: the device, the CPU's threads and matrix products, and compilation."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from iwae.errors import InputError

_log = logging.getLogger(__name__)
_PRODUCT_TOLERANCE = 1e-4  # relative error of a float32 product; bfloat16 would be off by some 1e-2


def choose_device(name: str) -> torch.device:
    """The device called ``cpu``, ``cuda``, or ``auto`` for CUDA where there is a GPU.

    Raises:
        InputError: The name is unknown, or CUDA is asked for and not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device {name!r} is unknown: use auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but PyTorch sees no CUDA GPU: use --device cpu or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def configure(device: torch.device, threads: int) -> None:
    """Set the number of CPU threads and let float32 matrix products run on the fastest exact path."""
    torch.set_num_threads(threads)
    if device.type == "cpu":
        _use_onednn_products()


def describe(device: torch.device, threads: int) -> dict[str, Any]:
    """What a manifest says of the machine."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    matmul = torch.backends.mkldnn.matmul.fp32_precision if device.type == "cpu" else "ieee"
    return {"device": f"{device.type}: {name}", "threads": threads, "onednn_matmul": matmul, "compiled": can_compile()}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def _use_onednn_products() -> None:
    """Prefer oneDNN to MKL for float32 products where that loses no accuracy.

    MKL takes a slow path on processors that are not its maker's. The setting permits oneDNN to use bfloat16, which it
    does on processors with matrix units for it and not elsewhere; a product against float64 tells which.
    """
    matmul = torch.backends.mkldnn.matmul
    matmul.fp32_precision = "bf16"
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator, dtype=torch.float64) for _ in range(2))
    exact = a @ b
    error = ((a.float() @ b.float()).double() - exact).norm() / exact.norm()
    if error > _PRODUCT_TOLERANCE:
        matmul.fp32_precision = "none"


@cache
def can_compile() -> bool:
    """Whether torch.compile works here; on the CPU it needs a C++ compiler and Python's headers."""
    try:
        torch.compile(_probe, dynamic=False)(torch.zeros(8))
    except RuntimeError as error:
        _log.warning("torch.compile does not work here, so all runs uncompiled, 2 to 3 times slower: %s", error)
        return False
    return True


def _probe(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x) + 1


def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled for the shapes it is first called with, or itself where nothing can be compiled."""
    return torch.compile(function, dynamic=False) if can_compile() else function
