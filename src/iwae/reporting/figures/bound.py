"""The bound L_k on log p(x) against the number k of samples in its evaluation."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures import panels, style
from iwae.reporting.figures.style import GREY, MODEL
from iwae.reporting.quantities import measured
from iwae.reporting.statements import model_name
from iwae.reporting.study import Kind, StudyResults


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """L_samples of each model on the test images, nats per image; k is the model's own k in training.

    Where some were annealed, their last rows have the column ``annealed``: log p(x) by annealing, as L_samples plus how
    far it lies above, over the images that have both.
    """
    models = study.of_kinds(kinds, "likelihood")
    frame = style.stacked(models, "likelihood", k="samples")
    frame = frame.loc[frame.split == "test", [*MODEL, "seed", "samples", "images", "bound"]].reset_index(drop=True)
    slack = {
        tuple(getattr(model.spec, name) for name in (*MODEL, "seed")): found.value
        for model in models
        if (found := measured(study, "slack", model)) is not None
    }
    if slack:
        above = pd.Series(pd.MultiIndex.from_frame(frame[[*MODEL, "seed"]]).map(slack), frame.index, dtype=float)
        frame["annealed"] = (frame.bound + above).where(frame.samples == frame.samples.max())
    return frame


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each number of layers, a line for each kind of model: colour and dashes by objective, marker by k."""
    frame = frame.assign(model=style.names(frame, ["objective", "k"], model_name))
    look = {"x": "samples", "y": "bound", **style.looks(frame)}
    grid = panels.curves(frame, ["dataset"], ["layers"], "model", height=2.4, **look)
    most = int(frame.samples.max())
    panels.logarithmic(grid, sorted({most, *(10**power for power in range(len(str(most))))}))
    more = []
    if "annealed" in frame:
        ends = frame.assign(row=style.names(frame, ["dataset"]), column=style.names(frame, ["layers"]))
        ends = ends[ends.samples == most].assign(slack=ends.annealed - ends.bound)
        # Not of all seeds: above the end of the line, which is their mean.
        means = ends.groupby(["row", "column", "model"], observed=True)[["bound", "slack"]].mean().dropna()
        for (row, column, model), mean in means.iterrows():
            look_of = {"color": look["palette"][model], "marker": look["markers"][model]}
            place = 3 * most, mean.bound + mean.slack
            grid.axes_dict[row, column].plot(*place, **look_of, markerfacecolor="none", linestyle="")
        more = [Line2D([], [], color=GREY, marker="o", markerfacecolor="none", linestyle="", label="by annealing")]
    grid.set_axis_labels("", "bound on log p(x) (nats per image)")
    title = f"importance samples in the bound, test images{style.seeds_words(frame)}"
    return panels.finished(grid, 5 if frame.layers.nunique() > 1 else 2, title, more)
