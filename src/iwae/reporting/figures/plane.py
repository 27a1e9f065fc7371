"""p(z) over q(z) in models with two latent units."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from iwae.reporting.figures.prior_samples import firsts, with_standard
from iwae.reporting.figures.style import WIDTH, canvas
from iwae.reporting.study import Kind, StudyResults

_DENSITIES = {"log_prior": "p(z)", "log_aggregate": "q(z)"}
_CELLS = 100  # along each axis at most: of a finer grid every second point is shown, or every third, ...


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Densities on a grid: a line for each second coordinate, a column ``at_n`` for the n-th point along the first."""
    parts = []
    for title, model in firsts(study, with_standard(kinds)).items():
        arrays = model.arrays("pictures", ["plane_axis", *(f"plane_{name}" for name in _DENSITIES)])
        axis = arrays["plane_axis"]
        step = -(-len(axis) // _CELLS)
        for name, words in _DENSITIES.items():
            surface = np.exp(arrays[f"plane_{name}"][::step, ::step].astype(np.float64)).round(6)
            lines = pd.DataFrame(surface, columns=[f"at_{number}" for number in range(surface.shape[1])])
            lines.insert(0, "second", axis[::step])
            parts.append(lines.assign(panel=title, density=words))
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
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
            reach = lines.second.max()
            axes.imshow(lines[cells], origin="lower", extent=(-reach, reach) * 2, norm=norm, cmap="viridis")
            axes.grid(visible=False)
        column[0].set_title(panel)
    for axes, words in zip(grid[:, 0], _DENSITIES.values(), strict=True):
        axes.set_ylabel(words)
    return figure
