"""Figures of models that differ in their prior: drawn images, pseudo-inputs, and p(z) over q(z) on a plane."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import image_rows, pixels_of, show, tiled
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
    spec = kind.spec
    networks = ARCHITECTURES[spec.architecture].label if spec.architecture else model_name(kind.objective, kind.k)
    layers = f", {counted(spec.layers, 'layer')}" if spec.layers > 1 and not spec.architecture else ""
    units = f", {spec.latents} units" if spec.latents else ""
    return f"{kind.dataset}\n" * several + f"{networks}{layers}{units}"


def _samples(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Bernoulli means, 0 to 255, of images drawn from the first model of each kind, N(0, I) among the priors."""
    models, parts = firsts(study, with_standard(kinds)), []
    several = len({model.spec.dataset for model in models.values()}) > 1
    for title, model in models.items():
        rows = image_rows(title, model.array("pictures", "samples")[:_IMAGES])
        rows.insert(1, "model", _model(model.kind, several))
        rows.insert(2, "prior", prior_label(model.spec.prior))
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _draw_samples(frame: pd.DataFrame) -> Figure:
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


def _pseudo_inputs(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Grey levels, 0 to 255, row after row: a pseudo-input, then Bernoulli means of images drawn with z ~ q(z|u)."""
    parts = []
    for title, model in firsts(study, kinds).items():
        inputs, samples = (model.array("pictures", f"pseudo_{name}") for name in ("inputs", "samples"))
        lines = np.concatenate([inputs[:, None], samples], axis=1)[:_ROWS]
        parts.append(image_rows(title, lines.reshape(-1, lines.shape[-1])))
    return pd.concat(parts, ignore_index=True)


def _plane(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Densities on a grid: a line for each second coordinate, a column ``at_n`` for the n-th point along the first."""
    parts = []
    for title, model in firsts(study, with_standard(kinds)).items():
        axis = model.array("pictures", "plane_axis")
        step = -(-len(axis) // _CELLS)
        for name, words in _DENSITIES.items():
            surface = np.exp(model.array("pictures", f"plane_{name}")[::step, ::step].astype(np.float64)).round(6)
            lines = pd.DataFrame(surface, columns=[f"at_{number}" for number in range(surface.shape[1])])
            lines.insert(0, "second", axis[::step])
            parts.append(lines.assign(panel=title, density=words))
    return pd.concat(parts, ignore_index=True)


def _draw_plane(frame: pd.DataFrame) -> Figure:
    """A column for each model: p(z) above, q(z) below, one scale of colours for both."""
    panels = list(dict.fromkeys(frame.panel))
    width = max(WIDTH * 0.6, WIDTH / 3 * len(panels))
    height = 2 * min(width / len(panels), 2.5) - 0.2
    figure, grid = canvas(width, height, 2, len(panels), sharex="col", sharey="col")
    for column, panel in zip(grid.T, panels, strict=True):
        rows = frame[frame.panel == panel]
        cells = [name for name in rows if name.startswith("at_") and rows[name].notna().all()]
        norm = PowerNorm(0.5, 0, rows[cells].to_numpy().max())
        for axes, words in zip(column, _DENSITIES.values(), strict=True):
            lines = rows[rows.density == words]
            ends = ends_of([lines.second.to_numpy()] * 2).ravel()
            axes.imshow(lines[cells], origin="lower", extent=ends, norm=norm, cmap="viridis")
            axes.grid(visible=False)
        column[0].set_title(panel)
    for axes, words in zip(grid[:, 0], _DENSITIES.values(), strict=True):
        axes.set_ylabel(words)
    return figure


prior_samples, plane = Drawing(_samples, _draw_samples), Drawing(_plane, _draw_plane)
pseudo_inputs = Drawing(
    _pseudo_inputs, lambda frame: tiled(frame, (WIDTH, 0.5 * WIDTH * _ROWS / _COLUMNS + 0.3), 2, _COLUMNS)
)
