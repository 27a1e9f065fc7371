"""Images drawn from models that differ in their prior alone."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import image_rows, squares
from iwae.reporting.figures.style import model_name
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.priors import label, without_prior
from iwae.study.registry import ARCHITECTURES

_IMAGES = 36


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Bernoulli means, 0 to 255, of images drawn from the first model of each kind, N(0, I) among the priors."""
    parts = [
        image_rows(title, model.arrays("pictures", "pictures.npz", ["samples"])["samples"][:_IMAGES])
        for title, model in firsts(study, with_standard(kinds)).items()
    ]
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A square of images for each model."""
    return squares(frame, lambda images: (0, 255))


def with_standard(kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds, those of one model together, each model's with N(0, I) first."""
    bases = list(dict.fromkeys(map(without_prior, kinds)))
    return [kind for base in bases for kind in (base, *(one for one in kinds if without_prior(one) == base))]


def firsts(study: StudyResults, kinds: Sequence[Kind]) -> dict[str, Model]:
    """The model of the first seed of each kind, by a title that tells of networks and prior."""
    several = len({kind.dataset for kind in kinds}) > 1
    found = {}
    for kind in kinds:
        models = study.of_kinds([kind], "pictures")
        if models:
            found[_title(kind, several)] = min(models, key=lambda model: model.spec.seed)
    return found


def _title(kind: Kind, several: bool) -> str:
    spec = kind.spec
    networks = ARCHITECTURES[spec.architecture].label if spec.architecture else model_name(kind.objective, kind.k)
    units = f", {spec.latents} units" if spec.latents else ""
    return f"{kind.dataset}\n" * several + f"{networks}{units}, {label(spec.prior)}"
