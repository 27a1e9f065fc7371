"""A synthetic study: well-formed model folders whose numbers follow from a few constants."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from iwae import manifest
from iwae.files import write_rows
from iwae.protocol import PRESETS
from iwae.reporting.results import write_results
from iwae.settings import ActivitySettings, LikelihoodSettings, PicturesSettings, SurgerySettings, TrainingSettings
from iwae.specification import ModelSpec, grid

BOUND_KS = (1, 2, 5, 10, 50, 500, 5000)
SIZES = (100, 600)
PROVENANCE = {
    "wall_seconds": 3725.0,
    "device": "cpu: synthetic",
    "threads": 1,
    "source_sha256": "ab" * 32,
    "git_commit": None,
    "python": "3.11.0",
    "torch": "2.9.0",
}


def quality(spec: ModelSpec) -> float:
    """The nll that a synthetic model is given on the average image, in nats."""
    gain = np.log(spec.k) * (0.5 if spec.objective == "iwae" else 0.1)
    return 88.0 - 1.5 * spec.layers - gain + 0.1 * spec.seed


def write_model(
    results: Path, spec: ModelSpec, stages: int = 8, images: int = 40, protocol: str = "authors-code", **likelihood
) -> Path:
    """Write the folder of one model."""
    folder = results / spec.name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(spec.random_seed(0, "synthetic"))
    training = TrainingSettings(PRESETS[protocol], stages=stages)
    _training(folder, spec, training, rng)
    _likelihood(folder, spec, images, rng, **likelihood)
    _activity(folder, spec, rng)
    _surgery(folder, spec)
    _pictures(folder, spec, rng)
    return folder


def _training(folder, spec, settings, rng):
    rows, updates = [], 0
    for stage in range(settings.stages):
        for _ in range(3**stage):
            updates += 30
            bound = -quality(spec) - 60 / (len(rows) + 1) ** 0.7
            row = {
                "stage": stage,
                "pass": len(rows) + 1,
                "updates": updates,
                "learning_rate": 0.001 * 10 ** (-stage / 7),
            }
            row |= {"train_bound": bound + 0.5, "validation_bound": bound - 0.5, "images_per_second": 1000.0}
            rows.append(row)
    write_rows(folder / "training.csv", rows)
    tensors = {
        "px.logits.weight": rng.normal(size=(200, 784)).astype(np.float32) * rng.gamma(1.0, size=(200, 1)),
        "px.logits.bias": np.zeros(784, np.float32),
    }
    save_file({name: value.astype(np.float32) for name, value in tensors.items()}, folder / manifest.WEIGHTS)
    files = ["training.csv", manifest.WEIGHTS]
    manifest.record(folder, spec, "training", settings.as_dict(), files, PROVENANCE)


def _likelihood(folder, spec, images, rng, samples=BOUND_KS[-1], test_images=None):
    common = np.random.default_rng(1).normal(0, 24, images)  # images differ far more than models do
    values = {split: -(quality(spec) + common + rng.normal(0, 1, images)) for split in ("test", "train")}
    arrays = {}
    for split, value in values.items():
        arrays |= {split: value.astype(np.float32), f"{split}_images": np.arange(images, dtype=np.int32)}
        arrays[f"{split}_ess"] = rng.uniform(1, spec.k + 1, images).astype(np.float32)
    np.savez(folder / "likelihood.npz", **arrays)
    rows = []
    for split, value in values.items():
        value = value.astype(np.float32).astype(np.float64)
        for k in (k for k in BOUND_KS if k <= samples):
            bound = value.mean() - 3 * (1 / k - 1 / samples)
            row = {
                "split": split,
                "k": k,
                "bound": bound,
                "se_images": value.std(ddof=1) / images**0.5,
                "images": images,
            }
            rows.append(row)
    write_rows(folder / "likelihood.csv", rows)
    settings = LikelihoodSettings(samples=samples, test_images=test_images or images, train_images=images)
    files = ["likelihood.npz", "likelihood.csv"]
    manifest.record(folder, spec, "likelihood", settings.as_dict(), files, PROVENANCE)


def _activity(folder, spec, rng):
    rows = []
    for layer, size in enumerate((50,) if spec.layers == 1 else (100, 50), start=1):
        active = (15 + 3 * int(np.log(spec.k)) + spec.seed) if layer == 1 else 5
        for unit in range(size):
            value = 10 ** rng.normal(-0.4, 0.2) if unit < active else 10 ** rng.normal(-4, 0.3)
            inflated = value if layer == 1 or unit != active else 0.02
            rows.append({"layer": layer, "unit": unit, "activity": value, "activity_authors": inflated})
    write_rows(folder / "activity.csv", rows)
    manifest.record(folder, spec, "activity", ActivitySettings().as_dict(), ["activity.csv"], PROVENANCE)


def _surgery(folder, spec):
    rows = []
    for size in SIZES:
        gap = 0.01 * size / SIZES[-1]
        terms = {"reconstruction": -quality(spec) + 24, "mutual_information": np.log(size) - gap, "index_gap": gap}
        terms["marginal_kl"] = 25 - terms["mutual_information"]
        terms["elbo"] = terms["reconstruction"] - terms["mutual_information"] - terms["marginal_kl"]
        terms["residual"] = 0.0
        rows += [{"images": size, "term": term, "value": value, "se": 0.03} for term, value in terms.items()]
    write_rows(folder / "surgery.csv", rows)
    settings = SurgerySettings(samples=200, sizes=SIZES[:-1])
    manifest.record(folder, spec, "surgery", settings.as_dict(), ["surgery.csv"], PROVENANCE)


def _pictures(folder, spec, rng):
    y, x = np.mgrid[:28, :28]

    def blobs(count):
        centre, width = rng.uniform(9, 19, (count, 2, 1, 1)), rng.uniform(2, 6, (count, 1, 1))
        return 255 * np.exp(-(((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / width**2)).reshape(count, 784)

    samples, means = blobs(70), blobs(10)
    inputs = np.where(means > 128, 255, 0)
    arrays = {"samples": samples, "inputs": inputs, "reconstructions": means}
    np.savez(folder / "pictures.npz", **{name: value.astype(np.uint8) for name, value in arrays.items()})
    settings = PicturesSettings(samples=70, reconstructions=10)
    manifest.record(folder, spec, "pictures", settings.as_dict(), ["pictures.npz"], PROVENANCE)


def write_study(results: Path, models: list[ModelSpec], **options) -> Path:
    """Write the folders of several models and their results.csv."""
    for spec in models:
        write_model(results, spec, **options)
    write_results(results, [spec.name for spec in models])
    return results


def small_grid(layers=(1, 2), ks=(1, 5), seeds=(0, 1), objectives=("vae", "iwae")) -> list[ModelSpec]:
    """The models of a small grid."""
    return grid(["mnist"], layers, objectives, ks, seeds)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, k = 1 and 5, both objectives, two seeds, the paper's whole schedule; do not change it."""
    return write_study(tmp_path_factory.mktemp("results") / "whole", small_grid())


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one seed and two stages; do not change it."""
    return write_study(tmp_path_factory.mktemp("results") / "cut", small_grid(seeds=(0,)), stages=2)


@pytest.fixture(scope="session")
def synthetic() -> SimpleNamespace:
    """The functions above, for tests that build studies of their own."""
    return SimpleNamespace(model=write_model, study=write_study, quality=quality, provenance=PROVENANCE)
