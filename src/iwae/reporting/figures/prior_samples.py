"""Images drawn from models that differ in their prior alone."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import image_rows, pixels_of, show
from iwae.reporting.figures.style import WIDTH, canvas, model_name
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.priors import without_prior
from iwae.study.registry import ARCHITECTURES, prior_label

_IMAGES = 36
_LABEL = 1.1  # inches, for the models' names


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Bernoulli means, 0 to 255, of images drawn from the first model of each kind, N(0, I) among the priors."""
    models, parts = firsts(study, with_standard(kinds)), []
    several = len({model.spec.dataset for model in models.values()}) > 1
    for title, model in models.items():
        rows = image_rows(title, model.arrays("pictures", ["samples"])["samples"][:_IMAGES])
        rows.insert(1, "model", _model(model.kind, several))
        rows.insert(2, "prior", prior_label(model.spec.prior))
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A square of images for each model: in a row those that differ in their prior alone, in a column one prior."""
    models, priors = (list(dict.fromkeys(frame[name])) for name in ("model", "prior"))
    side = min(3.0, (WIDTH - _LABEL) / len(priors))  # inches
    size = (_LABEL + side * len(priors), side * len(models) + 0.25)
    figure, grid = canvas(*size, len(models), len(priors))
    for axes, prior in zip(grid[0], priors, strict=True):
        axes.set_title(prior)
    for line, model in zip(grid, models, strict=True):
        line[0].set_ylabel(model, rotation=0, ha="right", va="center")
        for axes, prior in zip(line, priors, strict=True):
            panel = frame[(frame.model == model) & (frame.prior == prior)]
            if panel.empty:
                axes.set_axis_off()
            else:
                show(axes, pixels_of(panel, panel.panel.iloc[0]), math.isqrt(len(panel) - 1) + 1)
    return figure


def with_standard(kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds, those of one model together, each model's with N(0, I) first."""
    bases = list(dict.fromkeys(map(without_prior, kinds)))
    return [kind for base in bases for kind in (base, *(one for one in kinds if without_prior(one) == base))]


def firsts(study: StudyResults, kinds: Sequence[Kind]) -> dict[str, Model]:
    """The model of the first seed of each kind, by a title that tells of networks and prior."""
    several = len({kind.dataset for kind in kinds}) > 1
    models = reversed(study.of_kinds(kinds, "pictures"))
    titles = {f"{_model(model.kind, several)}, {prior_label(model.spec.prior)}": model for model in models}
    return dict(reversed(titles.items()))


def _model(kind: Kind, several: bool) -> str:
    """What models have in common that differ in their prior alone, after the data set where there are several."""
    spec = kind.spec
    networks = ARCHITECTURES[spec.architecture].label if spec.architecture else model_name(kind.objective, kind.k)
    units = f", {spec.latents} units" if spec.latents else ""
    return f"{kind.dataset}\n" * several + f"{networks}{units}"
