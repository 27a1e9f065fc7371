"""The figures of a study: each as PDF and PNG, and as CSV with exactly the numbers that it plots.

A figure is two functions: ``data``, from a study to a frame, and ``draw``, from that frame to a matplotlib figure,
without reading or writing. `write_figure` takes the style from the repository's ``matplotlibrc``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from iwae.errors import InputError
from iwae.files import atomic_path
from iwae.reporting.figures import activity, bound, images, learning, nll, surgery
from iwae.reporting.figures.style import project_style
from iwae.reporting.results import write_frame
from iwae.reporting.study import Study


class Recipe(NamedTuple):
    """How a figure is made, and what it shows in one sentence."""

    data: Callable[[Study], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    title: str


FIGURES = {
    "nll": Recipe(nll.data, nll.draw, "nll against the number k of importance samples in training"),
    "activity": Recipe(activity.data, activity.draw, "Histogram of the activity A_u of the latent units"),
    "learning": Recipe(learning.data, learning.draw, "Training and validation bound during training"),
    "bound": Recipe(bound.data, bound.draw, "The bound on log p(x) against the number of samples in its evaluation"),
    "surgery": Recipe(surgery.data, surgery.draw, "The parts of the negative ELBO of each model"),
    "samples": Recipe(images.samples_data, images.draw_samples, "Images drawn from the models (Bernoulli means)"),
    "reconstructions": Recipe(
        images.reconstructions_data, images.draw_reconstructions, "Test images and their reconstructions"
    ),
    "weights": Recipe(
        images.weights_data, images.draw_weights, "Last-layer weights of the decoder's most used hidden units"
    ),
}
# No dates and no program versions: the same numbers give the same bytes.
_METADATA = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}


def write_figure(name: str, results: Path, figures: Path) -> None:
    """Write ``figures/NAME.{pdf,png,csv}``.

    Args:
        name: One of `FIGURES`.
        results: The study folder, which holds ``results.csv`` and the models.
        figures: The folder for the study's figures.

    Raises:
        InputError: The name is unknown, or a file of the study is missing or not as its manifest describes it.
    """
    if name not in FIGURES:
        raise InputError(f"figure {name!r} is unknown: use one of {', '.join(FIGURES)}.")
    recipe = FIGURES[name]
    frame = recipe.data(Study.open(results))
    with project_style():
        figure = recipe.draw(frame)
        write_frame(Path(figures) / f"{name}.csv", frame)
        for suffix, metadata in _METADATA.items():
            with atomic_path(Path(figures) / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, metadata=metadata)
