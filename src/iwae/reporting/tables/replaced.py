"""Replaced priors: what a trained model gains if another p(z) takes the place of its own (`evaluation.replaced`)."""

from collections.abc import Sequence

import pandas as pd

from iwae.reporting.contrasts import columns, spread_over_images
from iwae.reporting.quantities import Sample
from iwae.reporting.statements import listed
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part, Sum
from iwae.reporting.tables.formats import Column, Table
from iwae.reporting.tables.priors import networks
from iwae.study.registry import prior_label

MEASURES = {"elbo": "ELBO", "bound": "L_S"}
_GAINS = [(split, measure) for split in ("train", "test") for measure in MEASURES]
_NAMES = {"gaussian": "one Gaussian", "aggregate": "q(z)", "leave-one-out": "q(z), own image left out"}
_UPPER = (
    "Of the paper's models with two layers the upper layer alone has another prior, and the surgery's marginal KL is "
    "that of both layers: most of it lies in p(h1|h2)."
)


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each kind of model and prior put in the place of its own.

    ``elbo_train`` and so on: what the prior gains in the ELBO, and in the bound L_S of the S draws, on images of each
    split, in nats per image.
    """
    names = ["own", "seeds", "prior", *(name for split, measure in _GAINS for name in columns(f"{measure}_{split}"))]
    frame = cells.several_rows(study, kinds, "replaced", _priors, names, lambda _, kind: {"networks": networks(kind)})
    return cells.by_objective(frame, ["dataset", "layers", "networks", "k", "objective", "variation"])


def _priors(models: list[Model]) -> pd.DataFrame:
    own, rows = prior_label(models[0].spec.prior), []
    for name in dict.fromkeys(name for model in models for name in model.table("replaced").prior):
        rows.append({"own": own, "prior": name})
        for split, measure in _GAINS:
            rows[-1] |= _gain(models, split, name, measure)
    return pd.DataFrame(rows)


def _gain(models: Sequence[Model], split: str, prior: str, measure: str) -> dict[str, float]:
    """The gain's columns: its mean, standard error over images and standard deviation over seeds."""
    named, images, gains = columns(f"{measure}_{split}"), f"{split}_images", f"{split}_{prior}_{measure}"
    if split == "test" and prior == "leave-one-out":
        return dict.fromkeys(named, float("nan"))
    samples = [(model.array("replaced", images), model.array("replaced", gains).astype(float)) for model in models]
    means = pd.Series([values.mean() for _, values in samples])
    shares = [(1 / len(models), Sample(split, *sample)) for sample in samples]
    return dict(zip(named, (means.mean(), spread_over_images(shares).value ** 0.5, means.std()), strict=True))


def lay_out(part: Part) -> list[Table]:
    """A line for each prior that is put in the place of a model's own."""
    rows = part.rows
    named = [*cells.keys(rows), *cells.several(rows, "networks")]
    if rows.own.nunique() > 1:
        named.append(Column("own prior", lambda row: row.own, text=True))
    named.append(Column("prior in its place", lambda row: shown(row.prior), text=True))
    for measure, words in MEASURES.items():
        sums = [Sum(f"{measure}_{split}", split, sign=True) for split in ("train", "test")]
        named += cells.grouped([one.shown(rows) for one in sums], f"gain in {words}")
    consequence = "these are not the paper's models"
    return [part.table("{}: replaced priors", named, _notes(part), consequence, sections=())]


def shown(name: str) -> str:
    """The name of a prior in ``replaced.csv`` for people."""
    if name in _NAMES or pd.isna(name):
        return _NAMES.get(name, "")
    return f"{name.removeprefix('posteriors')} posteriors" if name.startswith("posteriors") else prior_label(name)


def _notes(part: Part) -> list[str]:
    samples = listed(model.settings("replaced")["samples"] for model in part.measured)
    return [
        "In nats per image, over the model's own prior; nothing is trained again. "
        f"ELBO and L_S are from the same S = {samples} draws.",
        "q(z), the aggregate posterior over all training images, gains the surgery's marginal KL in their ELBO, and no "
        "prior gains more. What it gains there and not on test images is memory of the image itself: an image's own "
        "posterior is one of its components.",
        *([_UPPER] if any(model.spec.layers > 1 and not model.spec.architecture for model in part.measured) else []),
        "MoG: fitted to draws of q(z) by expectation maximisation. se_images: standard error over images.",
    ]
