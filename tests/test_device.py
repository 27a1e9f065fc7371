import importlib
import json
import logging
import subprocess
import warnings

import pytest
import torch

from iwae import cuda
from iwae import device as devices
from iwae.errors import InputError

# A product of float32 numbers, summed in float32, is off by some 1e-7; TF32 by 1e-4 to 1e-3, bfloat16 by 1e-3 to 1e-2.
FLOAT32_TOLERANCE = 2e-6


@pytest.fixture
def threads():
    """Leaves PyTorch's number of threads as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["", "CPU", "cuda:0"])
def test_unknown_device_is_one_sentence(refused, name):
    assert refused(devices.choose_device, name) == f"device {name!r} is unknown: use auto, cpu or cuda."


@pytest.mark.parametrize(
    ("obstacle", "name", "expected"),
    [
        ("", "auto", "cuda"),
        ("", "cuda", "cuda"),
        ("", "cpu", "cpu"),
        ("there is no NVIDIA driver", "auto", "cpu"),
        ("there is no NVIDIA driver", "cpu", "cpu"),
    ],
)
def test_device_by_name(monkeypatch, caplog, obstacle, name, expected):
    monkeypatch.setattr(cuda, "obstacle", lambda: obstacle)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device(name) == torch.device(expected)
    assert caplog.messages == []


@pytest.mark.parametrize("obstacle", ["", "the NVIDIA driver shows no GPU (status 100)"])
def test_a_gpu_that_cannot_be_used_is_refused_or_told(refused, monkeypatch, caplog, obstacle):
    monkeypatch.setattr(cuda, "obstacle", lambda: obstacle)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    reason = obstacle or "PyTorch sees no CUDA GPU"
    expected = f"device cuda was asked for, but {reason}: use --device cpu or auto."
    assert refused(devices.choose_device, "cuda") == expected
    assert devices.choose_device("auto") == torch.device("cpu")
    assert caplog.messages == [f"The CPU computes, since {reason}."]


def test_threads_are_set(threads):
    devices.configure(torch.device("cpu"), 2)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("number", [0, -1])
def test_impossible_threads_are_one_sentence(refused, threads, number):
    expected = f"threads = {number} is impossible: it must be 1 or more."
    assert refused(devices.configure, torch.device("cpu"), number) == expected


def test_products_are_float32(device, threads):
    devices.configure(device, 1)
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(64, 784, generator=generator, dtype=torch.float64)
    b = torch.randn(784, 200, generator=generator, dtype=torch.float64)
    a, b = a.float().double(), b.float().double()  # what float32 can hold, so that only the product is in error
    product = (a.float().to(device) @ b.float().to(device)).cpu().double()
    assert (product - a @ b).norm() / (a @ b).norm() < FLOAT32_TOLERANCE


def test_manifest_can_keep_what_describes_the_machine():
    described = devices.describe(torch.device("cpu"), 3)
    assert json.loads(json.dumps(described)) == described
    assert described["device"].startswith("cpu: ")
    assert described["threads"] == 3


@pytest.fixture(
    params=[
        RuntimeError("no working C++ compiler"),
        subprocess.CalledProcessError(1, "no working C++ compiler"),
        FileNotFoundError("no working C++ compiler"),
    ],
    ids=lambda error: type(error).__name__,
)
def no_compiler(monkeypatch, request):
    """A machine where torch.compile fails, as it does without a C++ compiler; for a GPU Triton's own errors appear."""

    def refuse(*_, **__):
        raise request.param

    monkeypatch.setattr(torch, "compile", refuse)
    monkeypatch.setattr(devices, "can_compile", devices.can_compile.__wrapped__)


def test_function_stays_itself_where_nothing_compiles(no_compiler, caplog):
    def function(x):
        return 2 * x

    with caplog.at_level(logging.WARNING):
        assert devices.compile_function(function) is function
    assert "torch.compile does not work here" in caplog.text
    assert "no working C++ compiler" in caplog.text


def test_a_folder_for_compiled_code_that_cannot_be_written_is_refused(monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/proc/no")
    with pytest.raises(
        InputError, match="TORCHINDUCTOR_CACHE_DIR = '/proc/no' cannot be written .*: name another folder"
    ):
        devices.configure(torch.device("cpu"), 1)


def test_the_environment_may_decide_how_matrices_are_multiplied(monkeypatch):
    monkeypatch.setattr(devices, "_seconds", None)  # nothing is timed
    monkeypatch.setenv("IWAE_PRODUCTS", "default")
    assert devices.fastest_matmul.__wrapped__(torch.device("cpu"), 1000) == "default"
    monkeypatch.setenv("IWAE_PRODUCTS", "mkl")
    with pytest.raises(InputError, match="IWAE_PRODUCTS = 'mkl' is unknown: use auto, default or onednn"):
        devices.fastest_matmul.__wrapped__(torch.device("cpu"), 1000)


@pytest.mark.parametrize("name", ["default", "onednn"])
def test_products_that_are_chosen_are_float32(monkeypatch, name):
    """Whatever is faster on this machine, an inexact way is never chosen."""
    times = {"default": 1.0, "onednn": 0.5 if name == "onednn" else 0.95}
    monkeypatch.setattr(devices, "_seconds", lambda function: times["onednn" if _permits_bfloat16() else "default"])
    chosen = devices.fastest_matmul.__wrapped__(torch.device("cpu"), 100)
    assert chosen in ("default", name)
    try:
        devices.use_matmul(chosen)
        a, b = torch.randn(300, 200), torch.randn(200, 400)
        exact = a.double() @ b.double()
        assert ((a @ b).double() - exact).norm() / exact.norm() < 1e-5
    finally:
        devices.use_matmul("default")


def test_products_that_are_not_float32_here_are_refused(monkeypatch):
    devices.require_exact("default")
    monkeypatch.setattr(devices, "_product_error", lambda products: 3e-3)
    with pytest.raises(InputError, match="would round them to bfloat16"):
        devices.require_exact("onednn")


def test_on_a_gpu_float32_is_exact_and_the_compiler_times_nothing(threads):
    compiler = importlib.import_module("torch._inductor.config")
    before = getattr(compiler, "deterministic", None)
    torch.set_float32_matmul_precision("high")  # as TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 in the environment does
    torch.backends.cudnn.allow_tf32 = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            devices.configure(torch.device("cuda"), 1)
            warnings.warn("TensorFloat32 tensor cores for float32 matrix multiplication available", stacklevel=1)
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
        assert getattr(compiler, "deterministic", True)
    finally:
        torch.set_float32_matmul_precision("highest")
        devices.use_matmul("default")
        if before is not None:
            compiler.deterministic = before


def test_on_a_gpu_the_choice_is_left_alone():
    assert devices.fastest_matmul(torch.device("cuda"), 100) == "default"


def _permits_bfloat16():
    return torch.backends.mkldnn.matmul.fp32_precision == "bf16"
