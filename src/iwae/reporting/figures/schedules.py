"""The bound on held-out images during training, by protocol: what a schedule buys."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from iwae.reporting.figures import panels, style
from iwae.reporting.figures.style import MODEL
from iwae.reporting.statements import protocols
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.variations import with_bases

_HIDDEN = 10  # the part of the passes, many nats below the others, that lies outside the axes


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The bound on held-out images of each model after some of the passes, nats; none where none were held out."""
    models, own = with_bases(study, kinds).models, "; ".join(protocols(study.grid))
    parts = [style.learning_curve(model).assign(protocol=model.spec.variant or own) for model in models]
    frame = pd.concat(parts, ignore_index=True).dropna(subset="validation_bound")
    return frame[[*MODEL, "seed", "protocol", "pass", "validation_bound"]]


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each model, a line for each protocol."""
    frame = frame[frame["pass"] > frame["pass"].max() // _HIDDEN]
    lines = {"x": "pass", "y": "validation_bound", "markers": True}
    grid = panels.curves(frame, ["dataset", "layers"], ["objective", "k"], "protocol", height=2.3, **lines)
    first, last = frame["pass"].min(), frame["pass"].max()
    panels.logarithmic(grid, [tick for tick in style.round_numbers(last) if tick >= first])
    grid.set_axis_labels("", "the model's own bound on\nheld-out images (nats)")
    columns = frame.protocol.nunique()
    return panels.finished(grid, columns, f"passes over the training images{style.seeds_words(frame)}")
