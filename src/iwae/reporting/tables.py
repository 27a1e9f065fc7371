"""The tables of a study, each written as CSV (complete, for machines) and as Markdown, HTML and LaTeX (for people)."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from iwae.files import write_text
from iwae.reporting import contents
from iwae.reporting.comparison import table1, table3
from iwae.reporting.continuation import table2
from iwae.reporting.decomposition import surgery
from iwae.reporting.formats import Table, html_page, latex, markdown
from iwae.reporting.gaps import generalization, inactive
from iwae.reporting.layout.comparison import comparison_tables
from iwae.reporting.layout.continuation import table2_tables
from iwae.reporting.layout.decomposition import surgery_tables
from iwae.reporting.layout.gaps import generalization_tables, inactive_tables
from iwae.reporting.layout.variations import capacity_tables, protocols_tables
from iwae.reporting.results import write_frame
from iwae.reporting.study import StudyResults
from iwae.reporting.variations import capacity, protocols

TABLES: dict[
    str, tuple[Callable[[StudyResults], pd.DataFrame], Callable[[pd.DataFrame, StudyResults], list[Table]]]
] = {
    "table1": (table1, comparison_tables),
    "table2": (table2, table2_tables),
    "table3": (table3, comparison_tables),
    "generalization": (generalization, generalization_tables),
    "inactive": (inactive, inactive_tables),
    "capacity": (capacity, capacity_tables),
    "protocols": (protocols, protocols_tables),
    "surgery": (surgery, surgery_tables),
}


def tables_of(study: StudyResults) -> list[str]:
    """The names of the tables that a study has."""
    return list(contents.tables(study.specs, study.sections))


def write_table(name: str, results: Path) -> None:
    """Write ``results/NAME.{csv,md,html,tex}``.

    Args:
        name: One of `TABLES`.
        results: The study folder, which holds ``results.csv`` and the models.

    Raises:
        InputError: The name is unknown, the study lacks what the table shows, or a file of the study is missing or not
            as its manifest describes it.
    """
    results = Path(results)
    contents.require_known("table", name)
    study = StudyResults.open(results)
    contents.require("table", name, study.specs, study.sections)
    build, lay_out = TABLES[name]
    frame = build(study)
    tables = lay_out(frame, study)
    write_frame(results / f"{name}.csv", frame)
    write_text(results / f"{name}.md", markdown(tables))
    write_text(results / f"{name}.html", html_page(f"{name} of study {results.name}", tables))
    write_text(results / f"{name}.tex", latex(tables))
