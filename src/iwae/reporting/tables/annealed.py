"""log p(x) by annealed importance sampling beside L_samples, and what it says of the models' order."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from iwae.reporting.statements import NO_VALUES, listed
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part, Sum
from iwae.reporting.tables.formats import Table


def _vae(kind: Kind) -> Kind:
    return kind._replace(objective="vae")


ANNEALED = Sum("annealed", "nll by annealing", "annealed_nll")
SLACK = Sum("slack", "above L_samples")
CERTIFIED = Sum("simulated", "simulated: upper - lower", "annealed_gap")
DIFFERENCES = (
    Sum("difference", "by L_samples", "nll", _vae, digits=3, sign=True),
    Sum("annealed_difference", "by annealing", "annealed_nll", _vae, digits=3, sign=True),
)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model, in nats per image.

    ``annealed``: nll by annealing; ``slack``: how far log p(x) by annealing lies above L_samples of the same images;
    ``simulated``: upper minus lower bound of images that the model drew. ``difference`` and ``annealed_difference``:
    nll minus that of the VAE of the same layers and k, by L_samples of all test images and by annealing.
    """
    return cells.frame(study, kinds, ANNEALED.counts, ANNEALED, SLACK, CERTIFIED, *DIFFERENCES)


def lay_out(part: Part) -> list[Table]:
    """The estimates, and IWAE minus VAE by both."""
    part = part.ordered()
    shown = [*cells.keys(part.rows), *(one.shown(part.rows) for one in (ANNEALED, SLACK, CERTIFIED))]
    tables = [part.table("{}: log p(x) by annealed importance sampling", shown, _notes, NO_VALUES)]
    pairs = part.rows[part.rows.difference.notna() & part.rows.annealed_difference.notna()]
    if not pairs.empty:
        shown = [*cells.keys(pairs, ("layers", "k")), *(one.shown(pairs) for one in DIFFERENCES)]
        title = "{}: IWAE minus VAE in nll, by L_samples of all test images and by annealing"
        tables.append(replace(part, rows=pairs).table(title, shown, _pair_notes, NO_VALUES))
    return tables


def _pair_notes(part: Part) -> list[str]:
    return [cells.paired_note(part.rows, "annealed_difference")]


def _notes(part: Part) -> list[str]:
    names = ("chains", "temperatures", "leapfrogs", "simulated")
    settings = {name: listed(model.settings("annealed")[name] for model in part.measured) for name in names}
    slack = part.rows.slack.dropna()
    return [
        f"nll by annealing: minus the lower bound on log p(x) of {listed(part.rows.images.dropna())} test images, by "
        f"{settings['chains']} chains from q to the posterior over {settings['temperatures']} temperatures with "
        f"{settings['leapfrogs']} leapfrog steps of Hamiltonian Monte Carlo at each.",
        f"above L_samples: paired over the same images, {slack.min():.2f} to {slack.max():.2f} nats: the table of nll "
        "measures the encoder too, by as much.",
        f"simulated: of {settings['simulated']} images that the model drew, for which there is an upper bound as well; "
        "it certifies the annealing for these images alone.",
        *_order(part.rows),
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
