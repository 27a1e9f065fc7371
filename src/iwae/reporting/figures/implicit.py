"""q_EW beside the true posterior, in models with two latent units (Cremer, Morris & Duvenaud 2017)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from iwae.reporting.figures.pictures import firsts
from iwae.reporting.figures.posterior import DENSITY, LEAST, cells_of, few_ticks, lines_of, normalised
from iwae.reporting.figures.style import WIDTH, canvas
from iwae.reporting.study import Kind, StudyResults

IMAGE = 0  # the image that is shown
_CELLS, _DIGITS = 60, 3
_ARRAYS = ("axes", "log_joint", "mean", "deviation")


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The densities of an image on its grid, a row for each line of a panel, its cells in cell_0, cell_1, ...

    ``part`` is ``posterior`` or ``k = ...``, with the line's second coordinate ``y``; or ``h1_1``, a line with the
    first coordinates of all cells.
    """
    found, parts = study.of_kinds(kinds, "implicit"), []
    for title, model in firsts([model for model in found if "pictures" in model.manifest]).items():
        pictures = model.arrays("pictures", [f"posterior_{name}" for name in _ARRAYS])
        axes, log_joint, mean, deviation = (pictures[f"posterior_{name}"][IMAGE].astype(float) for name in _ARRAYS)
        every = -(-len(log_joint) // _CELLS)
        axes, log_joint = axes[:, ::every], log_joint[::every, ::every]
        log_q = gaussian_log_density(axes, mean, deviation)
        sums = model.arrays("implicit", ["companions"])["companions"][:, :, IMAGE].astype(float)
        shown = {"posterior": log_joint}
        for k, log_t in zip(model.settings("implicit")["ks"], sums, strict=True):
            shown[f"k = {k}"] = implicit_log_density(log_joint, log_q, log_t, k)
        parts.append(lines_of(title, IMAGE, "h1_1", axes[:1], [np.nan]))
        parts += [lines_of(title, IMAGE, part, _rounded(values, axes), axes[1]) for part, values in shown.items()]
    return pd.concat(parts, ignore_index=True)


def gaussian_log_density(axes: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Log N(z; mean, diag(deviation^2)) on a grid with these axes (2, P): (P, P), row i the second coordinate."""
    first, second = -0.5 * ((axes - mean[:, None]) / deviation[:, None]) ** 2
    return first[None, :] + second[:, None] - np.log(deviation).sum() - np.log(2 * np.pi)


def implicit_log_density(log_joint: np.ndarray, log_q: np.ndarray, log_t: np.ndarray, k: int) -> np.ndarray:
    """Log q_EW(z) = log p(x, z) + log E[k / (w(z) + T)] on a grid, from log p(x, z), log q(z) and draws of log T."""
    terms = -np.logaddexp((log_joint - log_q)[..., None], log_t)
    return log_joint + np.log(k) + np.logaddexp.reduce(terms, axis=-1) - np.log(terms.shape[-1])


def _rounded(log_density: np.ndarray, axes: np.ndarray) -> np.ndarray:
    density = normalised(log_density, axes)
    density = np.where(density < LEAST * density.max(), 0, density)
    return np.vectorize(lambda value: float(f"{value:.{_DIGITS}g}"))(density)


def draw(frame: pd.DataFrame) -> Figure:
    """A row for each model, a column for the posterior and for each k."""
    panels = list(dict.fromkeys(frame.panel))
    parts = [part for part in dict.fromkeys(frame.part) if part != "h1_1"]
    height = (WIDTH / len(parts) + 0.15) * len(panels)
    figure, axes = canvas(WIDTH, height, len(panels), len(parts))
    for row, panel in enumerate(panels):
        lines = frame[frame.panel == panel]
        across = cells_of(lines[lines.part == "h1_1"].dropna(axis=1, how="all"))[0]
        for column, part in enumerate(parts):
            shown = lines[lines.part == part].dropna(axis=1, how="all")
            axis = axes[row, column]
            ends = (across[0], across[-1], shown.y.iloc[0], shown.y.iloc[-1])
            axis.imshow(cells_of(shown), extent=ends, aspect="auto", norm=PowerNorm(0.5, vmin=0), **DENSITY)
            axis.set_title(part if row == 0 else "")
            few_ticks(axis)
        axes[row, 0].set_ylabel(panel)
    return figure
