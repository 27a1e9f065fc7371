"""Tables 1 and 3: nll and active units beside the paper's, and each objective minus the VAE over the same images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.reference import paper, paper_row
from iwae.reporting.statements import (
    NO_VALUES,
    ORIENTATION,
    comparison_lines,
    departures,
    likelihood_line,
    tightness_lines,
)
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import (
    Cells,
    active_cells,
    active_note,
    active_units,
    by_objective,
    difference,
    extreme_note,
    grouped,
    head,
    key_cells,
    line,
    nll,
    number,
    paired_note,
    seeds_cells,
    seeds_note,
    table,
    units,
    value_cells,
)
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.study.registry import OBJECTIVES, objectives_of

_TITLES = {
    "mnist-fixed": "Table 3: mnist-fixed (the paper's fixed binarization of MNIST)",
    "mnist-static": "mnist-static (our own binarization of MNIST, which is not in the paper)",
}
_OWN = (
    "mnist-static was made once from MNIST by this project, with a seed of its own. The paper has no values for it: "
    "the data of its Table 3 are mnist-fixed, another binarization."
)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model, at k = 1 one for each objective that is the VAE there.

    ``comparable``: whether the paper has a value, and training and nll are done as there (`statements.departures`).
    ``difference``: ours minus the paper's, in nats, where comparable, and in units of either error. ``minus_vae``: nll
    minus the VAE's of the same layers and k, paired over images. ``activity_variant``: which variant of the active
    units stands beside the paper's.
    """
    shown = {kind.objective for kind in kinds} | set(paper().objective)
    frame = pd.DataFrame(
        _row(study, kind, objective)
        for kind in kinds
        for objective in objectives_of(kind.objective, kind.k)
        if objective in shown
    )
    frame = frame.astype({"paper_active_1": "Int64", "paper_active_2": "Int64"})
    return by_objective(frame, ["dataset", "layers", "k", "objective"])


def _row(study: StudyResults, kind: Kind, objective: str) -> dict[str, Any]:
    reference, ours = paper_row(kind.dataset, kind.layers, kind.k, objective), nll(study, kind)
    models = study.of_kinds([kind], "likelihood")
    comparable = reference is not None and bool(models) and not any(map(departures, models))
    paper_nll = np.nan if reference is None else reference.nll
    apart = ours["nll"] - paper_nll if comparable else np.nan
    return {
        **head(study, kind),
        "objective": objective,
        "comparable": comparable,
        **ours,
        "paper_nll": paper_nll,
        "difference": apart,
        "difference_per_se_images": apart / ours["se_images"],
        "difference_per_sd_seeds": apart / ours["sd_seeds"],
        **active_units(study, kind),
        **{f"paper_active_{layer}": pd.NA if reference is None else reference[f"active_{layer}"] for layer in (1, 2)},
        **_minus_vae(study, kind, paper_nll),
    }


def _minus_vae(study: StudyResults, kind: Kind, paper_nll: float) -> dict[str, float]:
    """They share images, binarization and, by the seed, initialisation."""
    vae = None if kind.objective == "vae" else kind._replace(objective="vae")
    theirs = paper_row(kind.dataset, kind.layers, kind.k, "vae") if vae in study.by_kind else None
    found = difference(study, kind, vae, "minus_vae")
    return found | {"paper_minus_vae": np.nan if theirs is None else paper_nll - theirs.nll}


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """A table of nll and active units, and one of the differences from the VAE."""
    dataset, known = rows.dataset.iloc[0], rows.paper_nll.notna().any()
    lead = comparison_lines(models, ORIENTATION if known else NO_VALUES)
    if dataset == "mnist-static":
        lead.insert(0, _OWN)
    keys, values = key_cells(rows.assign(seeds=0), ("layers", "k")), _nll_cells(rows)
    objectives = [name for name in OBJECTIVES if name in set(rows.objective)]
    columns = [column for column, _ in keys]
    for name in objectives:
        columns += [column for column, _ in grouped(values, OBJECTIVES[name].label)]
    body = []
    for _, group in rows.groupby(["layers", "k"]):
        found = {row.objective: row for _, row in group.iterrows()}
        body.append(line(group.iloc[0], keys))
        for name in objectives:
            body[-1] += line(found[name], values) if name in found else [EMPTY] * len(values)
    title = f"{_TITLES.get(dataset, f'Table 1: {dataset}')}, negative log-likelihood and active units"
    tables = [Table(title, lead, columns, body, _nll_notes(rows, study, models))]
    pairs = rows[rows.minus_vae.notna()]
    return tables if pairs.empty else [*tables, _paired_table(pairs, lead)]


def _nll_cells(rows: pd.DataFrame) -> Cells:
    known, cells = rows.paper_nll.notna().any(), seeds_cells(rows) + value_cells(rows, "nll", "nll")
    if known:
        cells.append((Column("paper's nll", paper=True), lambda row: number(row.paper_nll)))
    if rows.comparable.any():
        cells.append((Column("difference"), _difference))
    cells += active_cells(rows)
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


def _nll_notes(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[str]:
    if rows.nll.isna().all():
        return []
    measured = [model for model in models if "likelihood" in model.manifest]
    notes = [
        likelihood_line(measured),
        *tightness_lines(measured),
        f"se_images: standard error over test images.{seeds_note(rows)}",
    ]
    if rows.comparable.any():
        notes.append(
            "difference: ours minus the paper's, in nats, and in parentheses its size in units of se_images (se)"
            f"{' and of sd_seeds (sd)' if rows.sd_seeds.notna().any() else ''}. The paper's test images are the same "
            "ones, of which se_images, an error for other images, takes no account; the audit does."
        )
        notes += extreme_note(rows, "difference", "Largest difference from the paper", 2)
    elif rows.paper_nll.isna().all():
        notes.append("The paper has no value for any of these models.")
    notes += active_note(study, models)
    if (rows.k == 1).any():
        notes.append("At k = 1 the two objectives are one algorithm: one model stands in both columns.")
    return notes


def _paired_table(rows: pd.DataFrame, lead: Sequence[str]) -> Table:
    several = rows.objective.nunique() > 1
    label = "objective" if several else OBJECTIVES[rows.objective.iloc[0]].label
    keys = ("layers", "k", "objective") if several else ("layers", "k")
    cells = key_cells(rows, keys) + value_cells(rows, "minus_vae", f"{label} minus VAE", 3, sign=True)
    if rows.paper_minus_vae.notna().any():
        cells.append((Column("paper's", paper=True), lambda row: number(row.paper_minus_vae, sign=True)))
    notes = [
        f"Difference in nll, in nats per image; negative where the {label} is better.",
        paired_note(rows, "minus_vae"),
    ]
    return table(f"{rows.dataset.iloc[0]}: {label} minus VAE at the same layers and k", lead, rows, cells, notes)
