"""What an audit is asked to do beside reading files."""

from dataclasses import dataclass
from pathlib import Path

from iwae.errors import InputError


@dataclass(frozen=True)
class Recomputation:
    """How models are measured afresh.

    Attributes:
        images: Test images of each model, evenly spaced over those measured, and draws of its surgery.
        data: The data folder.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads.

    Raises:
        InputError: There are too few images to tell an error.
    """

    images: int
    data: Path
    device: str = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.images < 2:
            raise InputError(f"images = {self.images} is impossible: it must be 2 or more.")
