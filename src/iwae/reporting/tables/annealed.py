"""log p(x) by annealed importance sampling beside L_samples, and what it says of the models' order."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.statements import NO_VALUES, comparison_lines, listed
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.cells import by_objective, head, key_cells, paired_note, table, value_cells
from iwae.reporting.tables.formats import Table

_CERTIFIED = "simulated"


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model, in nats per image.

    ``annealed``: nll by annealing; ``slack``: how far log p(x) by annealing lies above L_samples of the same images;
    ``simulated``: upper minus lower bound of images that the model drew. ``difference`` and ``annealed_difference``:
    nll minus that of the VAE of the same layers and k, by L_samples of all test images and by annealing.
    """
    return pd.DataFrame(_row(study, kind) for kind in kinds)


def _row(study: StudyResults, kind: Kind) -> dict[str, Any]:
    found = weighted_sum(study, "annealed_nll", {kind: 1.0})
    vae = kind._replace(objective="vae")
    against = {kind: 1.0, vae: -1.0} if vae != kind else {}
    differences = {"difference": "nll", "annealed_difference": "annealed_nll"}
    return {
        **head(study, kind),
        "seeds": len(found.seeds),
        "images": max((variance.dof + 1 for variance in found.over_images.values()), default=pd.NA),
        **found.columns("annealed"),
        **weighted_sum(study, "slack", {kind: 1.0}).columns("slack"),
        **weighted_sum(study, "annealed_gap", {kind: 1.0}).columns(_CERTIFIED),
        **{
            column: value
            for name, quantity in differences.items()
            for column, value in _difference(study, quantity, against, name).items()
        },
    }


def _difference(study: StudyResults, quantity: str, weights: dict[Kind, float], name: str) -> dict[str, float]:
    if not weights:
        return dict.fromkeys((name, f"{name}_se_images", f"{name}_sd_seeds"), float("nan"))
    return weighted_sum(study, quantity, weights).columns(name)


def lay_out(rows: pd.DataFrame, study: StudyResults, models: Sequence[Model]) -> list[Table]:
    """The estimates, and IWAE minus VAE by both."""
    dataset, lead = rows.dataset.iloc[0], comparison_lines(models, NO_VALUES)
    rows = by_objective(rows, ["layers", "k", "objective"])
    cells = key_cells(rows) + value_cells(rows, "annealed", "nll by annealing")
    cells += value_cells(rows, "slack", "above L_samples") + value_cells(rows, _CERTIFIED, "simulated: upper - lower")
    title = f"{dataset}: log p(x) by annealed importance sampling"
    tables = [table(title, lead, rows, cells, [*_notes(rows, models), *_order(rows)])]
    pairs = rows[rows.difference.notna() & rows.annealed_difference.notna()]
    if not pairs.empty:
        cells = key_cells(pairs, ("layers", "k")) + value_cells(pairs, "difference", "by L_samples", 3, sign=True)
        cells += value_cells(pairs, "annealed_difference", "by annealing", 3, sign=True)
        title = f"{dataset}: IWAE minus VAE in nll, by L_samples of all test images and by annealing"
        tables.append(table(title, lead, pairs, cells, [paired_note(pairs, "annealed_difference")]))
    return tables


def _notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
    measured = [model for model in models if "annealed" in model.manifest]
    if not measured:
        return []
    names = ("chains", "temperatures", "leapfrogs", "simulated")
    settings = {name: listed(model.settings("annealed")[name] for model in measured) for name in names}
    slack = rows.slack.dropna()
    return [
        f"nll by annealing: minus the lower bound on log p(x) of {listed(rows.images.dropna())} test images, by "
        f"{settings['chains']} chains from q to the posterior over {settings['temperatures']} temperatures with "
        f"{settings['leapfrogs']} leapfrog steps of Hamiltonian Monte Carlo at each.",
        f"above L_samples: paired over the same images, {slack.min():.2f} to {slack.max():.2f} nats: the table of nll "
        "measures the encoder too, by as much.",
        f"simulated: of {settings['simulated']} images that the model drew, for which there is an upper bound as well; "
        "it certifies the annealing for these images alone.",
    ]


def _order(rows: pd.DataFrame) -> list[str]:
    """Whether the models stand in one order by both estimates, over the images that have both."""
    known = rows.dropna(subset=["annealed", "slack"])
    if len(known) < 2:
        return []
    names = known.apply(lambda row: f"l{row.layers} {row.objective} k = {row.k}", axis=1)
    orders = [names[(known.annealed + extra).sort_values().index].tolist() for extra in (0, known.slack)]
    if orders[0] == orders[1]:
        return ["The order of the models is the same by both estimates."]
    changed = sum(one != other for one, other in zip(*orders, strict=True))
    return [
        f"The order of the models differs in {changed} of {len(known)} places: by annealing {', '.join(orders[0])}."
    ]
