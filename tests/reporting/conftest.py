"""Synthetic studies: `synthetic` writes models, `configurations` says what asks for them, `damage` changes their files.

`drawings` reads figures.
"""

import runpy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from iwae.reporting.collect import write_results
from iwae.study.measurements import LikelihoodSettings
from iwae.study.specification import ModelSpec, grid

FOLDER = Path(__file__).parent
NAMES = ("synthetic", "configurations", "damage")
parts = SimpleNamespace(**{key: each for name in NAMES for key, each in runpy.run_path(FOLDER / f"{name}.py").items()})
write_model = parts.write_model


def configuration(
    name: str,
    models: list[ModelSpec],
    stages: int = 8,
    images: int = 40,
    protocol: str = "authors-code",
    sections: tuple[str, ...] = parts.WRITTEN,
    samples: int = parts.BOUND_KS[-1],
    test_images: int | None = None,
) -> dict:
    """The configuration of a study whose models `write_model` wrote with the same options."""
    likelihood = LikelihoodSettings(samples=samples, test_images=test_images or images, train_images=images)
    asked, always = parts.asking_for(models), ("activity", "surgery", "pictures")
    measured = {
        name: settings.as_dict() | ({} if name in always else {"run": name in sections})
        for name, settings in parts.SETTINGS.items()
    }
    training = asked["training"] | {"protocol": protocol, "stages": stages}
    return asked | measured | {"study": name, "device": "cpu", "training": training, "likelihood": likelihood.as_dict()}


def write_study(results: Path, models: list[ModelSpec], **options) -> Path:
    """Write the folders of several models, their results.csv and the configuration that asks for them."""
    for spec in models:
        write_model(results, spec, **options)
    write_results(results, [spec.name for spec in models], configuration(results.name, models, **options))
    return results


def small_grid(
    layers=(1, 2), ks=(1, 5), seeds=(0, 1), objectives=("vae", "iwae"), datasets=("mnist",)
) -> list[ModelSpec]:
    """The models of a small grid."""
    return grid(datasets, layers, objectives, ks, seeds)


def variations() -> list[ModelSpec]:
    """One layer, k = 1, 5 and 50, two seeds, and every kind of variation of these models."""
    kinds = ("vae-k1-z2", "iwae-k5-z2", "iwae-k50-z2")
    kinds += tuple(f"{kind}-z{units}" for kind in ("vae-k1", "iwae-k50") for units in (25, 100))
    kinds += ("iwae-k50-from-vae-k1", "vae-k1-from-iwae-k50")
    kinds += tuple(
        f"{kind}-with-{one}" for kind in ("vae-k1", "iwae-k5") for one in ("paper-text", "adam_beta1", "shuffle")
    )
    models = [ModelSpec.parse(f"mnist/l1-{kind}/seed{seed}") for kind in kinds for seed in (0, 1)]
    return small_grid((1,), (1, 5, 50)) + models


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, k = 1 and 5, both objectives, two seeds, the paper's whole schedule; do not change it."""
    return write_study(tmp_path_factory.mktemp("results") / "whole", small_grid())


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one seed and two stages; do not change it."""
    return write_study(tmp_path_factory.mktemp("results") / "cut", small_grid(seeds=(0,)), stages=2)


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of `variations`, with the paper's whole schedule; do not change it."""
    return write_study(tmp_path_factory.mktemp("results") / "varied", variations())


@pytest.fixture(scope="session")
def look() -> SimpleNamespace:
    """What tests ask of a figure, from `drawings`."""
    return SimpleNamespace(**runpy.run_path(FOLDER / "drawings.py"))


@pytest.fixture(scope="session")
def synthetic() -> SimpleNamespace:
    """The functions above and `parts`, for tests that build studies of their own."""
    own = {"model": write_model, "study": write_study, "grid": small_grid, "variations": variations}
    return SimpleNamespace(**vars(parts), **own, configuration=configuration)


@pytest.fixture
def make(monkeypatch):
    """A function that makes a study with known effects, a `Made` of ``claims/made.py``."""
    return partial(runpy.run_path(FOLDER / "claims/made.py")["Made"], monkeypatch)
