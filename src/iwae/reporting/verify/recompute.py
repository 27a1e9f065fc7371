"""Models measured afresh, and compared with what their folders say, within the error of the measurement.

* The first few of the images with the recorded seed: the same draws, so the same numbers but for rounding. Where the
  device is of another type the draws are others, and this is left out.
* N test images with another seed: each image within the spread of importance sampling, and the mean within four
  standard errors, estimated from the differences themselves.
* The bound on the held-out images after the last pass, with the recorded draws, which follow from the model's name and
  the study's seed: the last row of the learning curve but for rounding. It too is left out on a device of another type.
* The activity over all training images: exact in the first layer but for rounding; in the second, where the means are
  sampled, within the error that follows from their spread.
* The surgery with another seed and N draws: each term within four standard errors.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from iwae.data import splits
from iwae.data.binarization import binarize
from iwae.device import choose_device
from iwae.errors import InputError
from iwae.evaluation import activity, likelihood, surgery
from iwae.evaluation.subject import Subject
from iwae.models.model import log_weights
from iwae.progress import progress_bar
from iwae.reporting.results import UNREADABLE, read_arrays, reason
from iwae.reporting.verify import Inspection, Recomputation, integrity
from iwae.study import manifest
from iwae.study.measurements import ActivitySettings, LikelihoodSettings, SurgerySettings
from iwae.study.registry import OBJECTIVES, implementation
from iwae.study.specification import ModelSpec
from iwae.training.loop import validation_bounds

_TITLE = "Measured afresh"
_PARTS = ("training", "likelihood", "activity", "surgery")
ERRORS = 4  # standard errors: over a hundred comparisons one in a hundred studies would show one by chance
SAME_DRAWS = 1e-3  # nats: an image's log-likelihood from the same draws, rounded otherwise
SAME_IMAGES = 5
IMAGE_ERRORS = 10  # standard errors of one image, whose importance weights may have a heavy tail
MEDIAN = 0.6745  # of the size of a standard Gaussian
ROUNDING = 1e-4  # of an activity in float32, relative; and absolute for terms of the surgery, nats
LEAST_ACTIVITY = 1e-7  # below it an activity is rounding alone


def recompute(results: Path, options: Recomputation, missing: Collection[ModelSpec] = ()) -> Inspection:
    """Measure every model of a study afresh but those that are still to be run, `missing`.

    `InputError` where the data or the device are not there.
    """
    problems: list[str] = []
    try:
        every = [spec for spec in integrity.configured(results).models if spec not in missing]
    except InputError:
        return Inspection(_TITLE, "nothing, since the configuration cannot be read.", ())
    models = [spec for spec in every if not _is_stripped(results / spec.name)]
    for dataset in sorted({spec.dataset for spec in models}):
        splits.load(dataset, options.data, held_out=0)  # if they are not there, that is no fault of the study
    choose_device(options.device)
    with progress_bar(len(models) * len(_PARTS), "measured afresh", "part") as bar:
        for number, spec in enumerate(models, start=1):
            folder = results / spec.name
            try:
                run = Subject.open(folder, options.data, options.device, options.threads)
                for part, found in _Afresh(run, manifest.read(folder), options).parts():
                    bar.set_description(f"{spec.name}, {part}")
                    problems += found
                    bar.update()
            except UNREADABLE as error:
                problems.append(f"{folder} cannot be measured afresh: {reason(error)}")
            bar.update(number * len(_PARTS) - bar.n)  # what was left out of this model
    compared = (
        f"L_S of {options.images} test images, A_u over all training images and the surgery from {options.images} "
        f"draws, of the {len(models)} of {len(every)} models whose weights are there, measured afresh with other "
        f"draws, with what the folders hold, within {ERRORS} standard errors; {SAME_IMAGES} images, and the last bound "
        f"on held-out images, with the same draws, within {SAME_DRAWS:g} nats."
    )
    return Inspection(_TITLE, compared, tuple(problems))


def _is_stripped(folder: Path) -> bool:
    try:
        return manifest.is_stripped(manifest.read(folder))
    except UNREADABLE:
        return False  # told of when the model is to be measured


@dataclass(frozen=True)
class _Afresh:
    """One model, ready to be measured, and what its manifest says."""

    run: Subject
    content: dict[str, Any]
    options: Recomputation

    def parts(self) -> Iterator[tuple[str, Iterator[str]]]:
        """Each part of the manifest that is measured, with the problems that measuring it finds."""
        for part in _PARTS:
            if part in self.content:
                yield part, getattr(self, f"_{part}")()

    def _path(self, section: str, name: str) -> Path:
        return manifest.checked_file(self.run.folder, section, name)

    def _training(self) -> Iterator[str]:
        model, settings = self.run.model, self.run.model.settings
        held_out = splits.load(model.spec.dataset, self.options.data, settings.protocol.held_out).validation
        if not len(held_out) or not self._same_device("training"):
            return
        bound, latents = implementation(OBJECTIVES[model.spec.objective].bound), model.architecture.latents

        def bounds_on(x: Tensor, noise: Tensor) -> Tensor:
            return bound(log_weights(model.architecture, model.parameters, x, noise[0].split(latents, -1)))[None]

        x = torch.from_numpy(binarize(held_out, settings.study_seed)).float().to(self.run.device)
        (found,) = validation_bounds([model.spec], settings.study_seed, sum(latents), x, bounds_on)
        path = self._path("training", "training.csv")
        recorded = pd.read_csv(path).validation_bound.iloc[-1]
        if not abs(found - recorded) <= SAME_DRAWS:
            yield (
                f"{path}: the last bound on held-out images is {recorded:.4f} nats, by {manifest.WEIGHTS} and the same "
                f"draws it is {found:.4f}."
            )

    def _likelihood(self) -> Iterator[str]:
        path = self._path("likelihood", "likelihood.npz")
        settings = LikelihoodSettings(**self.content["likelihood"]["settings"])
        arrays = read_arrays(path)
        chosen = splits.evenly_spaced(self.options.images, len(arrays["test"]))
        stored = {name: arrays[name][chosen] for name in ("test", "test_images", "test_ess")}
        if self._same_device("likelihood"):
            images, values = stored["test_images"][:SAME_IMAGES], stored["test"][:SAME_IMAGES]
            again, _ = self._log_likelihood(images, settings)
            wrong = np.flatnonzero(~(np.abs(again - values) <= SAME_DRAWS))
            for place in wrong[:1]:
                found = f"{values[place]:.4f} nats, from the same draws {again[place]:.4f}"
                yield f"{path}: test image {images[place]} has {found}."
        fresh, ess = self._log_likelihood(stored["test_images"], replace(settings, seed=settings.seed + 1))
        yield from differing_images(path, stored, fresh, ess)

    def _log_likelihood(self, images: np.ndarray, settings: LikelihoodSettings) -> tuple[np.ndarray, np.ndarray]:
        images, run = images.astype(np.int64), self.run
        found = likelihood.evaluate(run.model, run.test[images], images, settings, "test", run.device)
        return found.log_likelihood, found.estimates.ess

    def _same_device(self, section: str) -> bool:
        recorded = str(self.content[section]["provenance"].get("device"))
        return recorded.split(":")[0] == self.run.device.type

    def _activity(self) -> Iterator[str]:
        path, run = self._path("activity", "activity.csv"), self.run
        settings = ActivitySettings(**self.content["activity"]["settings"])
        table = pd.read_csv(path)
        stream = (settings.seed + 1, "activity")
        means = activity.posterior_means(run.model, run.train, settings.samples, stream, run.device)
        for layer, found in enumerate(means, start=1):
            stored = table[table.layer == layer].activity.to_numpy()
            fresh = activity.unbiased_variance(found, settings.samples).numpy()
            yield from differing_units(path, layer, stored, fresh, activity_error(found, settings.samples))

    def _surgery(self) -> Iterator[str]:
        path, run = self._path("surgery", "surgery.csv"), self.run
        recorded = self.content["surgery"]["settings"]
        settings = SurgerySettings(samples=self.options.images, sizes=(), seed=recorded["seed"] + 1)
        fresh = pd.DataFrame(surgery.measure(run.model, run.train, settings, run.device))
        yield from differing_terms(path, pd.read_csv(path), fresh, recorded["samples"] / self.options.images)


def differing_images(path: Path, stored: dict[str, np.ndarray], fresh: np.ndarray, ess: np.ndarray) -> Iterator[str]:
    """Log-likelihoods of n images, nats, against those from other draws: each image, and their mean.

    `stored` are the arrays ``test``, ``test_images`` and ``test_ess`` of these images in the file; the fresh ones and
    their effective sample sizes are (n,) too.
    """
    difference = fresh - stored["test"]
    # The logarithm of a mean of S weights has a variance of about 1 / ess - 1 / S, and more where few weights count:
    # then all differences are larger, which their median tells and one image does not move.
    error = np.sqrt(1 / ess + 1 / stored["test_ess"])
    error *= max(1.0, float(np.median(np.abs(difference) / error)) / MEDIAN)
    wrong = np.flatnonzero(~(np.abs(difference) <= IMAGE_ERRORS * error + SAME_DRAWS))
    if len(wrong):
        first = wrong[0]
        yield (
            f"{path}: test image {stored['test_images'][first]} has {stored['test'][first]:.3f} nats, measured afresh "
            f"{fresh[first]:.3f}; importance sampling explains {IMAGE_ERRORS * error[first]:.3f}."
        )
    mean, se = difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))
    if not abs(mean) <= ERRORS * se + SAME_DRAWS:
        yield (
            f"{path}: the mean over {len(difference)} test images measured afresh differs by {mean:+.4f} nats, "
            f"{abs(mean) / se:.1f} standard errors."
        )


def activity_error(means: activity.PosteriorMeans, samples: int) -> np.ndarray:
    """The standard error of `activity.unbiased_variance`, (D,), from S samples of each image: that of its squares.

    The mean of image n has the variance u_n = v_n / S. If d_n is its true distance from the mean over images, the
    square of the measured one is d_n^2 + u_n on average, and has the variance 4 d_n^2 u_n + 2 u_n^2; u_n itself,
    estimated from S samples, adds 2 u_n^2 / (S - 1).
    """
    u = means.variance / samples
    distance = (means.mean - means.mean.mean(0)).square() - u
    from_distances = (4 * distance * u).sum(0).clamp(min=0)
    return torch.sqrt(from_distances + (2 * u.square() * (1 + 1 / (samples - 1))).sum(0)).numpy() / len(u)


def differing_units(path: Path, layer: int, stored: np.ndarray, fresh: np.ndarray, error: np.ndarray) -> Iterator[str]:
    """Activities of one layer's units, (D,), against fresh ones with their standard errors."""
    if len(stored) != len(fresh):
        yield f"{path} has {len(stored)} units of layer {layer}, the model has {len(fresh)}."
        return
    allowed = ERRORS * np.sqrt(2) * error + ROUNDING * np.abs(fresh) + LEAST_ACTIVITY
    wrong = np.flatnonzero(~(np.abs(stored - fresh) <= allowed))
    if len(wrong):
        unit = wrong[0]
        yield (
            f"{path}: unit {unit} of layer {layer} has the activity {stored[unit]:.6g}, measured afresh "
            f"{fresh[unit]:.6g}; the measurement's error explains {allowed[unit]:.2g}."
        )


def differing_terms(path: Path, stored: pd.DataFrame, fresh: pd.DataFrame, times: float) -> Iterator[str]:
    """Terms of the surgery over all training images against fresh ones, each with its standard error.

    A few draws estimate their own error badly where most of a term comes from a few images, as the index gap does. So
    theirs is taken to be at least that of the stored draws, of which there were `times` as many.
    """
    for row in fresh.itertuples():
        found = stored[(stored.images == row.images) & (stored.term == row.term)]
        if found.empty:
            yield f"{path} has no term {row.term!r} over {row.images} training images, which the model was trained on."
            continue
        value, se = found.value.iloc[0], found.se.iloc[0]
        allowed = ERRORS * np.hypot(max(row.se, se * times**0.5), se) + ROUNDING
        if not abs(value - row.value) <= allowed:
            yield (
                f"{path}: {row.term} is {value:.4f} nats, measured afresh {row.value:.4f}; "
                f"its error explains {allowed:.4f}."
            )
