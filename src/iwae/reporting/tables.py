"""The tables of a study, each written as CSV (complete, for machines) and as Markdown, HTML and LaTeX (for people)."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from iwae.errors import InputError
from iwae.files import write_text
from iwae.reporting.comparison import table1
from iwae.reporting.decomposition import surgery
from iwae.reporting.formats import Table, html_page, latex, markdown
from iwae.reporting.layout import surgery_tables, table1_tables
from iwae.reporting.results import write_frame
from iwae.reporting.study import Study

TABLES: dict[str, tuple[Callable[[Study], pd.DataFrame], Callable[[pd.DataFrame, Study], list[Table]]]] = {
    "table1": (table1, table1_tables),
    "surgery": (surgery, surgery_tables),
}


def write_table(name: str, results: Path) -> None:
    """Write ``results/NAME.{csv,md,html,tex}``.

    Args:
        name: One of `TABLES`.
        results: The study folder, which holds ``results.csv`` and the models.

    Raises:
        InputError: The name is unknown, or a file of the study is missing or not as its manifest describes it.
    """
    if name not in TABLES:
        raise InputError(f"table {name!r} is unknown: use one of {', '.join(TABLES)}.")
    results = Path(results)
    build, lay_out = TABLES[name]
    study = Study.open(results)
    frame = build(study)
    tables = lay_out(frame, study)
    write_frame(results / f"{name}.csv", frame)
    write_text(results / f"{name}.md", markdown(tables))
    write_text(results / f"{name}.html", html_page(f"{name} of study {results.name}", tables))
    write_text(results / f"{name}.tex", latex(tables))
