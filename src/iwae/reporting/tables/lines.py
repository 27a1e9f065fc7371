"""Tables with a line for each kind of model, its columns sums of quantities, in nats per image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.reference import paper_range
from iwae.reporting.statements import NO_VALUES, ORIENTATION, departures, likelihood_line, listed, span
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells, notes
from iwae.reporting.tables.cells import Columns, Part, Sum, minus_vae
from iwae.reporting.tables.formats import Column, Table
from iwae.study.settings import ACTIVE


@dataclass(frozen=True)
class Lines:
    """A table with a line for each kind of model."""

    title: str  # in which {} is the data set
    parts: Sequence[Columns]  # of its CSV
    shown: Sequence[Sum | Column]  # to people
    notes: Callable[[Part], list[str]]
    stated: str = ""  # the quantity of which the paper's text states a range for all models
    more: Callable[[Part], list[Table]] = lambda part: []  # further tables

    def rows(self, study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
        """One row for each kind of model.

        ``paper_low`` and ``paper_high``: the range that the paper's text states; ``comparable``: whether it does, and
        training and measurement are as there.
        """
        return cells.frame(study, kinds, *self.parts, *([self._paper] if self.stated else []))

    def _paper(self, study: StudyResults, kind: Kind) -> dict[str, Any]:
        section = QUANTITIES[self.stated].section
        paper, models = paper_range(self.stated, kind.dataset), study.of_kinds([kind], section)
        as_there = bool(models) and not any(departures(one, section) for one in models)
        return {"comparable": as_there and pd.notna(paper.high), "paper_low": paper.low, "paper_high": paper.high}

    def lay_out(self, part: Part) -> list[Table]:
        """The line of each kind, in the order of layers, k and objectives."""
        part = part.ordered()
        shown = [one.shown(part.rows) if isinstance(one, Sum) else one for one in self.shown]
        is_stated = bool(self.stated) and part.known("paper_high")
        if is_stated:
            shown.append(cells.papers("", _range))
        consequence = ORIENTATION if is_stated else NO_VALUES
        sections = [QUANTITIES[self.stated].section if self.stated else "likelihood"]
        shown = [*cells.keys(part.rows), *cells.several(part.rows, "variation"), *shown]
        return [part.table(self.title, shown, self.notes(part), consequence, sections=sections), *self.more(part)]


def _range(row: pd.Series) -> str:
    if pd.isna(row.paper_low):
        return f"below {row.paper_high:.2f}"
    if row.paper_low == row.paper_high:
        return f"about {row.paper_high:g}"
    return f"{row.paper_low:.2f} to {row.paper_high:.2f}"


TEST, TRAIN = Sum("nll", "test nll"), Sum("nll_train", "training nll")
GAP = Sum("gap", "difference", "generalization_gap", sign=True)


def _generalization_notes(part: Part) -> list[str]:
    said = [
        likelihood_line(part.measured),
        f"The training images are {listed(part.rows.train_images.dropna())} of those that the models were trained on.",
        "se_images: standard error over images; the two sets are independent, so the squares of their errors add up."
        f"{notes.seeds_note(part.rows, 'gap')}",
        "All models are measured on the same images: they share one error over images, which moves all rows together.",
    ]
    if part.known("paper_low"):
        said.append("paper's: what the text, or the authors' README, says of the differences of all models.")
    return said


generalization = Lines(
    "{}: nll of test images minus nll of training images",
    (TEST.sampled, lambda study, kind: {"train_images": TRAIN.of(study, kind).images}, TRAIN, GAP),
    (TEST, TRAIN, GAP),
    _generalization_notes,
    stated="generalization_gap",
)

_BITS = {f"{others}{split}": f"{others}_bits{split}" for others in ("authors", "draw") for split in ("", "_train")}
_BITS |= {"sd_draws": "sd_draws", "gap": "generalization_gap", "authors_gap": "authors_gap"}


def _other_bits(study: StudyResults, kind: Kind) -> dict[str, float]:
    """What other binarizations change, and the difference between test and training images with the authors'."""
    models = study.of_kinds([kind], "rebinarized")
    known = cells.means(_BITS, study, kind) if models else dict.fromkeys(_BITS, float("nan"))
    return {"seeds": len(models)} | known


def _value(group: str, label: str, name: str, sign: bool = True) -> Column:
    return Column(label, lambda row: cells.number(row[name], 2, sign) if row.seeds else cells.NOT_RUN, group=group)


def _bits_notes(part: Part) -> list[str]:
    settings = {
        name: listed(model.settings("rebinarized")[name] for model in part.measured)
        for name in ("samples", "test_images", "train_images", "draws")
    }
    return [
        f"test, training: -L_{settings['samples']} by other bits minus that by our own, from the same samples, in nats,"
        f" over {settings['test_images']} test and {settings['train_images']} training images, or all that there are.",
        "authors': the bits on which the authors' code measures, by Theano's generator and their seed. others: the "
        f"mean over {settings['draws']} more draws; sd_draws: the standard deviation of nll over these and our own.",
        "difference: nll of test images minus that of training images, as in the table of generalization; for the "
        "authors' bits with the changes added.",
    ]


rebinarized = Lines(
    "{}: what other binarizations of the same images change in nll",
    (_other_bits,),
    (
        _value("test", "authors'", "authors"),
        _value("test", "others", "draw"),
        _value("test", "sd_draws", "sd_draws", sign=False),
        _value("training", "authors'", "authors_train"),
        _value("training", "others", "draw_train"),
        _value("difference", "ours", "gap"),
        _value("difference", "authors'", "authors_gap"),
    ),
    _bits_notes,
    stated="generalization_gap",
)

CHANGE = Sum("change", "change in nll", "chopped_change", digits=4, sign=True)
HELD = Sum("held", "held at their means", "held_change", digits=4, sign=True)
# The nll of the whole model; how many units of each layer were removed, and there were.
_WHOLE = {"nll": "whole_nll"} | {name: name for name in ("removed_1", "removed_2", "units_1", "units_2")}


def _inactive_notes(part: Part) -> list[str]:
    rows = part.rows
    return [
        f"nll: mean of -L_{listed(rows.samples.dropna())} over {listed(rows.images.dropna())} test images, in nats per "
        "image. The change is positive where the whole model is better.",
        f"removed: units with A_u of {ACTIVE} or less (layer 1 + layer 2), which the others are measured without.",
        "held at their means: the same change where the networks that read a removed unit keep its mean over the "
        "training images in their biases; over the seeds for which this was measured.",
        notes.paired_note(rows, "change"),
        "A change below zero is no contradiction: a unit that tells nothing of the image still adds to the variance of "
        "log w, so without it the bound L_k is tighter. The effect fades as k grows.",
        *notes.extreme_note(rows, "change", "Largest change", 4),
    ]


chopped = Lines(
    "{}: nll without the inactive units minus nll of the whole model",
    (CHANGE.sampled, HELD, partial(cells.means, _WHOLE)),
    (
        Column("units", lambda row: cells.units(row.units_1, row.units_2)),
        Column("removed", lambda row: cells.units(row.removed_1, row.removed_2)),
        CHANGE,
        HELD,
    ),
    _inactive_notes,
    stated="chopped_change",
)


ANNEALED = Sum("annealed", "nll by annealing", "annealed_nll")
SLACK, CERTIFIED = Sum("slack", "above L_samples"), Sum("simulated", "simulated: upper - lower", "annealed_gap")
DIFFERENCES = (
    minus_vae("difference", "by L_samples, all images and seeds", "nll"),
    minus_vae("same_difference", "by L_samples, those annealed", "nll_of_annealed"),
    minus_vae("annealed_difference", "by annealing", "annealed_nll"),
)


def _annealed_notes(part: Part) -> list[str]:
    names = ("chains", "temperatures", "leapfrogs", "simulated")
    settings = {name: listed(model.settings("annealed")[name] for model in part.measured) for name in names}
    slack = part.rows.slack.dropna()  # none where no image was measured both ways
    said = [
        f"nll by annealing: minus the lower bound on log p(x) of {listed(part.rows.images.dropna())} test images, by "
        f"{settings['chains']} chains from q to the posterior over {settings['temperatures']} temperatures with "
        f"{settings['leapfrogs']} leapfrog steps of Hamiltonian Monte Carlo at each.",
        f"simulated: of {settings['simulated']} images that the model drew, for which there is an upper bound as well; "
        "it certifies the annealing for these images alone.",
        *_order(part.rows),
    ]
    if len(slack):
        words = f"By these {span(slack)} nats the table of nll measures the encoder, too."
        said.insert(1, f"above L_samples: paired over the images that were measured both ways. {words}")
    return said


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


def _by_both(part: Part) -> list[Table]:
    """IWAE minus VAE by either estimate of nll, where it is known by both."""
    pairs = part.rows[part.rows.difference.notna() & part.rows.annealed_difference.notna()]
    if pairs.empty:
        return []
    shown = [*cells.keys(pairs, ("layers", "k")), *(one.shown(pairs) for one in DIFFERENCES)]
    title = "{}: IWAE minus VAE in nll, by L_samples and by annealing"
    said = [
        "se_images: standard error of the differences, paired over test images."
        f"{' sd_seeds: standard deviation over seeds.' if pairs.difference_sd_seeds.notna().any() else ''}",
        "those annealed: the images and seeds that have both estimates, so that only the estimate differs from the "
        "last column.",
    ]
    return [replace(part, rows=pairs).table(title, shown, said, NO_VALUES)]


annealed = Lines(
    "{}: log p(x) by annealed importance sampling",
    (ANNEALED.counts, ANNEALED, SLACK, CERTIFIED, *DIFFERENCES),
    (ANNEALED, SLACK, CERTIFIED),
    _annealed_notes,
    more=_by_both,
)

GAPS = (
    Sum("approximation_gap", "log p - diagonal"),
    Sum("correlated_gap", "log p - full"),
    Sum("amortisation_gap", "diagonal - encoder"),
)


def _inference_notes(part: Part) -> list[str]:
    return [
        f"ELBO, in nats per image, over {listed(part.rows.images.dropna())} test images: of the encoder's q, of the "
        "best diagonal Gaussian of each image, and of its best Gaussian of full covariance. log p: the bound by "
        "annealing.",
        "log p - diagonal is the approximation gap, diagonal - encoder the amortisation gap. With two layers the "
        "Gaussians are those of the noise of q, which have the encoder's q among them.",
        f"se_images: standard error over test images.{notes.seeds_note(part.rows, 'amortisation_gap')}",
    ]


# Counted are the images of the gap that needs no annealing.
inference = Lines("{}: where the ELBO is lost", (GAPS[-1].counts, *GAPS), GAPS, _inference_notes)
