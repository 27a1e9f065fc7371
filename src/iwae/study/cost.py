"""What training costs without a GPU, before it begins. Standard library only."""

from collections.abc import Iterable

from iwae.study.configuration import StudyConfig
from iwae.study.registry import DATASETS
from iwae.study.settings import passes
from iwae.study.specification import ModelSpec


def core_hours(study: StudyConfig, models: Iterable[ModelSpec]) -> float:
    """Hours of one CPU core that training these models takes, roughly: those of HVAE and PixelHVAE take more.

    An update costs a constant and a share for each sample of each image, fitted to benchmarks/results/cpu.md.
    """
    hours = 0.0
    for model in models:
        training = study.training.for_model(model)
        images = training.train_images or DATASETS[model.dataset].images
        updates = passes(training, model) * (images // training.batch_size)
        sampled = training.batch_size * model.k * (1.45 if model.layers == 2 else 1)
        hours += updates * (0.7e-3 + 1.65e-5 * sampled) / 3600
    return hours
