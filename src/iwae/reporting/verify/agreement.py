"""Whether a model's manifest says what the other files of its folder show, wherever two of them say the same thing.

Whoever changes what a manifest claims, and all that our own commands make from it, is found out by what they do not
make again: the learning curve, the weights, the values of each image. What nothing here contradicts is

* what leaves no trace but the weights themselves: the fields of the protocol that say how Adam, the loss and the
  initialisation are, the order and the binarization of the training images. Only training anew shows them. With
  ``--recompute`` the last bound on the held-out images is computed anew, whose draws follow from the model's name and
  the study's seed: weights of another seed, k or objective do not give it;
* machine, versions, commit and date, and how long a measurement took;
* files that were all made up together.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from iwae.reporting.unreadable import UNREADABLE
from iwae.study import manifest
from iwae.study.protocol import Protocol
from iwae.study.registry import DATASETS
from iwae.study.settings import ACTIVE, TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training.schedule import Schedule

ROUNDING = 1e-9  # of a learning rate, relative
SPEED = 0.05  # images per second are rounded to 0.1
SECONDS = 0.1  # to which wall time is rounded
ERRORS = 4  # standard errors
APART = 1e-3  # nats: what two roundings to float32 and a short sum may differ by


def disagreements(folder: Path, spec: ModelSpec, content: dict[str, Any]) -> Iterator[str]:
    """A sentence for each claim of a model's manifest that another file contradicts.

    Args:
        folder: The model's folder.
        spec: The model.
        content: Its manifest.
    """
    recorded = content["training"]["settings"]
    settings = TrainingSettings(**recorded | {"protocol": Protocol(**recorded["protocol"])})
    left = DATASETS[spec.dataset].images - (settings.protocol.held_out or 0)
    images = settings.train_images or left
    schedule = Schedule.of(settings, images, continued=spec.origin is not None)
    yield from _curve(folder / "training.csv", content["training"]["provenance"], settings, schedule)
    stack = content["training"]["provenance"].get("stack", [spec.name])
    if spec.name not in stack:
        yield f"{folder / manifest.NAME}: {spec.name} is none of the models that it says were trained together."
    if not manifest.is_stripped(content):
        yield from _weights(folder, spec, content)
    for section, found in _SECTIONS.items():
        if section in content:
            yield from found(folder, content, images)


def one_file_of_several(results: Path, models: Sequence[ModelSpec]) -> Iterator[str]:
    """Models with the very weights of another one, which no two trainings give."""
    seen: dict[str, ModelSpec] = {}
    for spec in models:
        path = results / spec.name / manifest.WEIGHTS
        try:
            digest = manifest.read(path.parent)["training"]["files"][manifest.WEIGHTS]
        except UNREADABLE:
            continue  # named by those who read it for its own sake
        if seen.setdefault(digest, spec) != spec:
            yield f"{path} is that of {seen[digest].name}: they cannot be two models."


def _curve(path: Path, provenance: dict[str, Any], settings: TrainingSettings, schedule: Schedule) -> Iterator[str]:
    curve = pd.read_csv(path)
    last, claimed = curve.iloc[-1], provenance.get("updates", schedule.updates)
    yield from _unlike(path, "the last pass", int(last["pass"]), sum(schedule.passes))
    yield from _unlike(path, "the last update", int(last.updates), schedule.updates)
    yield from _unlike(
        path.with_name(manifest.NAME), "the number of updates made", claimed, schedule.updates, "its settings"
    )
    if len(curve) == sum(schedule.passes):
        yield from _rows(path, curve, schedule)
    measured = bool(curve.validation_bound.notna().any())
    if measured != (settings.protocol.held_out != 0):
        yield f"{path} has {'' if measured else 'no '}bounds on held-out images, which {manifest.NAME} contradicts."
    seconds = schedule.steps_per_pass * settings.batch_size / curve.images_per_second
    error = float((seconds * SPEED / curve.images_per_second).sum()) + SECONDS
    claimed = provenance.get("wall_seconds", seconds.sum())
    if not abs(seconds.sum() - claimed) <= error:
        yield from _unlike(path, "the time by images_per_second", f"{seconds.sum():.1f} s", f"{claimed:.1f} s")


def _rows(path: Path, curve: pd.DataFrame, schedule: Schedule) -> Iterator[str]:
    """The first row of each column of a learning curve that is not the schedule's."""
    passes = np.arange(1, len(curve) + 1)
    updates = passes * schedule.steps_per_pass
    asked = {
        "stage": [schedule.stage_of(update - 1) for update in updates],
        "pass": passes,
        "updates": updates,
        "learning_rate": [schedule.learning_rates(update - 1, 1)[0] for update in updates],
    }
    for column, right in asked.items():
        wrong = np.flatnonzero(~np.isclose(curve[column], right, rtol=ROUNDING, atol=0))
        for row in wrong[:1]:
            yield from _unlike(path, f"{column} in row {row + 1}", curve[column][row], right[row])


def _weights(folder: Path, spec: ModelSpec, content: dict[str, Any]) -> Iterator[str]:
    path = folder / manifest.WEIGHTS
    weights = load_file(path)
    for name in (name for name, values in weights.items() if not np.isfinite(values).all()):
        yield f"{path}: {name} is not finite."
    if spec.latents:
        yield from _unlike(path, "the number of latent units", len(weights["q1.mean.bias"]), spec.latents)
    if "activity" in content:
        counts = pd.read_csv(folder / "activity.csv").layer.value_counts()
        units = {layer: len(weights[f"q{layer}.mean.bias"]) for layer in range(1, spec.layers + 1)}
        found = dict(sorted(counts.items()))
        yield from _unlike(folder / "activity.csv", "the number of units by layer", found, units, manifest.WEIGHTS)


def _likelihood(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, settings = folder / "likelihood.npz", content["likelihood"]["settings"]
    curve = pd.read_csv(folder / "likelihood.csv")
    with np.load(path) as arrays:
        chosen = {split: arrays[f"{split}_images"] for split in ("test", "train")}
    for split, indices in chosen.items():
        rows, asked = curve[curve.split == split], settings[f"{split}_images"]
        yield from _counted(path, f"{split} images", indices, asked)
        yield from _unlike(folder / "likelihood.csv", f"images of {split}", set(rows.images), {len(indices)}, path.name)
        yield from _unlike(folder / "likelihood.csv", f"the largest k of {split}", rows.k.max(), settings["samples"])
    spaced = np.arange(len(chosen["train"])) * images // len(chosen["train"])
    if not np.array_equal(chosen["train"], spaced):
        yield f"{path}: the training images are not spread evenly over the {images} that {manifest.NAME} tells of."


def _chopped(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, settings = folder / "chopped.npz", content["chopped"]["settings"]
    with np.load(path) as arrays:
        whole = pd.Series(arrays["whole"].astype(np.float64), arrays["images"])
    with np.load(folder / "likelihood.npz") as arrays:
        again = pd.Series(arrays["test"].astype(np.float64), arrays["test_images"])
    yield from _counted(path, "images", whole.index, settings["images"])
    if settings["samples"] == content["likelihood"]["settings"]["samples"]:
        difference = (whole - again).dropna()
        error = difference.std(ddof=1) / len(difference) ** 0.5
        yield from _apart(path, "log p(x) of the whole model", difference.mean(), error, "that in likelihood.npz")
    units, removed = pd.read_csv(folder / "activity.csv"), pd.read_csv(folder / "chopped.csv").removed.tolist()
    one_sample = content["training"]["settings"]["protocol"]["activity"] == "one-sample"
    inactive = units["activity_authors" if one_sample else "activity"] <= ACTIVE
    right = inactive.groupby(units.layer).sum().tolist()
    yield from _unlike(folder / "chopped.csv", "the number of removed units by layer", removed, right, "activity.csv")


def _surgery(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, settings = folder / "surgery.csv", content["surgery"]["settings"]
    table, curve = pd.read_csv(path), pd.read_csv(folder / "likelihood.csv")
    sizes = sorted({*(size for size in settings["sizes"] if size < images), images})
    yield from _unlike(path, "the numbers of images", sorted(set(table.images.tolist())), sizes)
    elbo = table[(table.images == table.images.max()) & (table.term == "elbo")].iloc[0]
    again = curve[(curve.split == "train") & (curve.k == 1)].iloc[0]
    error = float(np.hypot(elbo.se, again.se_images))
    yield from _apart(path, "the ELBO", elbo.value - again.bound, error, "L_1 of training images in likelihood.csv")


def _pictures(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    settings = content["pictures"]["settings"]
    with np.load(folder / "pictures.npz") as arrays:
        for name in ("samples", "reconstructions"):
            yield from _unlike(folder / "pictures.npz", f"the number of {name}", len(arrays[name]), settings[name])


def _annealed(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, settings = folder / "annealed.csv", content["annealed"]["settings"]
    table = pd.read_csv(path)
    test, simulated = (table[table.split == split] for split in ("test", "simulated"))
    yield from _counted(path, "test images", test.image, settings["images"])
    yield from _unlike(path, "the number of simulated images", len(simulated), settings["simulated"])
    yield from _in_order(path, "the lower bound", "the upper bound", simulated.upper - simulated.lower)


def _inference(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, settings = folder / "inference.csv", content["inference"]["settings"]
    table = pd.read_csv(path)
    yield from _counted(path, "images", table.image, settings["images"])
    yield from _as_in_the_curve(folder, path, "the ELBO of the encoder's q", table.encoder, 1)


def _implicit(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, settings = folder / "implicit.csv", content["implicit"]["settings"]
    table = pd.read_csv(path)
    yield from _unlike(path, "the numbers k", sorted(set(table.k)), sorted(settings["ks"]))
    for k, rows in table.groupby("k"):
        yield from _counted(path, f"images at k = {k}", rows.image, settings["images"])
        yield from _as_in_the_curve(folder, path, f"L_{k}", rows.importance, k)
        yield from _in_order(path, f"the lower bound at k = {k}", "the upper one", rows.upper - rows.lower)
    with np.load(folder / "implicit.npz") as arrays:
        found, asked = arrays["reconstructions"].shape[1], settings["reconstructions"]
    yield from _unlike(folder / "implicit.npz", "the number of reconstructions", found, asked)


def _gradients(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, asked = folder / "gradients.csv", sorted(content["gradients"]["settings"]["ks"])
    yield from _unlike(path, "the numbers k", sorted(set(pd.read_csv(path).k)), asked)


def _replaced(folder: Path, content: dict[str, Any], images: int) -> Iterator[str]:
    path, settings = folder / "replaced.npz", content["replaced"]["settings"]
    table = pd.read_csv(folder / "replaced.csv")
    fitted = sorted(int(name.removeprefix("mog")) for name in set(table.prior) if name.startswith("mog"))
    yield from _unlike(folder / "replaced.csv", "the fitted mixtures", fitted, sorted(settings["components"]))
    with np.load(path) as arrays:
        for split in ("test", "train"):
            yield from _counted(path, f"{split} images", arrays[f"{split}_images"], settings["images"])
        for row in table.itertuples():
            for measure in ("elbo", "bound"):
                mean = arrays[f"{row.split}_{row.prior}_{measure}"].mean(dtype=float)
                what = f"{measure} of {row.prior} on {row.split} images"
                yield from _apart(folder / "replaced.csv", what, getattr(row, measure) - mean, 0.0, path.name)


_SECTIONS = {
    "likelihood": _likelihood,
    "chopped": _chopped,
    "surgery": _surgery,
    "pictures": _pictures,
    "annealed": _annealed,
    "inference": _inference,
    "implicit": _implicit,
    "gradients": _gradients,
    "replaced": _replaced,
}


def _counted(path: Path, what: str, indices: Sequence[int], asked: int) -> Iterator[str]:
    """Whether as many images were chosen of a split as asked for, or all that there are."""
    every = len(indices) < asked and list(indices) == list(range(len(indices)))
    yield from _unlike(path, f"the number of {what}", asked if every else len(indices), asked)


def _as_in_the_curve(folder: Path, path: Path, what: str, values: pd.Series, k: int) -> Iterator[str]:
    """Whether the mean of some test images is, within its error, the L_k of all those in ``likelihood.csv``."""
    curve = pd.read_csv(folder / "likelihood.csv")
    for row in curve[(curve.split == "test") & (curve.k == k)].itertuples():
        error = float(np.hypot(values.sem(), row.se_images))
        yield from _apart(path, what, values.mean() - row.bound, error, f"L_{k} of test images in likelihood.csv")


def _in_order(path: Path, low: str, high: str, differences: pd.Series) -> Iterator[str]:
    """Whether one bound lies below another on average, but for the error of this mean."""
    if not differences.mean() >= -ERRORS * differences.sem() - APART:
        yield f"{path}: {low} lies above {high} by {-differences.mean():.3f} nats."


def _unlike(path: Path, what: str, shown: Any, claimed: Any, by: str = manifest.NAME) -> Iterator[str]:
    if shown != claimed:
        yield f"{path}: {what} is {shown}, by {by} it should be {claimed}."


def _apart(path: Path, what: str, difference: float, error: float, by: str) -> Iterator[str]:
    if not abs(difference) <= ERRORS * error + APART:
        yield f"{path}: {what} differs by {difference:+.3f} nats from {by}; the error explains {ERRORS * error:.3f}."
