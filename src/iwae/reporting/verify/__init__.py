"""Whether every file of a study is what it claims to be, and every number of it can be traced.

* `seal` knows each file by its SHA-256; `integrity` compares files with manifests, configuration and data;
* `rebuild` makes tables and the like again; `iwae.reporting.audit` asks them all;
* `recompute` measures models afresh: it alone loads torch.
"""

from dataclasses import dataclass
from pathlib import Path

from iwae.errors import InputError


@dataclass(frozen=True)
class Inspection:
    """One part of the integrity checks: how much was compared with what, and a sentence for each problem."""

    title: str
    compared: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recomputation:
    """How models are measured afresh."""

    images: int  # test images of each model, evenly spaced over those measured, and draws of its surgery: two or more
    data: Path
    device: str = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.images < 2:
            raise InputError(f"images = {self.images} is impossible: it must be 2 or more.")
