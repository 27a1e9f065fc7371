"""Updates per second: the engine, compiled and not, alone and stacked, against eager code and the products alone."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from eager import Model, Training
from machine import products_of_update, runner
from processes import peak_memory, together
from rows import Row, row
from timing import Contestant, Timings, compete, summarize
from workload import (
    BATCH,
    Effort,
    EngineRun,
    Place,
    specs_of,
    synthetic_images,
    synthetic_pixels,
)

from iwae.study.settings import TrainingSettings
from iwae.training import state as training_states
from iwae.training.loop import StackTraining

ENGINE, UNCOMPILED, EAGER, EAGER_TUNED, PRODUCTS = (
    "engine",
    "engine, uncompiled",
    "eager",
    "eager, with the library's products",
    "matrix products alone",
)
_PASS = 150  # updates of a block of the stacks side by side
_WINDOW = 20.0  # seconds for which they are watched


def make_engine(place: Place, layers: int, k: int, models: int, updates: int, compiled: bool = True) -> Contestant:
    """Blocks of updates of a stack; a unit of work is one update of all its models."""
    run = EngineRun(specs_of(layers, k, models), updates, place.device, compiled)
    return Contestant((ENGINE if compiled else UNCOMPILED, models), run, updates)


def make_eager(place: Place, layers: int, k: int, updates: int) -> Contestant:
    """The eager loop, an IWAE."""
    pixels = torch.from_numpy(synthetic_pixels(updates * BATCH))
    training = Training(Model(layers).to(place.device), "iwae", k, pixels, BATCH)
    return Contestant((EAGER, 1), lambda: training.run(updates), updates)


def make_products(place: Place, layers: int, k: int, models: int, updates: int) -> Contestant:
    """The matrix products of as many updates."""
    products = products_of_update(layers, k, models, BATCH, place.device)
    return Contestant((PRODUCTS, models), runner(products, updates), updates)


def measure(place: Place, effort: Effort) -> Iterator[Row]:
    """The rows of the section."""
    for layers, k in itertools.product(effort.layers, effort.ks):
        yield from _case(place, effort, layers, k)
    if place.device.type == "cuda":
        yield from _side_by_side(place, effort)
    yield row("training", "memory", "imports alone", peak_memory(None, place), "MiB")
    for layers, k in itertools.product(effort.layers, effort.ks[-1:]):
        peak = peak_memory(make_engine, place, layers, k, 1, effort.block_length(k))
        yield row("training", "memory", ENGINE, peak, "MiB", layers=layers, k=k, models=1)


def _contestants(place: Place, effort: Effort, layers: int, k: int) -> list[Contestant]:
    updates = effort.block_length(k)
    loop = make_eager(place, layers, k, updates)
    found = [Contestant(loop.name, place.as_shipped(loop.run), loop.work)]
    if place.matmul_backend != "default":
        found.append(Contestant((EAGER_TUNED, 1), loop.run, loop.work))
    found.append(make_engine(place, layers, k, 1, updates, compiled=False))
    for models in effort.models:
        found.append(make_engine(place, layers, k, models, updates))
        found.append(make_products(place, layers, k, models, updates))
    return found


def _case(place: Place, effort: Effort, layers: int, k: int) -> Iterator[Row]:
    torch.compiler.reset()  # or one shape too many would silently run uncompiled
    contestants = _contestants(place, effort, layers, k)
    timings = compete(contestants, effort.rounds)
    for name in timings.seconds:
        yield from _rows(timings, name, layers, k)
    for models in effort.models:
        flop = sum(product.flop for product in products_of_update(layers, k, models, BATCH, torch.device("cpu")))
        rate = timings.rate((PRODUCTS, models), flop / 1e9)
        yield row("training", "speed", PRODUCTS, rate, "GFLOP/s", layers=layers, k=k, models=models)


def _rows(timings: Timings, name: tuple[str, int], layers: int, k: int) -> Iterator[Row]:
    contestant, models = name
    keys = {"layers": layers, "k": k, "models": models}
    yield row("training", "rate", contestant, timings.rate(name, models), "model updates/s", **keys)
    if contestant == PRODUCTS:
        return
    if contestant != EAGER:
        ratio = timings.speedup(name, (EAGER, 1), models)
        yield row("training", "ratio", contestant, ratio, "times eager", **keys)
    if contestant in (ENGINE, UNCOMPILED):
        share = timings.speedup(name, (PRODUCTS, models), 100)
        yield row("training", "share", contestant, share, "% of the products' rate", **keys)


def _side_by_side(place: Place, effort: Effort) -> Iterator[Row]:
    """All stacks of a study at once, each on its stream, each block followed by the stack's next one."""
    torch.compiler.reset()
    trainings, models = [], effort.models[-1]
    images, settings = synthetic_images(_PASS * BATCH), TrainingSettings(batch_size=BATCH)
    for layers, k in itertools.product(effort.layers, effort.ks):
        specs = specs_of(layers, k, models)
        states = {spec: training_states.fresh(spec, settings, images.train, place.device) for spec in specs}
        trainings.append(StackTraining(states, settings, images, place.device))
    _advance(trainings, 0.0)  # compiles and captures
    for training, blocks in zip(trainings, _advance(trainings, _WINDOW), strict=True):
        # A block counts for the time between its end and the end of the one before.
        rates = [models * _PASS / (end - begin) for begin, end in itertools.pairwise(blocks)]
        keys = {"layers": training.specs[0].layers, "k": training.specs[0].k, "models": models}
        value = summarize(rates)
        yield row("training", "rate", "engine, all stacks at once", value, "model updates/s", **keys)


def _advance(trainings: list[StackTraining], seconds: float) -> list[list[float]]:
    """Train for some time, three blocks at least; when each stack's blocks ended."""
    begin = time.perf_counter()
    ends: list[list[float]] = [[] for _ in trainings]
    for training in trainings:
        training.start_block()
    while time.perf_counter() - begin < seconds or min(map(len, ends)) < 3:
        for training, done in zip(trainings, ends, strict=True):
            if training.ready:
                training.finish_block()
                done.append(time.perf_counter())
                training.start_block()
    for training in trainings:
        training.finish_block()
    return ends


def measure_cores(place: Place, effort: Effort) -> Iterator[Row]:
    """The rows of the section ``cores``: two processes of one thread at once against one alone."""
    single = replace(place, threads=1)
    for k in effort.ks:
        arguments = (1, k, 1, effort.block_length(k))
        found = together(make_engine, single, arguments, 2, effort.rounds)
        keys = {"layers": 1, "k": k, "models": 1}
        for processes, value in zip((1, 2), found, strict=False):
            yield row("cores", "rate", ENGINE, value, "model updates/s", **keys, processes=processes)
        yield row("cores", "ratio", ENGINE, found[2], "times one process", **keys, processes=2)
