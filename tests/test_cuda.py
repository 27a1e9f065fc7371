"""What stands in the way of a GPU, by a driver that is made up."""

import ctypes

import pytest

from iwae import cuda


class Driver:
    """NVIDIA's driver, as far as it is asked."""

    def __init__(self, status=0, gpus=1, version=13020):
        self.status, self.gpus, self.version = status, gpus, version

    def cuInit(self, flags):  # noqa: N802 - the driver's name
        return self.status

    def cuDeviceGetCount(self, found):  # noqa: N802
        found._obj.value = self.gpus
        return 0

    def cuDriverGetVersion(self, found):  # noqa: N802
        found._obj.value = self.version
        return 0


@pytest.fixture
def obstacle(monkeypatch):
    """The obstacle with a driver, or with an error in its place, and a PyTorch built for some CUDA or none."""

    def ask(driver, built=13):
        def load(name):
            if isinstance(driver, OSError):
                raise driver
            return driver

        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr(cuda, "_cuda_of_pytorch", lambda: built)
        cuda.obstacle.cache_clear()
        return cuda.obstacle()

    yield ask
    cuda.obstacle.cache_clear()


def test_a_gpu_with_its_driver_is_no_obstacle(obstacle):
    assert obstacle(Driver()) == obstacle(Driver(version=12080), built=12) == obstacle(Driver(), built=12) == ""


@pytest.mark.parametrize(
    ("driver", "built", "reason"),
    [
        (OSError("libcuda.so.1: cannot open shared object file"), 13, "there is no NVIDIA driver"),
        (Driver(status=100, gpus=0), 13, "the NVIDIA driver shows no GPU (status 100)"),  # CUDA_VISIBLE_DEVICES=none
        (Driver(gpus=0), 13, "the NVIDIA driver shows no GPU (status 0)"),
        (Driver(version=12080), 13, "the NVIDIA driver is for CUDA 12, PyTorch for CUDA 13"),
        (Driver(), None, "PyTorch was built without CUDA"),
    ],
)
def test_what_stands_in_the_way_is_named(obstacle, driver, built, reason):
    assert obstacle(driver, built) == reason


def test_pytorch_s_cuda_is_read_without_importing_it():
    import torch

    expected = torch.version.cuda and int(torch.version.cuda.split(".")[0])
    assert cuda._cuda_of_pytorch() == expected
