"""Figures of models that differ in their prior: drawn images, pseudo-inputs, and p(z) over q(z) on a plane."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import Panels, show, tiled
from iwae.reporting.figures.posteriors import ends_of
from iwae.reporting.figures.style import WIDTH, Drawing, canvas
from iwae.reporting.statements import counted, model_name
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.priors import without_prior
from iwae.study.registry import ARCHITECTURES, prior_label

_IMAGES = 36
_LABEL = 1.1  # inches, for the models' names
_ROWS = 5  # pseudo-inputs of a panel
_COLUMNS = 10  # a pseudo-input and the images that `evaluation.prior_pictures` draws from it
_DENSITIES = {"log_prior": "p(z)", "log_aggregate": "q(z)"}
_CELLS = 100  # along each axis at most: of a finer grid every second point is shown, or every third, ...


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
    networks = ARCHITECTURES[kind.architecture].label if kind.architecture else model_name(kind.objective, kind.k)
    layers = f", {counted(kind.layers, 'layer')}" if kind.layers > 1 and not kind.architecture else ""
    units = f", {kind.latents} units" if kind.latents else ""
    return f"{kind.dataset}\n" * several + f"{networks}{layers}{units}"


def _samples(study: StudyResults, kinds: Sequence[Kind]) -> dict[tuple[str, str], np.ndarray]:
    """Bernoulli means, 0 to 255, of images drawn from the first model of each kind, by the model's name and its prior.

    Those with N(0, I) are among them.
    """
    models = firsts(study, with_standard(kinds)).values()
    several = len({model.spec.dataset for model in models}) > 1
    return {
        (_model(model.kind, several), prior_label(model.spec.prior)): model.array("pictures", "samples")[:_IMAGES]
        for model in models
    }


def _draw_samples(panels: dict[tuple[str, str], np.ndarray]) -> Figure:
    """A square of images for each model: in a row those that differ in their prior alone, in a column one prior."""
    models, priors = (list(dict.fromkeys(names)) for names in zip(*panels, strict=True))
    side = min(3.0, (WIDTH - _LABEL) / len(priors))  # inches
    size = (_LABEL + side * len(priors), side * len(models) + 0.25)
    figure, grid = canvas(*size, len(models), len(priors))
    for axes, prior in zip(grid[0], priors, strict=True):
        axes.set_title(prior)
    for line, model in zip(grid, models, strict=True):
        line[0].set_ylabel(model, rotation=0, ha="right", va="center")
        for axes, prior in zip(line, priors, strict=True):
            if (model, prior) in panels:
                show(axes, panels[model, prior])
            else:
                axes.set_axis_off()
    return figure


def _pseudo_inputs(study: StudyResults, kinds: Sequence[Kind]) -> Panels:
    """Grey levels, 0 to 255, row after row: a pseudo-input, then Bernoulli means of images drawn with z ~ q(z|u)."""
    panels = {}
    for title, model in firsts(study, kinds).items():
        inputs, samples = (model.array("pictures", f"pseudo_{name}") for name in ("inputs", "samples"))
        lines = np.concatenate([inputs[:, None], samples], axis=1)[:_ROWS]
        panels[title] = lines.reshape(-1, lines.shape[-1])
    return panels


class Plane(NamedTuple):
    """Densities p(z) and q(z) on a grid, (P, P), row i the second coordinate, and both axes' coordinates, (P,)."""

    axis: np.ndarray
    densities: tuple[np.ndarray, np.ndarray]


def _plane(study: StudyResults, kinds: Sequence[Kind]) -> dict[str, Plane]:
    """The densities of each model, by its title."""
    planes = {}
    for title, model in firsts(study, with_standard(kinds)).items():
        axis = model.array("pictures", "plane_axis")
        every = -(-len(axis) // _CELLS)
        grids = (model.array("pictures", f"plane_{name}")[::every, ::every] for name in _DENSITIES)
        planes[title] = Plane(axis[::every], tuple(np.exp(grid.astype(np.float64)) for grid in grids))
    return planes


def _draw_plane(planes: dict[str, Plane]) -> Figure:
    """A column for each model: p(z) above, q(z) below, one scale of colours for both."""
    width = max(WIDTH * 0.6, WIDTH / 3 * len(planes))
    height = 2 * min(width / len(planes), 2.5) - 0.2
    figure, grid = canvas(width, height, 2, len(planes), sharex="col", sharey="col")
    for column, (title, plane) in zip(grid.T, planes.items(), strict=True):
        norm = PowerNorm(0.5, 0, np.max(plane.densities))
        ends = ends_of([plane.axis] * 2).ravel()
        for axes, density in zip(column, plane.densities, strict=True):
            axes.imshow(density, origin="lower", extent=ends, norm=norm, cmap="viridis")
            axes.grid(visible=False)
        column[0].set_title(title)
    for axes, words in zip(grid[:, 0], _DENSITIES.values(), strict=True):
        axes.set_ylabel(words)
    return figure


prior_samples, plane = Drawing(_samples, _draw_samples), Drawing(_plane, _draw_plane)
pseudo_inputs = Drawing(
    _pseudo_inputs, lambda panels: tiled(panels, (WIDTH, 0.5 * WIDTH * _ROWS / _COLUMNS + 0.3), 2, _COLUMNS)
)
