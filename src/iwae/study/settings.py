"""The settings that determine a result, one frozen record for each verb that makes one.

They are kept in a model's manifest. A result is current if, and only if, its settings there equal those asked for:
the workflow decides by them, never by time stamps, what is still to do. Standard library only.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from iwae.errors import InputError
from iwae.study.protocol import Protocol
from iwae.study.specification import ModelSpec

ACTIVE = 0.01  # a latent unit is active if its activity A_u is above this (paper, section 5)
SCHEDULE_STAGES = 8  # stages i = 0..7 of 3^i passes each (paper, section 5)


@dataclass(frozen=True)
class Settings:
    """Base of the records below: checks that numbers are possible and writes itself as a dictionary."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, least, most = getattr(self, entry.name), entry.metadata.get("least"), entry.metadata.get("most")
            if value is None:
                continue
            if least is not None and value < least:
                raise InputError(f"{entry.name} = {value} is impossible: it must be {least} or more.")
            if most is not None and value > most:
                raise InputError(f"{entry.name} = {value} is impossible: it must be {most} or less.")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON keeps them."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """What determines a trained model, beside its name and the data.

    Attributes:
        protocol: Every choice between the paper's text and its authors' code.
        stages: Stages 0..stages-1 of the schedule are run; 8 is the paper's whole schedule. A cosine has none.
        passes: Passes over the training images of a cosine schedule; None where the stages say how many there are.
        batch_size: Images of a minibatch (paper: 20).
        train_images: Training images used, from the start of the file; None for all that the protocol leaves.
        study_seed: Enters the seed of every model's random numbers.
    """

    protocol: Protocol = field(default_factory=Protocol)
    stages: int = field(default=SCHEDULE_STAGES, metadata={"least": 1})
    batch_size: int = field(default=20, metadata={"least": 1})
    train_images: int | None = None
    # numpy's legacy generator, which binarizes, takes no larger seed.
    study_seed: int = field(default=0, metadata={"least": 0, "most": 2**32 - 1})
    passes: int | None = field(default=None, metadata={"least": 1})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stages > SCHEDULE_STAGES:
            raise InputError(f"stages = {self.stages} is impossible: the schedule has {SCHEDULE_STAGES} stages.")
        if self.train_images is not None and self.train_images < self.batch_size:
            raise InputError(f"train_images = {self.train_images} is impossible: one minibatch has {self.batch_size}.")
        if self.is_cosine and self.passes is None:
            raise InputError(
                "passes is missing: a cosine schedule needs the number of passes over the training images."
            )
        if not self.is_cosine and self.passes is not None:
            raise InputError(f"passes = {self.passes} is impossible: the schedule has stages, which `stages` counts.")

        if self.is_cosine:  # which has no stages: two settings that differ there alone are one
            object.__setattr__(self, "stages", SCHEDULE_STAGES)

    @property
    def is_cosine(self) -> bool:
        """Whether the learning rate falls along a cosine, over `passes`, instead of in stages."""
        return self.protocol.schedule == "cosine"

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON keeps them: of `stages` and `passes` the one that counts."""
        left_out = "stages" if self.is_cosine else "passes"
        settings = {name: value for name, value in super().as_dict().items() if name != left_out}
        return settings | {"protocol": self.protocol.as_dict()}

    def state_file(self, spec: ModelSpec) -> str:
        """The file of a model's training state, below the folder of a study's states.

        A continued model begins where the schedule of another one ended, so it begins anew where that is extended.
        """
        length = f".passes{self.passes}" if self.is_cosine else f".stages{self.stages}"
        return f"{spec.name}{length if spec.origin else ''}.safetensors"

    def for_model(self, spec: ModelSpec) -> "TrainingSettings":
        """These settings of a study as one of its models has them.

        The images held out are those of its data set, the protocol and the passes its own where its name has them.
        """
        protocol = self.protocol.with_variant(spec.variant).for_dataset(spec.dataset)
        return replace(self, protocol=protocol, passes=spec.passes or self.passes)


@dataclass(frozen=True)
class LikelihoodSettings(Settings):
    """How log p(x) is estimated.

    Attributes:
        samples: Importance samples for each image (paper: 5000).
        test_images: Test images used, evenly spaced over the file; all 10,000 where there are no more.
        train_images: Training images used, evenly spaced likewise; all of them where there are no more.
        seed: Seed of the importance samples, with the model's name.
    """

    samples: int = field(default=5000, metadata={"least": 1})
    test_images: int = field(default=10_000, metadata={"least": 2})
    train_images: int = field(default=60_000, metadata={"least": 2})
    seed: int = field(default=0, metadata={"least": 0})


@dataclass(frozen=True)
class ActivitySettings(Settings):
    """How the activity A_u of the latent units is measured.

    Attributes:
        samples: Samples of h1 for each image over which the second layer's mean is averaged.
        authors_images: Training images, the first of the file, in the authors' variant (500).
        seed: Seed of the samples, with the model's name.
    """

    samples: int = field(default=100, metadata={"least": 2})
    authors_images: int = field(default=500, metadata={"least": 2})
    seed: int = field(default=0, metadata={"least": 0})


@dataclass(frozen=True)
class ChoppedSettings(Settings):
    """How the cost of removing the inactive units is measured.

    Attributes:
        images: Test images used, evenly spaced over the file.
        samples: Importance samples for each image (paper: 5000).
        seed: Seed of the importance samples, with the model's name; the same samples serve with and without the units.
    """

    images: int = field(default=1000, metadata={"least": 2})
    samples: int = field(default=5000, metadata={"least": 1})
    seed: int = field(default=0, metadata={"least": 0})


@dataclass(frozen=True)
class SurgerySettings(Settings):
    """How the terms of the ELBO surgery are estimated.

    Attributes:
        samples: Draws of (n, z), each from another training image, over which the expectations are averaged.
        sizes: Values of N below the whole training set for which the terms are computed as well.
        seed: Seed of the draws, with the model's name.
    """

    samples: int = field(default=10_000, metadata={"least": 2})
    sizes: tuple[int, ...] = (1000, 10_000)
    seed: int = field(default=0, metadata={"least": 0})

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.sizes, default=2) < 2:
            raise InputError(f"sizes = {list(self.sizes)} is impossible: each size must be 2 or more.")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON keeps them: a list for the tuple."""
        return {**super().as_dict(), "sizes": list(self.sizes)}


@dataclass(frozen=True)
class PicturesSettings(Settings):
    """Which pictures a model draws.

    Attributes:
        samples: Images drawn from the model (Bernoulli means).
        reconstructions: Test images, the first of the file, that are reconstructed.
        seed: Seed of the draws, with the model's name.
        posterior_images: Training images, the first of the file, whose posterior is drawn where h1 has two units.
        posterior_points: Points along each axis of the grid on which an image's posterior is computed.
    """

    samples: int = field(default=100, metadata={"least": 1})
    reconstructions: int = field(default=10, metadata={"least": 1})
    seed: int = field(default=0, metadata={"least": 0})
    posterior_images: int = field(default=6, metadata={"least": 1})
    posterior_points: int = field(default=200, metadata={"least": 2})


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


MEASUREMENTS: dict[str, type[Settings]] = {
    "likelihood": LikelihoodSettings,
    "activity": ActivitySettings,
    "chopped": ChoppedSettings,
    "surgery": SurgerySettings,
    "pictures": PicturesSettings,
}
