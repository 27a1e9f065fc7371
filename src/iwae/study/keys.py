"""The keys of a configuration, group by group; those of training and of the measurements are their settings.

Each is declared with its meaning, unit, source and possible values (`iwae.study.declaration`). Standard library only.
"""

from dataclasses import dataclass
from typing import Any

from iwae.study.declaration import Group, group, key
from iwae.study.experiments import EXPERIMENTS, Run
from iwae.study.measurements import MEASUREMENTS
from iwae.study.protocol import PRESETS
from iwae.study.registry import DATASETS, OBJECTIVES
from iwae.study.settings import TrainingSettings
from iwae.study.specification import LAYERS, MOST_SEEDS


@dataclass(frozen=True)
class StudyKeys:
    """The study as a whole."""

    study: str = key(
        "Name of the study, and of its folders results/<study> and figures/<study>",
        form=r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}",
        advice="it names a folder, so use up to 100 letters, digits, '-', '_' and '.', the first a letter or digit",
    )
    device: str = key("Where models are trained and measured", choices=("auto", "cpu", "cuda"))
    threads: int = key("CPU threads of one job that trains or measures", least=1)
    job_group: str = key("Which models one job trains", choices=("auto", "dataset", "stack", "model"))
    measure_by: str = key("What one job measures: a model, or one section of it", choices=("model", "section"))


@dataclass(frozen=True)
class GridKeys:
    """The models of the study: every combination of these lists."""

    datasets: tuple[str, ...] = key("Data sets", source="Table 1", choices=DATASETS)
    layers: tuple[int, ...] = key("Numbers of stochastic layers", source="paper, section 5", choices=LAYERS)
    objectives: tuple[str, ...] = key("Training objectives", choices=OBJECTIVES)
    k: tuple[int, ...] = key("Numbers of importance samples in training", source="paper, Table 1", least=1)
    seeds: tuple[int, ...] = key("Seeds; every seed is one more model of each kind", least=0, most=MOST_SEEDS - 1)


@dataclass(frozen=True)
class ProtocolKeys:
    """The protocol of training."""

    protocol: str = key("Preset of all choices between the paper's text and its authors' code", choices=PRESETS)
    overrides: dict[str, Any] = key("Fields of the protocol that differ from the preset")


@dataclass(frozen=True)
class OptionalMeasurement(Run):
    """Whether models are measured by a step, and which."""

    of: tuple[str, ...] | None = key(
        "Where the models that are measured are from, the grid or an experiment that is run; null for all",
        choices=("grid", *EXPERIMENTS),
    )
    seeds: tuple[int, ...] | None = key("Seeds of the models that are measured; null for all", least=0)


@dataclass(frozen=True)
class CheckpointKeys:
    """What has no influence on results."""

    checkpoint_minutes: float = key("Time between two saved states of training", unit="minutes", least=0)


@dataclass(frozen=True)
class DataKeys:
    """Where the data are."""

    path: str = key(
        "Folder of the verified data files, relative to the working directory",
        form=r"[^\s{}<>'\"]+",
        advice="give a folder's path without blanks, quotes or brackets",
    )
    folder: str | None = key(
        "Folder of your own copies to take the data from; null to download them",
        form=r"[^{}<>'\"]+",
        advice="give a folder's path without quotes or brackets, or null",
    )


def configuration_keys() -> Group:
    """Every key of a configuration."""
    measurements = {
        name: (group(OptionalMeasurement) if entry.optional else {}) | group(entry.settings)
        for name, entry in MEASUREMENTS.items()
    }
    return {
        **group(StudyKeys),
        "grid": group(GridKeys),
        "experiments": {name: group(record) for name, record in EXPERIMENTS.items()},
        "training": group(ProtocolKeys) | group(TrainingSettings) | group(CheckpointKeys),
        **measurements,
        "data": group(DataKeys),
    }
