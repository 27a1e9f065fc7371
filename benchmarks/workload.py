"""What is timed: synthetic images, the library's models on them, and how much of everything."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from iwae import device as devices
from iwae.data.splits import Images
from iwae.models.architecture import Architecture
from iwae.models.initialization import initialize
from iwae.models.store import TrainedModel
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import state as training_states
from iwae.training.engine import Stack

BATCH = 20  # images of a minibatch (paper, section 5)
_RATE = 1e-3


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: Rounds of each comparison.
        layers: Numbers of stochastic layers.
        ks: Importance samples in training.
        models: Sizes M of the stacks.
        updates: Updates of one block, fewer where k is large; in training it is 149.
        samples: Importance samples of an evaluated image.
        images: Images that the library evaluates in one run; those of eager code are `eager_images`.
        eager_images: See there.
        surgery_images: Training images N of the surgery.
        surgery_draws: Its draws.
        growth_ks: k against which the time of an update is plotted.
        growth_models: M likewise.
        growth_samples: Importance samples of an image, against which the time of an evaluation is plotted.
    """

    rounds: int = 7
    layers: tuple[int, ...] = (1, 2)
    ks: tuple[int, ...] = (1, 5, 50)
    models: tuple[int, ...] = (1, 2)
    updates: int = 150
    samples: int = 5000
    images: int = 100
    eager_images: int = 20
    surgery_images: int = 59_600
    surgery_draws: int = 10_000
    growth_ks: tuple[int, ...] = (1, 2, 5, 10, 20, 50)
    growth_models: tuple[int, ...] = (1, 2, 4, 8)
    growth_samples: tuple[int, ...] = (2000, 5000, 10_000)

    def block_length(self, k: int) -> int:
        """Updates of a block: `updates` up to k = 10, from there on fewer, but a fifth at least."""
        return max(self.updates // 5, min(self.updates, 10 * self.updates // k), 1)


FULL = Effort()
QUICK = Effort(
    rounds=3,
    layers=(1,),
    ks=(5,),
    updates=20,
    images=40,
    eager_images=4,
    surgery_images=2000,
    surgery_draws=200,
    growth_ks=(1, 5),
    growth_models=(1, 2),
    growth_samples=(5000, 10_000),
)


def effort_for(device: torch.device, quick: bool) -> Effort:
    """The effort on a device; on CUDA L_5000 of 10,000 images is measured in full, and stacks of six models too."""
    if quick:
        return QUICK
    if device.type == "cuda":
        return replace(FULL, models=(1, 2, 6), images=10_000, eager_images=10_000)
    return FULL


@dataclass(frozen=True)
class Place:
    """Where it is measured.

    Attributes:
        device: The device.
        threads: CPU threads of one process.
        matmul_backend: How the library has chosen to multiply matrices on the CPU, see `iwae.device.fastest_matmul`.
    """

    device: torch.device
    threads: int
    matmul_backend: str = "default"

    def configure(self) -> None:
        """Set PyTorch up as the library does before it trains or evaluates."""
        devices.configure(self.device, self.threads)
        devices.use_matmul(self.matmul_backend)

    def as_shipped(self, run: Callable[[], object]) -> Callable[[], object]:
        """`run` with matrix products as PyTorch makes them by default, whatever the library has chosen."""

        def plain() -> None:
            devices.use_matmul("default")
            run()
            devices.use_matmul(self.matmul_backend)

        return plain


def synthetic_pixels(images: int) -> np.ndarray:
    """Grey images about as sparse as MNIST, ink in the middle: uint8 (images, 784), a fifth of them not zero."""
    random = np.random.default_rng(0)
    row, column = np.divmod(np.arange(784), 28)
    density = 0.6 * np.exp(-((row - 13.5) ** 2 + (column - 13.5) ** 2) / (2 * 6.5**2))
    ink = random.random((images, 784), dtype=np.float32) < density
    return (ink * random.integers(1, 256, (images, 784))).astype(np.uint8)


def synthetic_images(images: int) -> Images:
    """`synthetic_pixels` as training images without any held out."""
    pixels = synthetic_pixels(images)
    return Images(pixels, pixels[:0], pixels[:0], {})


def specs_of(layers: int, k: int, models: int) -> list[ModelSpec]:
    """The models of a stack: IWAE and VAE in turn, further seeds as needed."""
    return [ModelSpec("mnist", layers, ("iwae", "vae")[model % 2], k, model // 2) for model in range(models)]


class EngineRun:
    """Blocks of updates of one of the library's stacks, one after the other on the same minibatches."""

    def __init__(self, specs: Sequence[ModelSpec], updates: int, device: torch.device, compiled: bool) -> None:
        settings, images = TrainingSettings(batch_size=BATCH), synthetic_images(updates * BATCH)
        states = [training_states.fresh(spec, settings, images.train, device) for spec in specs]
        architecture = Architecture.paper(specs[0].layers, settings.protocol.scale)
        # A stream of its own, as in training, so that several stacks run at the same time.
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._updates, self._done = updates, 0
        options: dict[str, Any] = {"compile_step": partial(devices.compile_function, device=device)} if compiled else {}
        with self._on_stream():
            stack = Stack(specs, states, architecture, settings.protocol, device, **options)
            self._block = stack.block(torch.from_numpy(images.train).to(device), updates, BATCH)
            index = torch.arange(updates * BATCH, device=device).view(updates, 1, BATCH)
            self._index = index.expand(-1, len(specs), -1)

    def __call__(self) -> None:
        """Make one block of updates."""
        with self._on_stream():
            self._block.run(self._index, self._done + 1, np.full(self._updates, _RATE))
        self._done += self._updates

    def _on_stream(self) -> Any:
        return torch.cuda.stream(self._stream) if self._stream else nullcontext()


def trained_model(layers: int, device: torch.device) -> TrainedModel:
    """A model to evaluate. It is untrained: how long its evaluation takes does not depend on its weights."""
    settings = TrainingSettings()
    architecture = Architecture.paper(layers, settings.protocol.scale)
    parameters = initialize(architecture, settings.protocol, 0, synthetic_pixels(1000))
    placed = {name: value.to(device) for name, value in parameters.items()}
    return TrainedModel(architecture, placed, specs_of(layers, 1, 1)[0], settings)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The p of the best fit cost = c size^p, by least squares on logarithms; 1 is linear growth."""
    return float(np.polyfit([math.log(size) for size in sizes], [math.log(cost) for cost in costs], 1)[0])
