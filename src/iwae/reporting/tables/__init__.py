"""The tables of a study, each written as CSV (complete, for machines) and as Markdown, HTML and LaTeX (for people).

A table is a module with two functions: ``rows``, from a study and the kinds of models that the table is about to a
frame, and ``lay_out``, from one data set's `Part` of it to tables for people. What the columns hold is said by the
notes below each table, and of the CSV alone by ``rows``. In a CSV ``x_se_images`` is the standard error of ``x`` over
images and ``x_sd_seeds`` its standard deviation over seeds (of nll without a prefix).
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from iwae.files import write_text
from iwae.reporting import contents
from iwae.reporting.results import write_frame
from iwae.reporting.statements import interim_lines
from iwae.reporting.study import StudyResults
from iwae.reporting.tables.cells import Part
from iwae.reporting.tables.formats import Table, written


def tables_of(study: StudyResults) -> dict[str, contents.Item]:
    """The tables that a study has, by name."""
    return contents.tables(study.specs, study.sections_of)


def build(name: str, study: StudyResults) -> tuple[pd.DataFrame, list[Table]]:
    """A table of a study, as its CSV has it and as it is shown.

    Raises:
        InputError: The name is unknown, the study lacks what the table shows, or a file of the study is missing or not
            as its manifest describes it.
    """
    item, module = contents.recipe("table", name, study.specs, study.sections_of)
    frame, tables = module.rows(study, study.kinds(item.shows)), []
    for dataset, rows in frame.groupby("dataset", sort=False):
        models = [model for model in study.models if item.about(model.spec) and model.spec.dataset == dataset]
        measured = [model for model in models if item.section in model.manifest]
        tables += module.lay_out(Part(study, rows, models, measured))
    return frame, [replace(table, lead=[*interim_lines(study), *table.lead]) for table in tables]


def write_table(name: str, study: StudyResults, folder: Path | None = None) -> None:
    """Write ``NAME.{csv,md,html,tex}`` to a folder, if not to the study's own; errors as for `build`."""
    folder, (frame, tables) = folder or study.folder, build(name, study)
    write_frame(folder / f"{name}.csv", frame)
    for kind, text in written(tables, f"{name} of study {study.folder.name}").items():
        write_text(folder / f"{name}.{kind}", text)
