"""The settings that determine a trained model, and how recorded settings differ from those asked for.

They are kept in a model's manifest. A result is current if, and only if, its settings there equal those asked for:
the workflow decides by them, never by time stamps, what is still to do. Those of the measurements are in
`iwae.study.measurements`. Standard library only.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from iwae.errors import InputError
from iwae.study.declaration import Settings, setting
from iwae.study.protocol import Protocol
from iwae.study.registry import DATASETS, split_prior
from iwae.study.specification import STANDARD, ModelSpec

ACTIVE = 0.01  # a latent unit is active if its activity A_u is above this (paper, section 5)
WARM_START_RATE = 0.1  # of a cosine's peak, from which a model is continued: the paper's last rate is that of its first
SCHEDULE_STAGES = 8  # stages i = 0..7 of 3^i passes each (paper, section 5)


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """What determines a trained model, beside its name and the data.

    `protocol` holds every choice between the paper's text and its authors' code; `train_images` is None for all images
    that the protocol leaves.
    """

    protocol: Protocol = field(default_factory=Protocol)
    stages: int = setting(
        SCHEDULE_STAGES,
        "Stages of the schedule to run; stage i = 0..7 has 3^i passes over the training images",
        source="paper, section 5",
        least=1,
        most=SCHEDULE_STAGES,
    )
    batch_size: int = setting(20, "Images of a minibatch", source="paper, section 5", least=1)
    train_images: int | None = setting(
        None, "Training images used, from the start of the file; all that the protocol leaves where not given", least=1
    )
    # numpy's legacy generator, which binarizes, takes no larger seed.
    study_seed: int = setting(
        0, "Seed of the study; it enters every model's random numbers", least=0, most=2**32 - 1, key="seed"
    )
    passes: int | None = setting(
        None, "Passes over the training images of a cosine schedule, which has no stages", least=1, later=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_images is not None and self.train_images < self.batch_size:
            raise InputError(f"train_images = {self.train_images} is impossible: one minibatch has {self.batch_size}.")
        if self.is_cosine and self.passes is None:
            raise InputError("passes is missing: a cosine schedule needs the number of passes over the images.")
        if not self.is_cosine and self.passes is not None:
            raise InputError(
                f"passes = {self.passes} is impossible: the schedule has stages, so write null: `stages` counts them."
            )
        if self.is_cosine and self.stages != SCHEDULE_STAGES:
            raise InputError(f"stages = {self.stages} is impossible: a cosine schedule has `passes` alone.")
        # Stages may be added later, so a warm-up is held against all of them.
        length = self.passes or stage_passes(SCHEDULE_STAGES)
        self._require_sense("the schedule", self.protocol.peak_rate, length, ("rate_warm_up", "kl_warm_up"))

    def _require_sense(self, whose: str, first_rate: float, length: int, warm_ups: tuple[str, ...]) -> None:
        """Refuse a cosine that rises to its end, and warm-ups that do not end in a schedule of `length` passes."""
        if self.is_cosine and self.protocol.end_rate > first_rate:
            raise InputError(
                f"end_rate = {self.protocol.end_rate:g} is impossible: the rate of {whose} falls to it from "
                f"{first_rate:g}."
            )
        for name in warm_ups:
            if getattr(self.protocol, name) >= length:
                raise InputError(
                    f"{name} = {getattr(self.protocol, name):g} is impossible: it must be less than the {length} "
                    f"{'pass' if length == 1 else 'passes'} of {whose}."
                )

    @property
    def is_cosine(self) -> bool:
        """Whether the learning rate falls along a cosine, over `passes`, instead of in stages."""
        return self.protocol.schedule == "cosine"

    @classmethod
    def of_dict(cls, content: dict[str, Any]) -> "TrainingSettings":
        """The settings that `as_dict` gave."""
        return cls(**content | {"protocol": Protocol(**content["protocol"])})

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON keeps them: of `stages` and `passes` the one that counts."""
        settings = super().as_dict()
        return {name: value for name, value in settings.items() if name != "stages" or not self.is_cosine}

    def state_file(self, spec: ModelSpec) -> str:
        """The file of a model's training state, below the folder of a study's states.

        A continued model begins where the schedule of another one ended, so it begins anew where that is extended.
        """
        length = f".passes{self.passes}" if self.is_cosine else f".stages{self.stages}"
        return f"{spec.name}{length if spec.origin else ''}.safetensors"

    def for_model(self, spec: ModelSpec) -> "TrainingSettings":
        """These settings of a study as one of its models has them.

        The images held out are those of its data set, the protocol and the passes its own where its name has them.
        Under another protocol whose schedule is a cosine it has as many passes as the study's stages.
        """
        protocol = self.protocol.with_variant(spec.variant).for_dataset(spec.dataset)
        if protocol.kl_warm_up and spec.estimator != STANDARD:
            raise InputError(f"{spec.kind} is impossible: kl_warm_up is for models whose gradient is the standard one.")
        images = self.train_images or DATASETS[spec.dataset].images - (protocol.held_out or 0)
        if split_prior(spec.prior)[1] > images:
            raise InputError(f"{spec.kind} is impossible: its prior has more components than the {images} images.")
        passes = spec.passes or self.passes
        if spec.variant and passes is None and protocol.schedule == "cosine":
            passes = stage_passes(self.stages)
        stages = SCHEDULE_STAGES if protocol.schedule == "cosine" else self.stages
        settings = replace(self, protocol=protocol, passes=passes, stages=stages)
        if spec.origin and passes is not None:
            rate = WARM_START_RATE * protocol.peak_rate
            settings._require_sense(spec.kind, rate, warm_start_passes(passes), ("rate_warm_up",))
        return settings


def stage_passes(stages: int) -> int:
    """Passes over the training images in the first `stages` stages."""
    return sum(3**stage for stage in range(stages))


def warm_start_passes(passes: int) -> int:
    """Passes of the cosine along which a model is continued after one of `passes`.

    Two thirds of them: that is the paper's last stage, by which its Table 2 continues models.
    """
    return max(1, round(2 / 3 * passes))


def passes(settings: TrainingSettings, spec: ModelSpec) -> int:
    """Passes over the training images of a model: 3^i in stage i (paper, section 5); of a continued one, since."""
    if settings.passes is not None:  # of a cosine
        return warm_start_passes(settings.passes) if spec.origin else settings.passes
    return stage_passes(settings.stages) - (stage_passes(settings.stages - 1) if spec.origin else 0)


def differences(found: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[str]:
    """``stages is 8, asked is 2`` for each setting that differs, nested groups with their names in front."""
    lines = []
    for key in dict.fromkeys([*found, *asked]):
        old, new = found.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key} is {old}, asked is {new}")
    return lines
