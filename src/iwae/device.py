"""Where computations run: the device, the CPU's threads and matrix products, and compilation."""

import importlib
import logging
import math
import os
import time
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from iwae import cuda
from iwae.errors import InputError

_log = logging.getLogger(__name__)
_CPU = torch.device("cpu")
_ONEDNN: Any = torch.backends.mkldnn  # whose settings PyTorch's types lack
_MOST_SHAPES = 256
_PRODUCT_TOLERANCE = 1e-5  # relative error of a float32 product; bfloat16 would be off by 3e-3
_WORTH_SWITCHING = 0.75  # of the time: far from noise, so that a machine always decides alike
_ROUNDS = 15


def choose_device(name: str) -> torch.device:
    """The device called ``cpu``, ``cuda``, or ``auto`` for CUDA where there is a GPU.

    Raises:
        InputError: The name is unknown, or CUDA is asked for and not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device {name!r} is unknown: use auto, cpu or cuda.")
    if name == "cpu":
        return _CPU
    reason = cuda.obstacle() or ("" if torch.cuda.is_available() else "PyTorch sees no CUDA GPU")
    if not reason:
        return torch.device("cuda")
    if name == "cuda":
        raise InputError(f"device cuda was asked for, but {reason}: use --device cpu or auto.")
    if reason != cuda.NO_DRIVER:
        _log.warning("The CPU computes, since %s.", reason)
    return _CPU


def configure(device: torch.device, threads: int) -> None:
    """Set PyTorch up for work on `device` with some CPU threads.

    Raises:
        InputError: The threads are less than 1, or compiled code cannot be kept where the environment says.
    """
    if threads < 1:
        raise InputError(f"threads = {threads} is impossible: it must be 1 or more.")
    _require_cache()
    torch.set_num_threads(threads)
    # Its search for a CUDA toolkit warns on every machine without one.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    if device.type == "cuda":
        _configure_cuda()


def _require_cache() -> None:
    """Refuse a folder for compiled code that cannot be written: PyTorch would not work at all, compiled or not."""
    folder = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    try:
        if folder:
            os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"TORCHINDUCTOR_CACHE_DIR = {folder!r} cannot be written ({error.strerror}): name another folder, or none."
        ) from error


def _configure_cuda() -> None:
    # Exact float32: the environment may ask for TF32, as in some containers, PyTorch before 2.14 recommends it, and
    # convolutions have it by default. Of their algorithms, some add up in an order that is never the same twice.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    warnings.filterwarnings("ignore", "TensorFloat32 tensor cores", UserWarning)
    # Else the compiler times reductions and products to choose between them, and a resumed training, which compiles
    # anew, may sum in another order.
    compiler: Any = importlib.import_module("torch._inductor.config")
    if hasattr(compiler, "deterministic"):  # not in every version
        compiler.deterministic = True


@cache
def fastest_matmul(device: torch.device, rows: int) -> str:
    """Which of PyTorch's ways to multiply float32 matrices on the CPU is fastest here: ``default`` or ``onednn``.

    The default library takes a slow path on processors that are not its maker's; oneDNN then is up to twice as fast
    where the matrices are large. The setting that prefers oneDNN also permits it to use bfloat16, which it does on
    processors with matrix units for it and not elsewhere: one product against float64 tells, and an inexact one is not
    used. What else the machine does may tip the balance, and another way rounds otherwise: who wants the same bits from
    two runs decides by the environment variable ``IWAE_PRODUCTS``.

    Args:
        device: Where the products are to run.
        rows: Rows of the larger matrices: images times samples.

    Raises:
        InputError: ``IWAE_PRODUCTS`` is none of auto, default and onednn.
    """
    if device.type != "cpu":
        return "default"
    decided = os.environ.get("IWAE_PRODUCTS", "auto")
    if decided not in ("auto", "default", "onednn"):
        raise InputError(f"IWAE_PRODUCTS = {decided!r} is unknown: use auto, default or onednn.")
    if decided != "auto":
        if (error := _product_error(decided)) > _PRODUCT_TOLERANCE:
            raise InputError(
                f"IWAE_PRODUCTS = {decided!r} is impossible here: this processor would round to bfloat16 (relative "
                f"error {error:.0e}); take another one."
            )
        return decided
    products = _decoder_products(rows)
    seconds = {"onednn": math.inf, "default": math.inf}
    for _ in range(_ROUNDS):  # in turn, and the fastest round of each: other work on the machine must not decide
        for name, fastest in seconds.items():
            use_matmul(name)
            seconds[name] = min(fastest, _seconds(products))
    use_matmul("default")
    faster = seconds["onednn"] < _WORTH_SWITCHING * seconds["default"]
    return "onednn" if faster and _product_error("onednn") < _PRODUCT_TOLERANCE else "default"


def _decoder_products(rows: int) -> Callable[[], object]:
    """The products of the decoder's last layer, most of the work: its output, and both gradients."""
    hidden, weight, gradient = torch.ones(rows, 200), torch.ones(200, 784), torch.ones(rows, 784)
    return lambda: (hidden @ weight, hidden.T @ gradient, gradient @ weight.T)


def require_exact(backend: str) -> None:
    """Check that this way to multiply is float32 on this machine, as it was where it was chosen.

    Raises:
        InputError: It is not.
    """
    error = _product_error(backend)
    if error > _PRODUCT_TOLERANCE:
        raise InputError(
            f"What multiplied matrices by {backend!r} cannot go on here: this processor would round them to bfloat16 "
            f"(relative error {error:.0e}); continue it on a machine like the one where it began."
        )


def _product_error(backend: str) -> float:
    """The relative error of a product of normal draws against float64."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator) for _ in range(2))
    exact = a.double() @ b.double()
    use_matmul(backend)
    error = ((a @ b).double() - exact).norm() / exact.norm()
    use_matmul("default")
    return error.item()


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def use_matmul(name: str) -> None:
    """Multiply float32 matrices on the CPU from now on as `fastest_matmul` calls it."""
    _ONEDNN.matmul.fp32_precision = "bf16" if name == "onednn" else "none"


def memory(device: torch.device) -> int:
    """Bytes of memory that the device has, used or not."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe(device: torch.device, threads: int) -> dict[str, Any]:
    """What a manifest says of the machine."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    backend = "onednn" if _ONEDNN.matmul.fp32_precision == "bf16" else "default"
    return {"device": f"{device.type}: {name}", "threads": threads, "products": backend}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


@cache
def can_compile(device: torch.device = _CPU) -> bool:
    """Whether torch.compile works for a device: it needs a C++ compiler and Python's headers, for CUDA Triton too."""
    try:
        torch.compile(_probe, dynamic=False)(torch.zeros(8, device=device))
    except Exception as error:  # not PyTorch's own errors alone: Triton lets those of the C compiler through
        _log.warning("torch.compile does not work here, so all runs uncompiled, up to six times slower: %s", error)
        return False
    return True


def _probe(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x) + 1


def compile_function(function: Callable[..., Any], device: torch.device = _CPU) -> Callable[..., Any]:
    """`function` compiled as a whole for each shape it is called with, or itself where nothing can be compiled."""
    if not can_compile(device):
        return function
    # By default PyTorch stops compiling a function after eight shapes and runs it slowly, without a word.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _MOST_SHAPES)
    return torch.compile(function, dynamic=False, fullgraph=True)
