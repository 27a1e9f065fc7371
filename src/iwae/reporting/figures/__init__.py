"""The figures of a study: each as PDF and PNG, and with exactly the numbers that it plots as CSV.

A figure is a module with two functions: ``data``, from a study and the kinds of models that the figure is about to a
frame, and ``draw``, from that frame to a matplotlib figure, without reading or writing. Those of images have arrays by
the title of their panel in place of a frame, and no CSV: the arrays are in the models' files. `write_figure` takes the
style from the repository's ``matplotlibrc``.
"""

import logging
from pathlib import Path
from typing import Any

from iwae.files import atomic_path
from iwae.reporting import contents
from iwae.reporting.figures.style import project_style, remark
from iwae.reporting.results import write_frame
from iwae.reporting.statements import figure_lines
from iwae.reporting.study import StudyResults
from iwae.study import manifest

# No dates and no program versions: the same numbers give the same bytes.
_METADATA = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}
_log = logging.getLogger(__name__)


def figures_of(study: StudyResults) -> dict[str, contents.Item]:
    """The figures that a study has, by name: of those models of it that are measured."""
    stripped = [model.spec for model in study.models if manifest.is_stripped(model.manifest)]
    asked = contents.figures(study.specs, study.sections_of, stripped)
    return {name: item for name, item in asked.items() if study.of_kinds(study.kinds(item.shows), item.section)}


def plotted(name: str, study: StudyResults) -> Any:
    """What a figure's ``data`` gives, empty where no model of it is measured yet; errors as for `tables.build`."""
    item, module = contents.recipe("figure", name, study.specs, study.sections_of)
    kinds = study.kinds(item.shows)
    return module.data(study, kinds) if study.of_kinds(kinds, item.section) else {}


def write_figure(name: str, study: StudyResults, figures: Path) -> None:
    """Write the files of a figure, ``NAME.pdf`` and so on, to the folder `figures`; errors as for `plotted`."""
    found = plotted(name, study)
    if not len(found):
        _log.info("%s is not drawn: no model of it is measured yet.", figures / name)
        return
    item, module = contents.recipe("figure", name, study.specs, study.sections_of)
    with project_style():
        figure = module.draw(found)
        remark(figure, figure_lines(study))
        if item.numbers:
            write_frame(figures / f"{name}.csv", found)
        for suffix, metadata in _METADATA.items():
            with atomic_path(figures / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, metadata=metadata)
