"""Tables 1 and 3 for people."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.formats import EMPTY, Column, Table
from iwae.reporting.layout.cells import (
    NO_VALUES,
    ORIENTATION,
    Cells,
    active_cell,
    active_note,
    key_cells,
    number,
    paired_note,
    seeds_note,
    signed,
    table,
    units,
    value_cells,
)
from iwae.reporting.statements import comparison_lines, counted, likelihood_line, tightness_lines
from iwae.reporting.study import Model, StudyResults
from iwae.study.registry import OBJECTIVES

_TITLES = {
    "mnist-fixed": "Table 3: mnist-fixed (the paper's fixed binarization of MNIST)",
    "mnist-static": "mnist-static (our own binarization of MNIST, which is not in the paper)",
}
_OWN = (
    "mnist-static was made once from MNIST by this project, with a seed of its own. The paper has no values for it: "
    "the data of its Table 3 are mnist-fixed, another binarization"
)


def comparison_tables(frame: pd.DataFrame, study: StudyResults) -> list[Table]:
    """`comparison.comparison` laid out: a table of nll and active units, and one of IWAE minus VAE, a data set each."""
    tables = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        models = [model for model in study.grid.models if model.spec.dataset == dataset]
        lead = comparison_lines(models, ORIENTATION if rows.paper_nll.notna().any() else NO_VALUES)
        if dataset == "mnist-static":
            lead.insert(0, f"{_OWN}.")
        tables.append(_nll_table(rows, models, lead))
        if rows.minus_vae.notna().any():
            tables.append(_paired_table(rows, lead))
    return tables


def _nll_table(rows: pd.DataFrame, models: Sequence[Model], lead: Sequence[str]) -> Table:
    keys, values = key_cells(rows, ("layers", "k")), _nll_cells(rows)
    columns = [column for column, _ in keys]
    for objective in OBJECTIVES:
        columns += [Column(column.label, objective.upper(), column.paper) for column, _ in values]
    body = []
    for _, group in rows.groupby(["layers", "k", "stages"]):
        line = [cell(group.iloc[0]) for _, cell in keys]
        for objective in OBJECTIVES:
            found = group[group.objective == objective]
            line += [EMPTY if found.empty else cell(found.iloc[0]) for _, cell in values]
        body.append(line)
    dataset = rows.dataset.iloc[0]
    title = f"{_TITLES.get(dataset, f'Table 1: {dataset}')}, negative log-likelihood and active units"
    return Table(title, lead, columns, body, _nll_notes(rows, models))


def _nll_cells(rows: pd.DataFrame) -> Cells:
    known, cells = rows.paper_nll.notna().any(), value_cells(rows, "nll", "nll")
    if known:
        cells.append((Column("paper's nll", paper=True), lambda row: number(row.paper_nll)))
    if rows.comparable.any():
        cells.append((Column("difference"), _difference))
    cells.append((Column("active"), active_cell(rows)))
    if known:
        cells.append((Column("paper's active", paper=True), lambda row: units(row.paper_active_1, row.paper_active_2)))
    return cells


def _difference(row: pd.Series) -> str:
    if pd.isna(row.difference):
        return EMPTY
    ratios = [f"{abs(row.difference_per_se_images):.1f} se"]
    if pd.notna(row.difference_per_sd_seeds):
        ratios.append(f"{abs(row.difference_per_sd_seeds):.1f} sd")
    return f"{row.difference:+.2f} ({', '.join(ratios)})"


def _nll_notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
    notes = [
        likelihood_line(models),
        *tightness_lines(models),
        f"se_images: standard error over test images.{seeds_note(rows)}",
    ]
    if rows.comparable.any():
        notes.append(
            "difference: ours minus the paper's, in nats, and in parentheses its size in units of se_images (se)"
            f"{' and of sd_seeds (sd)' if rows.sd_seeds.notna().any() else ''}. The paper's test images are the same "
            "ones, of which se_images, an error for other images, takes no account; the audit does."
        )
        notes.append(_largest_difference(rows))
    elif rows.paper_nll.isna().all():
        notes.append("The paper has no value for any of these models.")
    notes.append(active_note(rows, models))
    if (rows.k == 1).any():
        notes.append("At k = 1 the two objectives are one algorithm: one model stands in both columns.")
    return notes


def _largest_difference(rows: pd.DataFrame) -> str:
    row = rows.loc[rows.difference.abs().idxmax()]
    name = f"{row.objective.upper()} k = {row.k}, {counted(row.layers, 'layer')}"
    return f"Largest difference from the paper: {row.difference:+.2f} nats ({name})."


def _paired_table(rows: pd.DataFrame, lead: Sequence[str]) -> Table:
    pairs = rows[rows.minus_vae.notna()]
    cells = key_cells(pairs, ("layers", "k")) + value_cells(pairs, "minus_vae", "IWAE minus VAE", 3, sign=True)
    if pairs.paper_minus_vae.notna().any():
        cells.append((Column("paper's", paper=True), lambda row: signed(row.paper_minus_vae)))
    notes = [
        "Difference in nll, in nats per image; negative where the IWAE is better.",
        paired_note(pairs, "minus_vae_sd_seeds"),
    ]
    return table(f"{rows.dataset.iloc[0]}: IWAE minus VAE at the same layers and k", lead, pairs, cells, notes)
