"""Tables, figures and README of a study that is still running: of what is finished, the rest being named as missing."""

import logging
from pathlib import Path
from typing import Any

from iwae.files import locked
from iwae.reporting.collect import INTERIM_LOCK, write_results
from iwae.reporting.figures import figures_of, write_figure
from iwae.reporting.results import CONFIGURATION, read_configuration
from iwae.reporting.study import StudyResults
from iwae.reporting.summary import write_summary
from iwae.reporting.tables import tables_of, write_table
from iwae.study.configuration import study_of

_log = logging.getLogger(__name__)


def write_interim(results: Path, figures: Path, configuration: dict[str, Any] | None = None) -> None:
    """Make all that is made of a study from those of its models that are trained, as far as they are measured.

    Nothing is trained or measured, and a study that trains meanwhile is not disturbed; if it comes to its reports, they
    wait. The `configuration` that asks for its models is the one in the folder where none is given.

    Raises:
        InputError: The configuration is missing, no model is trained, or a file is not the one its manifest describes.
    """
    configuration = configuration or read_configuration(results / CONFIGURATION)
    with locked(results / INTERIM_LOCK):
        write_results(results, [spec.name for spec in study_of(configuration).models], configuration, interim=True)
        study = StudyResults.open(results)
        for name in tables_of(study):
            write_table(name, study)
        for name in figures_of(study):
            write_figure(name, study, figures)
        write_summary(study, figures)
    _log.info("Interim results: %s", results / "README.md")
