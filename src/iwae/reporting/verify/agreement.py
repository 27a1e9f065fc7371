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

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from iwae.reporting.results import UNREADABLE, read_arrays
from iwae.study import manifest
from iwae.study.measurements import ACTIVITY_COLUMNS
from iwae.study.registry import DATASETS
from iwae.study.settings import ACTIVE, TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training.schedule import Schedule

ROUNDING = 1e-9  # of a learning rate, relative
SPEED = 0.05  # images per second are rounded to 0.1
SECONDS = 0.1  # to which wall time is rounded
ERRORS = 4  # standard errors
APART = 1e-3  # nats: what two roundings to float32 and a short sum may differ by
MEANS = 1e-4  # nats: values of images are kept in float32, their mean was taken before


def disagreements(folder: Path, spec: ModelSpec, content: dict[str, Any]) -> Iterator[str]:
    """A sentence for each claim of a model's manifest, its `content`, that another file of its folder contradicts."""
    settings = TrainingSettings.of_dict(content["training"]["settings"])
    left = DATASETS[spec.dataset].images - (settings.protocol.held_out or 0)
    model = _Folder(folder, spec, content, settings.train_images or left)
    yield from model.training(settings)
    for section in manifest.SECTIONS[1:]:
        if section in content and (check := getattr(model, section, None)):
            yield from check(content[section]["settings"])


def between_models(results: Path, models: Sequence[ModelSpec]) -> Iterator[str]:
    """Models with the very weights of another one, which no two trainings give, or from other data than the first."""
    weights: dict[str, ModelSpec] = {}
    data: dict[str, tuple[ModelSpec, Any]] = {}
    for spec in models:
        folder = results / spec.name
        try:
            content = manifest.read(folder)
            digest = content["training"]["files"][manifest.WEIGHTS]
            used = [content[name]["provenance"].get("data_sha256") for name in manifest.SECTIONS if name in content]
        except UNREADABLE:
            continue  # named by those who read it for its own sake
        if weights.setdefault(digest, spec) != spec:
            yield f"{folder / manifest.WEIGHTS} is that of {weights[digest].name}: they cannot be two models."
        reference, expected = data.setdefault(spec.dataset, (spec, used[0]))
        if any(hashes and hashes != expected for hashes in used):
            yield f"{folder / manifest.NAME}: its data files are not those of {reference.name}."


@dataclass(frozen=True)
class _Folder:
    """A model's folder with its manifest, and on how many images it was trained.

    The rest are comparisons: a section of the manifest has the method of its name, where there is anything to compare.
    """

    path: Path
    spec: ModelSpec
    content: dict[str, Any]
    images: int

    def table(self, section: str) -> pd.DataFrame:
        return pd.read_csv(self.path / f"{section}.csv")

    def arrays(self, section: str) -> dict[str, np.ndarray]:
        return read_arrays(self.path / f"{section}.npz")

    def unlike(self, file: str, what: str, shown: Any, claimed: Any, by: str = manifest.NAME) -> Iterator[str]:
        """Whether two things that say the same are equal."""
        if shown != claimed:
            yield f"{self.path / file}: {what} is {shown}, by {by} it should be {claimed}."

    def counted(self, file: str, what: str, indices: Collection[int], asked: int) -> Iterator[str]:
        """Whether as many images were chosen of a split as asked for, or all that there are."""
        every = len(indices) < asked and list(indices) == list(range(len(indices)))
        yield from self.unlike(file, f"the number of {what}", asked if every else len(indices), asked)

    def apart(self, file: str, what: str, difference: float, error: float, by: str) -> Iterator[str]:
        """Whether a difference, in nats, is explained by its error."""
        if not abs(difference) <= ERRORS * error + APART:
            yield (
                f"{self.path / file}: {what} differs by {difference:+.3f} nats from {by}; the error explains "
                f"{ERRORS * error:.3f}."
            )

    def as_in_the_curve(self, file: str, what: str, values: pd.Series, k: int) -> Iterator[str]:
        """Whether the mean of some test images is, within its error, the L_k of all those in ``likelihood.csv``.

        The spread is taken from all of them: estimated of a few, it is often far too small.
        """
        curve = self.table("likelihood")
        for row in curve[(curve.split == "test") & (curve.k == k)].itertuples():
            error, by = row.se_images * np.sqrt(1 + row.images / len(values)), f"L_{k} of test images in likelihood.csv"
            yield from self.apart(file, what, values.mean() - row.bound, error, by)

    def in_order(self, file: str, low: str, high: str, differences: pd.Series) -> Iterator[str]:
        """Whether one bound lies below another on average, but for the error of this mean."""
        if not differences.mean() >= -ERRORS * differences.sem() - APART:
            yield f"{self.path / file}: {low} lies above {high} by {-differences.mean():.3f} nats."

    def training(self, settings: TrainingSettings) -> Iterator[str]:
        """The learning curve, against the schedule that was asked for and the time that training took; the weights."""
        file, curve, provenance = "training.csv", self.table("training"), self.content["training"]["provenance"]
        schedule = Schedule.of(settings, self.images, warm_start=self.spec.origin is not None)
        passes, last = sum(schedule.passes), curve.iloc[-1]
        yield from self.unlike(file, "the last pass", int(last["pass"]), passes)
        yield from self.unlike(file, "the last update", int(last.updates), schedule.updates)
        made, what = provenance["updates"], "the number of updates made"
        yield from self.unlike(manifest.NAME, what, made, schedule.updates, "its settings")
        changes = [move["updates"] for move in provenance.get("moves", [])]
        if changes != sorted(change for change in set(changes) if 0 < change < schedule.updates):
            yield f"{self.path / manifest.NAME}: it changed its device at updates {changes} of {schedule.updates}."
        if len(curve) == passes:
            yield from self.rows(curve, schedule)
        measured = bool(curve.validation_bound.notna().any())
        if measured != (settings.protocol.held_out != 0):
            has = "has" if measured else "has no"
            yield f"{self.path / file} {has} bounds on held-out images, which {manifest.NAME} contradicts."
        seconds = schedule.steps_per_pass * settings.batch_size / curve.images_per_second
        error = float((seconds * SPEED / curve.images_per_second).sum()) + SECONDS
        claimed = provenance["wall_seconds"]
        if not abs(seconds.sum() - claimed) <= error:
            yield from self.unlike(file, "the time by images_per_second", f"{seconds.sum():.1f} s", f"{claimed:.1f} s")
        if self.spec.name not in provenance["stack"]:
            path = self.path / manifest.NAME
            yield f"{path}: {self.spec.name} is none of the models that it says were trained together."
        if not manifest.is_stripped(self.content):
            yield from self.weights()

    def rows(self, curve: pd.DataFrame, schedule: Schedule) -> Iterator[str]:
        """The first row of each column of a learning curve that is not the schedule's."""
        passes = list(range(1, len(curve) + 1))
        updates = [number * schedule.steps_per_pass for number in passes]
        asked: dict[str, Sequence[float]] = {
            "stage": [schedule.stage_of(update - 1) for update in updates],
            "pass": passes,
            "updates": updates,
            "learning_rate": [schedule.learning_rates(update - 1, 1)[0] for update in updates],
        }
        for column, right in asked.items():
            wrong = np.flatnonzero(~np.isclose(curve[column], right, rtol=ROUNDING, atol=0))
            for row in wrong[:1]:
                yield from self.unlike("training.csv", f"{column} in row {row + 1}", curve[column][row], right[row])

    def weights(self) -> Iterator[str]:
        weights, spec = load_file(self.path / manifest.WEIGHTS), self.spec
        for name in (name for name, values in weights.items() if not np.isfinite(values).all()):
            yield f"{self.path / manifest.WEIGHTS}: {name} is not finite."
        units = {layer: len(weights[f"q{layer}.mean.bias"]) for layer in range(1, spec.layers + 1)}
        if spec.latents:
            yield from self.unlike(manifest.WEIGHTS, "the number of latent units", units[1], spec.latents)
        if "activity" in self.content:
            found, what = self.table("activity").layer.value_counts(), "the number of units by layer"
            yield from self.unlike("activity.csv", what, dict(sorted(found.items())), units, manifest.WEIGHTS)

    def likelihood(self, settings: dict[str, Any]) -> Iterator[str]:
        arrays, curve = self.arrays("likelihood"), self.table("likelihood")
        last = curve[curve.k == curve.k.max()].set_index("split")
        for split in ("test", "train"):
            indices, rows = arrays[f"{split}_images"], curve[curve.split == split]
            yield from self.counted("likelihood.npz", f"{split} images", indices, settings[f"{split}_images"])
            file, by = "likelihood.csv", "likelihood.npz"
            yield from self.unlike(file, f"images of {split}", set(rows.images), {len(indices)}, by)
            yield from self.unlike(file, f"the largest k of {split}", rows.k.max(), settings["samples"])
            values = arrays[split].astype(np.float64)
            found = {"bound": values.mean(), "se_images": values.std(ddof=1) / np.sqrt(len(values))}
            for column, value in found.items():
                if not abs(last.loc[split, column] - value) < MEANS:
                    what = f"{column} of {split} at k = {curve.k.max()}"
                    yield from self.unlike(file, what, f"{last.loc[split, column]:.6f}", f"{value:.6f}", by)
        chosen, images = arrays["train_images"], self.images
        if not np.array_equal(chosen, np.arange(len(chosen)) * images // len(chosen)):
            yield (
                f"{self.path / 'likelihood.npz'}: the training images are not spread evenly over the {images} that "
                f"{manifest.NAME} tells of."
            )

    def rebinarized(self, settings: dict[str, Any]) -> Iterator[str]:
        file, table = "rebinarized.csv", self.table("rebinarized").set_index("binarization")
        curve = self.table("likelihood")
        asked = ["own", "authors", *(f"draw {draw}" for draw in range(1, settings["draws"] + 1))]
        yield from self.unlike(file, "the binarizations", list(table.index), asked)
        for row in curve[curve.k == settings["samples"]].itertuples():
            own, by = table.loc["own", {"test": "nll", "train": "nll_train"}[row.split]], "likelihood.csv"
            what = f"nll of {row.split} images by the study's own bits"
            yield from self.apart(file, what, own + row.bound, row.se_images, by)

    def chopped(self, settings: dict[str, Any]) -> Iterator[str]:
        chopped, likelihood = self.arrays("chopped"), self.arrays("likelihood")
        whole = pd.Series(chopped["whole"].astype(np.float64), chopped["images"])
        again = pd.Series(likelihood["test"].astype(np.float64), likelihood["test_images"])
        yield from self.counted("chopped.npz", "images", whole.index, settings["images"])
        difference, what = (whole - again).dropna(), "log p(x) of the whole model"  # of the images that both have
        if settings["samples"] == self.content["likelihood"]["settings"]["samples"] and len(difference) > 1:
            yield from self.apart("chopped.npz", what, difference.mean(), difference.sem(), "that in likelihood.npz")
        units, removed = self.table("activity"), self.table("chopped").removed.tolist()
        inactive = units[ACTIVITY_COLUMNS[self.content["training"]["settings"]["protocol"]["activity"]]] <= ACTIVE
        right, what = inactive.groupby(units.layer).sum().tolist(), "the number of removed units by layer"
        yield from self.unlike("chopped.csv", what, removed, right, "activity.csv")

    def surgery(self, settings: dict[str, Any]) -> Iterator[str]:
        table, curve, images = self.table("surgery"), self.table("likelihood"), self.images
        sizes = sorted({*(size for size in settings["sizes"] if size < images), images})
        yield from self.unlike("surgery.csv", "the numbers of images", sorted(set(table.images.tolist())), sizes)
        elbo = table[(table.images == table.images.max()) & (table.term == "elbo")].iloc[0]
        again = curve[(curve.split == "train") & (curve.k == 1)].iloc[0]
        error, by = float(np.hypot(elbo.se, again.se_images)), "L_1 of training images in likelihood.csv"
        yield from self.apart("surgery.csv", "the ELBO", elbo.value - again.bound, error, by)

    def pictures(self, settings: dict[str, Any]) -> Iterator[str]:
        arrays = self.arrays("pictures")
        for name in ("samples", "reconstructions"):
            yield from self.unlike("pictures.npz", f"the number of {name}", len(arrays[name]), settings[name])

    def annealed(self, settings: dict[str, Any]) -> Iterator[str]:
        file, table = "annealed.csv", self.table("annealed")
        test, simulated = (table[table.split == split] for split in ("test", "simulated"))
        yield from self.counted(file, "test images", test.image, settings["images"])
        yield from self.unlike(file, "the number of simulated images", len(simulated), settings["simulated"])
        yield from self.in_order(file, "the lower bound", "the upper bound", simulated.upper - simulated.lower)

    def inference(self, settings: dict[str, Any]) -> Iterator[str]:
        file, table = "inference.csv", self.table("inference")
        yield from self.counted(file, "images", table.image, settings["images"])
        yield from self.as_in_the_curve(file, "the ELBO of the encoder's q", table.encoder, 1)

    def implicit(self, settings: dict[str, Any]) -> Iterator[str]:
        file, table = "implicit.csv", self.table("implicit")
        yield from self.unlike(file, "the numbers k", sorted(set(table.k)), sorted(settings["ks"]))
        for k, rows in table.groupby("k"):
            yield from self.counted(file, f"images at k = {k}", rows.image, settings["images"])
            yield from self.as_in_the_curve(file, f"L_{k}", rows.importance, k)
            yield from self.in_order(file, f"the lower bound at k = {k}", "the upper one", rows.upper - rows.lower)
        found = self.arrays("implicit")["reconstructions"].shape[1]
        yield from self.unlike("implicit.npz", "the number of reconstructions", found, settings["reconstructions"])

    def gradients(self, settings: dict[str, Any]) -> Iterator[str]:
        found = sorted(set(self.table("gradients").k))
        yield from self.unlike("gradients.csv", "the numbers k", found, sorted(settings["ks"]))

    def replaced(self, settings: dict[str, Any]) -> Iterator[str]:
        table, arrays = self.table("replaced"), self.arrays("replaced")
        fitted = sorted(int(name.removeprefix("mog")) for name in set(table.prior) if name.startswith("mog"))
        asked = [k for k in sorted(settings["components"]) if k <= self.images]
        yield from self.unlike("replaced.csv", "the fitted mixtures", fitted, asked)
        for split in ("test", "train"):
            yield from self.counted("replaced.npz", f"{split} images", arrays[f"{split}_images"], settings["images"])
        for row in table.itertuples():
            for measure in ("elbo", "bound"):
                mean = arrays[f"{row.split}_{row.prior}_{measure}"].mean(dtype=float)
                what = f"{measure} of {row.prior} on {row.split} images"
                yield from self.apart("replaced.csv", what, getattr(row, measure) - mean, 0.0, "replaced.npz")
