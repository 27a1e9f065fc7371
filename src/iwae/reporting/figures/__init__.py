"""The figures of a study: each as PDF and PNG, and as CSV with exactly the numbers that it plots.

A figure is two functions: ``data``, from a study to a frame, and ``draw``, from that frame to a matplotlib figure,
without reading or writing. `write_figure` takes the style from the repository's ``matplotlibrc``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from iwae.files import atomic_path
from iwae.reporting import contents
from iwae.reporting.figures import activity, bound, capacity, images, learning, nll, posterior, protocols, surgery
from iwae.reporting.figures.style import project_style
from iwae.reporting.results import write_frame
from iwae.reporting.study import StudyResults


class Recipe(NamedTuple):
    """How a figure is made; `contents.FIGURES` has its title."""

    data: Callable[[StudyResults], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]


FIGURES = {
    "nll": Recipe(nll.data, nll.draw),
    "activity": Recipe(activity.data, activity.draw),
    "learning": Recipe(learning.data, learning.draw),
    "bound": Recipe(bound.data, bound.draw),
    "surgery": Recipe(surgery.data, surgery.draw),
    "capacity": Recipe(capacity.data, capacity.draw),
    "protocols": Recipe(protocols.data, protocols.draw),
    "samples": Recipe(images.samples_data, images.draw_samples),
    "reconstructions": Recipe(images.reconstructions_data, images.draw_reconstructions),
    "posterior": Recipe(posterior.data, posterior.draw),
    "weights": Recipe(images.weights_data, images.draw_weights),
}
# No dates and no program versions: the same numbers give the same bytes.
_METADATA = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}


def figures_of(study: StudyResults) -> list[str]:
    """The names of the figures that a study has."""
    return list(contents.figures(study.specs, study.sections))


def write_figure(name: str, results: Path, figures: Path) -> None:
    """Write ``figures/NAME.{pdf,png,csv}``.

    Args:
        name: One of `FIGURES`.
        results: The study folder, which holds ``results.csv`` and the models.
        figures: The folder for the study's figures.

    Raises:
        InputError: The name is unknown, the study lacks what the figure shows, or a file of the study is missing or not
            as its manifest describes it.
    """
    contents.require_known("figure", name)
    study = StudyResults.open(results)
    contents.require("figure", name, study.specs, study.sections)
    recipe = FIGURES[name]
    frame = recipe.data(study)
    with project_style():
        figure = recipe.draw(frame)
        write_frame(Path(figures) / f"{name}.csv", frame)
        for suffix, metadata in _METADATA.items():
            with atomic_path(Path(figures) / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, metadata=metadata)
