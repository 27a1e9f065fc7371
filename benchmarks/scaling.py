"""How cost grows: an update with k and with the stack's size M, an evaluation with the samples of an image."""

from collections.abc import Iterator, Sequence

import torch
from evaluation import make_likelihood
from rows import Row, row
from timing import Contestant, Summary, Timings, compete, summarize
from training import make_engine
from workload import Effort, Place, exponent

LAYERS, K = 1, 5


def measure(place: Place, effort: Effort) -> Iterator[Row]:
    """The rows of the section."""
    torch.compiler.reset()
    runs = [make_engine(place, LAYERS, k, 1, effort.block_length(k)) for k in effort.growth_ks]
    yield from _growth("k", effort.growth_ks, runs, effort.rounds, {"layers": LAYERS, "models": 1})

    torch.compiler.reset()
    length = effort.block_length(K)
    runs = [make_engine(place, LAYERS, K, models, length) for models in effort.growth_models]
    yield from _growth("models", effort.growth_models, runs, effort.rounds, {"layers": LAYERS, "k": K})

    torch.compiler.reset()
    runs = [make_likelihood(place, LAYERS, effort.images, samples) for samples in effort.growth_samples]
    whole = [Contestant(run.name, run.run, 1) for run in runs]
    fixed = {"layers": LAYERS, "images": effort.images}
    yield from _growth("samples", effort.growth_samples, whole, effort.rounds, fixed)


def _growth(
    axis: str, sizes: Sequence[int], contestants: Sequence[Contestant], rounds: int, fixed: dict[str, int]
) -> Iterator[Row]:
    """Times for each size of `axis`, exponents of growth and how many times the largest costs the smallest."""
    sized = [Contestant(size, run.run, run.work) for size, run in zip(sizes, contestants, strict=True)]
    timings = compete(sized, rounds, warm_up=1 if axis == "samples" else 2)
    unit = "ms per evaluation" if axis == "samples" else "ms per update"
    for size in sizes:
        cost = Summary(*(1000 * seconds for seconds in timings.cost(size)))
        yield row("scaling", "time", axis, cost, unit, **fixed, **{axis: size})
    first, last = sizes[0], sizes[-1]
    largest = {axis: last}
    ratio = timings.speedup(first, last)
    yield row("scaling", "growth", axis, ratio, f"times the cost at {first}", **fixed, **largest)
    yield row("scaling", "exponent", axis, _exponents(timings, sizes), "of all sizes", **fixed, **largest)
    yield row("scaling", "last exponent", axis, _exponents(timings, sizes[-2:]), "of the last two", **fixed, **largest)


def _exponents(timings: Timings, sizes: Sequence[int]) -> Summary:
    rounds = zip(*(timings.seconds[size] for size in sizes), strict=True)
    return summarize([exponent(sizes, costs) for costs in rounds])
