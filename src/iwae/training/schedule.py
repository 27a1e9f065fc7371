"""Where in the schedule an update stands: stages of 3^i passes at a falling learning rate (paper, section 5).

A position in training is one number, the updates made so far; all else follows from it.
"""

from dataclasses import dataclass

from iwae.study.protocol import Protocol
from iwae.study.settings import SCHEDULE_STAGES

_LONGEST_BLOCK = 150  # updates; random numbers are drawn, and training may stop, once a block


def passes_before(stage: int) -> int:
    """Passes over the training images in the stages before `stage`: 1 + 3 + ... + 3^(stage-1)."""
    return (3**stage - 1) // 2


def learning_rate(protocol: Protocol, stage: int) -> float:
    """0.001 * 10^(-i/7) for stage i, rounded to two digits where the protocol says so."""
    rate = 1e-3 * 10 ** (-stage / (SCHEDULE_STAGES - 1))
    return round(rate, 5) if protocol.learning_rates == "rounded" else rate


@dataclass(frozen=True)
class Schedule:
    """The order of updates for a data set and a number of stages.

    Attributes:
        steps_per_pass: Updates in one pass over the training images; a rest smaller than a minibatch is left out.
        stages: Stages 0..stages-1 are run.
        first: The first of them; not 0 where the training of another model is continued (paper, Table 2: the last stage
            once more). Updates and passes count from its start.
    """

    steps_per_pass: int
    stages: int
    first: int = 0

    @property
    def updates(self) -> int:
        """Updates of the whole schedule."""
        return self._passes_before(self.stages) * self.steps_per_pass

    def _passes_before(self, stage: int) -> int:
        return passes_before(stage) - passes_before(self.first)

    def pass_of(self, updates: int) -> int:
        """Index of the pass, from 0 over all stages, that the next update belongs to."""
        return updates // self.steps_per_pass

    def stage_of(self, updates: int) -> int:
        """Index of the stage that the next update belongs to."""
        stage = self.first
        while self._passes_before(stage + 1) <= self.pass_of(updates):
            stage += 1
        return stage

    def stage_start(self, updates: int) -> int:
        """Updates made before the stage that the next update belongs to."""
        return self._passes_before(self.stage_of(updates)) * self.steps_per_pass

    def ends_pass(self, updates: int) -> bool:
        """Whether a pass is complete after this many updates."""
        return updates > 0 and updates % self.steps_per_pass == 0

    def ends_stage(self, updates: int) -> bool:
        """Whether a stage is complete after this many updates."""
        return self.ends_pass(updates) and updates == self.stage_start(updates)

    def next_block(self, updates: int) -> int:
        """Updates until the next boundary of a block; a pass is cut into blocks of (nearly) equal length.

        Raises:
            ValueError: `updates` is not itself a boundary.
        """
        done = updates % self.steps_per_pass
        blocks = -(-self.steps_per_pass // _LONGEST_BLOCK)
        boundaries = [self.steps_per_pass * block // blocks for block in range(blocks + 1)]
        return boundaries[boundaries.index(done) + 1] - done
