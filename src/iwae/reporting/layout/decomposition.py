"""The ELBO surgery for people."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.formats import EMPTY, Column, Table
from iwae.reporting.layout.cells import cell, key_cells, number, table
from iwae.reporting.results import SURGERY_TERMS
from iwae.reporting.statements import schedule_lines
from iwae.reporting.study import StudyResults
from iwae.study.registry import OBJECTIVES


def surgery_tables(frame: pd.DataFrame, study: StudyResults) -> list[Table]:
    """`decomposition.surgery` laid out: all terms at the largest N, then how two of them move with N."""
    tables = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        models = [model for model in study.grid.models if model.spec.dataset == dataset]
        lead = schedule_lines(models, "these are not the paper's models")
        wide = _wide(rows)
        largest = wide[wide.images == wide.groupby(["layers", "objective", "k", "stages"]).images.transform("max")]
        tables.append(_terms_table(dataset, lead, largest))
        if wide.images.nunique() > 1:
            tables.append(_sizes_table(dataset, lead, wide))
    return tables


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    index = ["layers", "k", "objective", "stages", "seeds", "images", "log_images"]
    wide = rows.pivot(index=index, columns="term", values=["value", "se_draws", "sd_seeds"])
    wide.columns = [term if kind == "value" else f"{term}_{kind}" for kind, term in wide.columns]
    wide, order = wide.reset_index(), list(OBJECTIVES)
    keys = ["layers", "k", "objective", "stages", "images"]
    return wide.sort_values(keys, key=lambda column: column.map(order.index) if column.name == "objective" else column)


def _terms_table(dataset: str, lead: Sequence[str], rows: pd.DataFrame) -> Table:
    cells = [*key_cells(rows), (Column("log N"), lambda row: number(row.log_images, 3))]
    several = rows.seeds.max() > 1
    for term in SURGERY_TERMS:
        cells.append((Column("value", term), cell(term, 3)))
        cells.append((Column("se_draws", term), cell(f"{term}_se_draws", 3)))
        if several:
            cells.append((Column("sd_seeds", term), cell(f"{term}_sd_seeds", 3)))
    notes = [
        "elbo = reconstruction - mutual_information - marginal_kl, in nats per training image; "
        "index_gap = log N - mutual_information.",
        _log_n_note(rows),
        f"se_draws: standard error over Monte-Carlo draws.{' sd_seeds: over seeds.' if several else ''}",
    ]
    title = f"ELBO surgery: {dataset}, whole training set"
    return table(title, lead, rows, cells, notes)


def _log_n_note(rows: pd.DataFrame) -> str:
    low, high = rows.index_gap.min(), rows.index_gap.max()
    sizes = " or ".join(
        f"{size} (log N = {log:.4f})" for size, log in sorted(set(zip(rows.images, rows.log_images, strict=True)))
    )
    return (
        f"The mutual information of image index and code cannot exceed log N, N = {sizes}; it falls short of it by "
        f"{low:.3g} to {high:.3g} nats, so index_gap and how it moves with N say more than the value itself."
    )


def _sizes_table(dataset: str, lead: Sequence[str], wide: pd.DataFrame) -> Table:
    keys = key_cells(wide)
    sizes = sorted(set(zip(wide.images, wide.log_images, strict=True)))
    values = [
        (label, cell(f"{term}{suffix}", 3))
        for term in ("index_gap", "marginal_kl")
        for label, suffix in ((term, ""), ("se_draws", "_se_draws"))
    ]
    columns = [column for column, _ in keys]
    columns += [Column(label, f"N = {size} (log N = {log:.3f})") for size, log in sizes for label, _ in values]
    lines = []
    for _, rows in wide.groupby(["layers", "k", "objective", "stages"], sort=False):
        line, by_size = [key(rows.iloc[0]) for _, key in keys], rows.set_index("images")
        for size, _ in sizes:
            line += [value(by_size.loc[size]) if size in by_size.index else EMPTY for _, value in values]
        lines.append(line)
    title = f"ELBO surgery: {dataset}, how the terms move with the number N of training images in q(z)"
    return Table(title, lead, columns, lines)
