"""Evaluation: L_5000 by the library against eager code, alone and on all cores, and the ELBO surgery."""

import os
from collections.abc import Iterator
from dataclasses import replace

import eager
import numpy as np
import torch
from processes import peak_memory, together
from rows import Row, row
from timing import Contestant, compete, seconds_of, summarize
from workload import Effort, Place, synthetic_pixels, trained_model

from iwae.data.binarization import binarize
from iwae.evaluation import likelihood, surgery
from iwae.study.measurements import LikelihoodSettings, SurgerySettings

LIBRARY, EAGER = "library", "eager"
TEST_IMAGES, SAMPLES = 10_000, 5000  # what the paper's test set takes


def binary_images(images: int) -> np.ndarray:
    """Binary synthetic images, uint8 (images, 784)."""
    return binarize(synthetic_pixels(images), 0)


def make_likelihood(place: Place, layers: int, images: int, samples: int) -> Contestant:
    """The library's L_S, curve and effective sample sizes included; a unit of work is one draw for one image."""
    model, x, settings = trained_model(layers, place.device), binary_images(images), LikelihoodSettings(samples)
    index = np.arange(images)
    return Contestant(
        (LIBRARY, samples),
        lambda: likelihood.evaluate(model, x, index, settings, "test", place.device),
        images * samples,
    )


def make_eager(place: Place, layers: int, images: int, samples: int) -> Contestant:
    """The same by eager code."""
    model = eager.Model(layers).to(place.device)
    x = torch.from_numpy(binary_images(images)).float().to(place.device)
    return Contestant(
        (EAGER, samples), place.as_shipped(lambda: eager.log_likelihood(model, x, samples)), images * samples
    )


def make_surgery(place: Place, layers: int, images: int, draws: int) -> Contestant:
    """The ELBO surgery of all images; a unit of work is the whole of it."""
    model, x = trained_model(layers, place.device), binary_images(images)
    settings = SurgerySettings(draws, ())
    return Contestant((LIBRARY, draws), lambda: surgery.measure(model, x, settings, place.device), 1)


def measure(place: Place, effort: Effort) -> Iterator[Row]:
    """The rows of the section."""
    for layers in effort.layers:
        yield from _case(place, effort, layers)
        yield from _all_cores(place, effort, layers)
        peak = peak_memory(make_likelihood, place, layers, effort.images, effort.samples)
        keys = {"layers": layers, "images": effort.images, "samples": effort.samples}
        yield row("evaluation", "memory", LIBRARY, peak, "MiB", **keys)


def _case(place: Place, effort: Effort, layers: int) -> Iterator[Row]:
    torch.compiler.reset()
    counts = {LIBRARY: effort.images, EAGER: effort.eager_images}
    contestants = [
        make_likelihood(place, layers, counts[LIBRARY], effort.samples),
        make_eager(place, layers, counts[EAGER], effort.samples),
    ]
    timings = compete(contestants, effort.rounds, warm_up=1)
    for contestant in contestants:
        name, samples = contestant.name
        keys = {"layers": layers, "samples": samples, "images": counts[name], "processes": 1}
        yield row("evaluation", "rate", name, timings.rate(contestant.name), "draws/s", **keys)
        whole = [TEST_IMAGES * SAMPLES * seconds for seconds in timings.seconds[contestant.name]]
        guess = (counts[name], samples) != (TEST_IMAGES, SAMPLES)
        yield row("evaluation", "time", name, summarize(whole), "s for 10,000 x 5000", extrapolated=guess, **keys)
    ratio = timings.speedup(*(contestant.name for contestant in contestants))
    yield row("evaluation", "ratio", LIBRARY, ratio, "times eager", layers=layers, samples=effort.samples, processes=1)


def _all_cores(place: Place, effort: Effort, layers: int) -> Iterator[Row]:
    """One process of one thread for each core, as the workflow evaluates several models at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if place.device.type != "cpu" or cores == 1:
        return
    arguments = (layers, effort.images, effort.samples)
    _, total, ratio = together(make_likelihood, replace(place, threads=1), arguments, cores, effort.rounds)
    keys = {"layers": layers, "samples": effort.samples, "images": effort.images, "processes": cores}
    yield row("evaluation", "rate", LIBRARY, total, "draws/s", **keys)
    yield row("evaluation", "ratio", LIBRARY, ratio, "times one process", **keys)
    draws = TEST_IMAGES * SAMPLES
    whole = summarize([draws / total.highest, draws / total.median, draws / total.lowest])
    yield row("evaluation", "time", LIBRARY, whole, "s for 10,000 x 5000", extrapolated=True, **keys)


def measure_surgery(place: Place, effort: Effort) -> Iterator[Row]:
    """The rows of the section ``surgery``: one run for each number of layers, as it takes long enough."""
    for layers in effort.layers:
        seconds = summarize([seconds_of(make_surgery(place, layers, effort.surgery_images, effort.surgery_draws))])
        keys = {"layers": layers, "samples": effort.surgery_draws, "images": effort.surgery_images}
        yield row("surgery", "time", LIBRARY, seconds, "s", **keys)
