"""Bounds against passes over the training images: by split, and by protocol, which shows what a schedule buys."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from iwae.reporting.figures import panels, style
from iwae.reporting.figures.style import MODEL, Drawing
from iwae.reporting.statements import protocols
from iwae.reporting.study import Kind, Model, StudyResults
from iwae.reporting.tables.variations import with_bases

KEYS = [*MODEL, "seed", "stage", "learning_rate", "pass"]
_DASHES = {"train": "", "validation": (3, 1.5)}
_POINTS = 150  # of a curve
_HIDDEN = 10  # the part of the passes, many nats below the others, that lies outside the axes
_BOUNDS = {f"{split}_bound": split for split in _DASHES}


def _curve(model: Model) -> pd.DataFrame:
    """A model's training.csv after some of the passes, those at the ends of stages among them; the folder has all."""
    curve = style.stacked([model], "training")
    drawn = {*curve.groupby("stage")["pass"].max(), *np.geomspace(1, curve["pass"].max(), _POINTS).round().astype(int)}
    return curve[curve["pass"].isin(drawn)]


def _round_numbers(last: int) -> list[int]:
    """1, 2, 5, 10 and so on up to `last`, and that."""
    rising = (digit * 10**power for power in range(len(str(last))) for digit in (1, 2, 5))
    return [*(number for number in rising if number < last), last]


def _by_split(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The bounds of each model, nats per image, after some of the passes."""
    curves = pd.concat(map(_curve, study.of_kinds(kinds)), ignore_index=True)
    return curves[[*KEYS, *_BOUNDS]]


def _draw_by_split(frame: pd.DataFrame) -> Figure:
    """Rows of panels by number of layers, columns by objective; a colour and a marker for each k."""
    ends, ks = sorted(set(frame.groupby("stage")["pass"].max())), sorted(set(frame.k))
    frame = frame.rename(columns=_BOUNDS).melt(KEYS, list(_DASHES), "split", "bound").dropna(subset="bound")
    frame = frame.assign(line=style.names(frame, ["k", "split"], _name))
    of_ks = [(k, f"C{2 + place}", marker) for place, (k, marker) in enumerate(style.k_markers(ks).items())]
    lines = {_name(k, split): (c, dashes, m) for k, c, m in of_ks for split, dashes in _DASHES.items()}
    look = style.look_of(lines)
    grid = panels.curves(frame, ["dataset", "layers"], ["objective"], "line", height=2.1, x="pass", y="bound", **look)
    staged = len(ends) > 1
    panels.logarithmic(grid, ends if staged else _round_numbers(ends[-1]))
    grid.set_axis_labels("", "the model's own bound\n(nats per image)")
    _limit(grid, frame, ends)
    what = "; ticks and markers: ends of stages" if staged else ""
    return panels.finished(grid, len(ks), f"passes over the training images{what}{style.seeds_words(frame)}")


def _name(k: int, split: str) -> str:
    return f"k = {k}, {split}"


def _limit(grid: sns.FacetGrid, frame: pd.DataFrame, ends: list[int]) -> None:
    """Set the limits, in y those of a data set for all its panels, and leave markers at the ends of stages only."""
    first = ends[1] if len(ends) > 2 else ends[-1] // _HIDDEN
    if first:
        grid.set(xlim=(first / 1.3, ends[-1] * 1.2))
        for (row, column, _), panel in grid.facet_data():
            shown = frame[frame.dataset.isin(panel.dataset) & (frame["pass"] >= first)]
            if len(shown):
                low, high = shown.bound.agg(["min", "max"])
                margin = 0.05 * (high - low)
                grid.axes[row, column].set_ylim(low - margin, high + margin)
    for axes in grid.axes.flat:
        for line in axes.get_lines():
            line.set_markevery(np.isin(line.get_xdata(), ends))


def _by_protocol(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The bound on held-out images of each model after some of the passes, nats; none where none were held out."""
    models, own = with_bases(study, kinds).models, "; ".join(protocols(study.grid))
    parts = [_curve(model).assign(protocol=model.spec.variant or own) for model in models]
    frame = pd.concat(parts, ignore_index=True).dropna(subset="validation_bound")
    return frame[[*MODEL, "seed", "protocol", "pass", "validation_bound"]]


def _draw_by_protocol(frame: pd.DataFrame) -> Figure:
    """A panel for each model, a line for each protocol."""
    frame = frame[frame["pass"] > frame["pass"].max() // _HIDDEN]
    lines = {"x": "pass", "y": "validation_bound", "markers": True}
    grid = panels.curves(frame, ["dataset", "layers"], ["objective", "k"], "protocol", height=2.3, **lines)
    first, last = frame["pass"].min(), frame["pass"].max()
    panels.logarithmic(grid, [tick for tick in _round_numbers(last) if tick >= first])
    grid.set_axis_labels("", "the model's own bound on\nheld-out images (nats)")
    columns = frame.protocol.nunique()
    return panels.finished(grid, columns, f"passes over the training images{style.seeds_words(frame)}")


learning, schedules = Drawing(_by_split, _draw_by_split), Drawing(_by_protocol, _draw_by_protocol)
