"""Where in the schedule an update stands: the paper's stages of 3^i passes (section 5), or one cosine.

A position in training is one number, the updates made so far; all else follows from it.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from iwae.study.protocol import Protocol
from iwae.study.settings import SCHEDULE_STAGES, WARM_START_RATE, TrainingSettings, warm_start_passes

_LONGEST_BLOCK = 150  # updates; random numbers are drawn, and training may stop, once a block


def stage_rate(protocol: Protocol, stage: int) -> float:
    """0.001 * 10^(-i/7) for stage i, rounded to two digits where the protocol says so."""
    rate = 1e-3 * 10 ** (-stage / (SCHEDULE_STAGES - 1))
    return round(rate, 5) if protocol.learning_rates == "rounded" else rate


@dataclass(frozen=True)
class Schedule:
    """The order of updates for a data set.

    Attributes:
        protocol: Says how the learning rate falls.
        steps_per_pass: Updates in one pass over the training images; a rest smaller than a minibatch is left out.
        passes: Passes of each stage; a cosine is one stage.
        first: Index of the first of them; not 0 where the training of another model is continued. Updates and passes
            count from its start.
        peak: The first rate of a cosine.
        kl_warm_up: Updates at the start in which the weight of the KL rises.
    """

    protocol: Protocol
    steps_per_pass: int
    passes: tuple[int, ...]
    first: int = 0
    peak: float = 0.0
    kl_warm_up: float = 0.0

    @classmethod
    def of(cls, settings: TrainingSettings, images: int, warm_start: bool = False) -> "Schedule":
        """The schedule of a model.

        Args:
            settings: The model's settings.
            images: Training images.
            warm_start: Whether the model goes on from another one. That is the last stage once more (Table 2): of the
                paper's eight, two thirds of all passes at a tenth of the first rate. Of a cosine, it is two thirds of
                its passes along another one, from a tenth of its peak.
        """
        protocol, steps = settings.protocol, images // settings.batch_size
        warm_up = 0.0 if warm_start else protocol.kl_warm_up * steps
        if settings.passes is not None:
            passes = warm_start_passes(settings.passes) if warm_start else settings.passes
            peak = protocol.peak_rate * (WARM_START_RATE if warm_start else 1)
            return cls(protocol, steps, (passes,), peak=peak, kl_warm_up=warm_up)
        first = settings.stages - 1 if warm_start else 0
        return cls(
            protocol, steps, tuple(3**stage for stage in range(first, settings.stages)), first, kl_warm_up=warm_up
        )

    @property
    def updates(self) -> int:
        """Updates of the whole schedule."""
        return sum(self.passes) * self.steps_per_pass

    def pass_of(self, updates: int) -> int:
        """Index of the pass, from 0 over all stages, that the next update belongs to."""
        return updates // self.steps_per_pass

    def stage_of(self, updates: int) -> int:
        """Index of the stage that the next update belongs to; after the last update, one more than the last's."""
        return self.first + sum(end <= self.pass_of(updates) for end in accumulate(self.passes))

    def stage_start(self, updates: int) -> int:
        """Updates made before the stage that the next update belongs to."""
        return sum(self.passes[: self.stage_of(updates) - self.first]) * self.steps_per_pass

    def ends_pass(self, updates: int) -> bool:
        """Whether a pass is complete after this many updates."""
        return updates > 0 and updates % self.steps_per_pass == 0

    def ends_stage(self, updates: int) -> bool:
        """Whether a stage is complete after this many updates."""
        return self.ends_pass(updates) and updates == self.stage_start(updates)

    def learning_rates(self, updates: int, count: int) -> np.ndarray:
        """The rates of the next `count` updates, all of one stage, (count,) float64."""
        if self.protocol.schedule == "stages":
            return np.full(count, stage_rate(self.protocol, self.stage_of(updates)))
        made, end = np.arange(updates, updates + count, dtype=np.float64), self.protocol.end_rate
        cosine = end + (self.peak - end) * (1 + np.cos(np.pi * made / self.updates)) / 2
        rising = (made + 1) / max(1.0, self.protocol.rate_warm_up * self.steps_per_pass)
        return cosine * np.minimum(1, rising)

    def kl_weights(self, updates: int, count: int) -> np.ndarray:
        """The weights of log p(h) - log q(h|x) in the next `count` updates, rising to 1, (count,) float64."""
        return np.minimum(1, np.arange(updates + 1, updates + count + 1) / max(1.0, self.kl_warm_up))

    def next_block(self, updates: int) -> int:
        """Updates until the next boundary of a block; a pass is cut into blocks of (nearly) equal length.

        Raises:
            ValueError: `updates` is not itself a boundary.
        """
        done = updates % self.steps_per_pass
        blocks = -(-self.steps_per_pass // _LONGEST_BLOCK)
        boundaries = [self.steps_per_pass * block // blocks for block in range(blocks + 1)]
        return boundaries[boundaries.index(done) + 1] - done
