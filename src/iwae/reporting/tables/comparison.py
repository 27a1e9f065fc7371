"""Tables 1 and 3: nll and active units beside the paper's, and each objective minus the VAE over the same images."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from iwae.reporting.quantities import measured
from iwae.reporting.reference import paper, paper_row
from iwae.reporting.statements import NO_VALUES, ORIENTATION, departures, likelihood_line, span, tightness_lines
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells, notes
from iwae.reporting.tables.cells import NLL, Part, minus_vae, papers
from iwae.reporting.tables.formats import EMPTY, Column, Table
from iwae.study.registry import OBJECTIVES, objectives_of

MINUS_VAE = minus_vae("minus_vae", "", "nll")
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
    minus the VAE's of the same layers and k, paired over images. ``activity_estimate``: which estimate of the active
    units stands beside the paper's.
    """
    asked = {kind.objective for kind in kinds if kind.k > 1} or set(paper().objective)
    shown = {kind.objective for kind in kinds} | asked
    frame = pd.DataFrame(
        _row(study, kind, objective)
        for kind in kinds
        for objective in objectives_of(kind.objective, kind.k)
        if objective in shown
    )
    frame = frame.astype({"paper_active_1": "Int64", "paper_active_2": "Int64"})
    return cells.by_objective(frame, ["dataset", "layers", "k", "objective"])


def _row(study: StudyResults, kind: Kind, objective: str) -> dict[str, Any]:
    reference, ours = paper_row(replace(kind, objective=objective)), NLL.sampled(study, kind)
    models, vae = study.of_kinds([kind], "likelihood"), replace(kind, objective="vae")
    comparable = pd.notna(reference.nll) and bool(models) and not any(map(departures, models))
    apart = ours["nll"] - reference.nll if comparable else np.nan
    theirs = paper_row(vae).nll if vae != kind and vae in study.by_kind else np.nan
    return {
        **cells.head(study, kind),
        "objective": objective,
        "comparable": comparable,
        **ours,
        "paper_nll": reference.nll,
        "difference": apart,
        "difference_per_se_images": apart / ours["se_images"],
        "difference_per_sd_seeds": apart / ours["sd_seeds"],
        **cells.active_units(study, kind),
        **{f"paper_active_{layer}": reference[f"active_{layer}"] for layer in (1, 2)},
        **MINUS_VAE(study, kind),  # they share images, binarization and, by the seed, initialisation
        "paper_minus_vae": reference.nll - theirs,
    }


def lay_out(part: Part) -> list[Table]:
    """A table of nll and active units, and one of the differences from the VAE."""
    rows, dataset = part.rows, part.rows.dataset.iloc[0]
    named = cells.keys(rows.assign(seeds=0), ("layers", "k"))
    values = {name: _values(part, rows[rows.objective == name]) for name in OBJECTIVES if name in set(rows.objective)}
    columns = [column for name, shown in values.items() for column in cells.grouped(shown, OBJECTIVES[name].label)]
    body = []
    for _, group in rows.groupby(["layers", "k"]):
        found = {row.objective: row for _, row in group.iterrows()}
        body.append([column.cell(group.iloc[0]) for column in named])
        for name, shown in values.items():
            body[-1] += [column.cell(found[name]) if name in found else EMPTY for column in shown]
    words = f"Table 1: {dataset}" if (paper().dataset == dataset).any() else f"{dataset} (not in the paper)"
    title = f"{_TITLES.get(dataset, words)}, negative log-likelihood and active units"
    consequence = ORIENTATION if part.known("paper_nll") else NO_VALUES
    first, pairs = part.table(title, [], _notes(part), consequence), rows[rows.minus_vae.notna()]
    lead = [*([_OWN] if dataset == "mnist-static" else []), *first.lead]
    first = replace(first, lead=lead, columns=[*named, *columns], rows=body)
    if pairs.empty:
        return [first]
    return [first, replace(_paired_table(replace(part, rows=pairs), consequence), lead=lead)]


def _values(part: Part, rows: pd.DataFrame) -> list[Column]:
    """The columns of one objective, whose rows these are."""
    known, shown = rows.paper_nll.notna().any(), [*cells.seeds(part.rows), NLL.shown(part.rows)]
    if known:
        shown.append(papers("nll", lambda row: cells.number(row.paper_nll)))
    if part.rows.comparable.any():
        shown.append(Column("difference", _difference))
    shown.append(cells.active(part.rows))
    if known:
        shown.append(papers("active", lambda row: cells.units(row.paper_active_1, row.paper_active_2)))
    return shown


def _difference(row: pd.Series) -> str:
    if pd.isna(row.difference):
        return EMPTY
    ratios = [f"{abs(row.difference_per_se_images):.1f} se"]
    if pd.notna(row.difference_per_sd_seeds):
        ratios.append(f"{abs(row.difference_per_sd_seeds):.1f} sd")
    return f"{row.difference:+.2f} ({', '.join(ratios)})"


def _notes(part: Part) -> list[str]:
    rows = part.rows
    said = [
        f"se_images: standard error over test images.{notes.seeds_note(rows)}",
        likelihood_line(part.measured),
        *tightness_lines(part.measured),
        *_slack_lines(part),
    ]
    if rows.comparable.any():
        said.append(
            "difference: ours minus the paper's, in nats, and in parentheses its size in units of se_images (se)"
            f"{' and of sd_seeds (sd)' if part.known('sd_seeds') else ''}. The paper's test images are the same "
            "ones, of which se_images, an error for other images, takes no account; the audit does."
        )
        said += notes.extreme_note(rows, "difference", "Largest difference from the paper", 2)
    elif not part.known("paper_nll"):
        said.append("The paper has no value for any of these models.")
    said += notes.active_note(part)
    if (rows.k == 1).any():
        said.append("At k = 1 the VAE and the IWAE are one algorithm, so one model stands in both columns.")
    return said


def _slack_lines(part: Part) -> list[str]:
    """How far log p(x) lies above L_samples, where it was measured by annealing."""
    found = [measured(part.study, "slack", model) for model in part.measured]
    values = [each.value for each in found if each is not None]
    if not values:
        return []
    return [
        f"By annealed importance sampling log p(x) of {len(values)} of the models lies {span(values)} nats "
        "above nll's bound (table annealed)."
    ]


def _paired_table(part: Part, consequence: str) -> Table:
    several = part.rows.objective.nunique() > 1
    label = "objective" if several else OBJECTIVES[part.rows.objective.iloc[0]].label
    shown = cells.keys(part.rows, ("layers", "k", "objective") if several else ("layers", "k"))
    shown.append(replace(MINUS_VAE, label=f"{label} minus VAE").shown(part.rows))
    if part.known("paper_minus_vae"):
        shown.append(papers("", lambda row: cells.number(row.paper_minus_vae, sign=True)))
    said = [
        f"Difference in nll, in nats per image; negative where the {label} is better.",
        notes.paired_note(part.rows, "minus_vae"),
    ]
    return part.table(f"{{}}: {label} minus VAE at the same layers and k", shown, said, consequence)
