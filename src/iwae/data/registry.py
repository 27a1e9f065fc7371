"""The data sets that this library knows, by the name that models and folders carry."""

from iwae.data.dataset import Dataset
from iwae.data.mnist import MNIST
from iwae.data.mnist_fixed import MNIST_FIXED
from iwae.data.mnist_static import MNIST_STATIC
from iwae.data.omniglot import OMNIGLOT
from iwae.errors import InputError

DATASETS: dict[str, Dataset] = {
    "mnist": MNIST,
    "omniglot": OMNIGLOT,
    "mnist-fixed": MNIST_FIXED,
    "mnist-static": MNIST_STATIC,
}


def dataset_named(name: str) -> Dataset:
    """The data set called `name`; `InputError` where there is none."""
    if name not in DATASETS:
        raise InputError(f"data set {name!r} is unknown: use one of {', '.join(DATASETS)}.")
    return DATASETS[name]
