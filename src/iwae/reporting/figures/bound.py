"""The bound L_k on log p(x) against the number k of samples in its evaluation."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from iwae.reporting.figures.style import (
    COLOURS,
    DASHES,
    MODEL,
    RANGE,
    facets,
    finished,
    k_markers,
    logarithmic,
    names,
    seeds_words,
)
from iwae.reporting.study import StudyResults


def data(study: StudyResults) -> pd.DataFrame:
    """L_samples of each model on the test images, nats per image; k is the model's own k in training."""
    parts = []
    for model in study.grid.models:
        table = model.table("likelihood", "likelihood.csv").rename(columns={"k": "samples"})
        table = table[table.split == "test"].assign(**vars(model.spec), stages=model.stages)
        parts.append(table[[*MODEL, "seed", "samples", "images", "bound"]])
    return pd.concat(parts, ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each number of layers, a line for each kind of model: colour and dashes by objective, marker by k."""
    kinds = {_name(objective, k): (objective, k) for objective in COLOURS for k in set(frame.k)}
    grid = facets(
        sns.relplot,
        frame.assign(model=names(frame, ["objective", "k"], _name)),
        rows=["dataset", "stages"],
        columns=["layers"],
        height=2.4,
        facet_kws={"sharey": "row"},
        kind="line",
        x="samples",
        y="bound",
        hue="model",
        style="model",
        palette={name: COLOURS[objective] for name, (objective, _) in kinds.items()},
        dashes={name: DASHES[objective] for name, (objective, _) in kinds.items()},
        markers={name: k_markers(frame.k)[k] for name, (_, k) in kinds.items()},
        **RANGE,
    )
    logarithmic(grid, [10**power for power in range(len(str(frame.samples.max())))])
    grid.set_axis_labels("", "bound on log p(x) (nats per image)")
    title = f"importance samples in the bound, test images{seeds_words(frame)}"
    return finished(grid, 5 if frame.layers.nunique() > 1 else 2, title)


def _name(objective: str, k: int) -> str:
    return f"{objective.upper()} k={k}"
