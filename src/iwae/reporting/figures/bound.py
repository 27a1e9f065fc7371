"""The bound L_k on log p(x) against the number k of samples in its evaluation."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.figures.style import (
    OBJECTIVE_MARKS,
    k_mark,
    legend_below,
    over_seeds,
    panel_title,
    panels,
    seeds_words,
)
from iwae.reporting.study import Study

KEYS = ["dataset", "layers", "stages", "objective", "k", "samples", "images"]


def data(study: Study) -> pd.DataFrame:
    """L_samples on the test images, nats per image: mean and range over seeds; k is the model's own k in training."""
    parts = []
    for model in study.models:
        table = model.table("likelihood", "likelihood.csv").rename(columns={"k": "samples"})
        parts.append(table[table.split == "test"].assign(**vars(model.spec), stages=model.stages))
    return over_seeds(pd.concat(parts), KEYS, ["bound"])


def draw(frame: pd.DataFrame) -> Figure:
    """A panel for each number of layers, a line for each kind of model: colour and line by objective, marker by k."""
    rows, layers = sorted(set(zip(frame.dataset, frame.stages, strict=True))), sorted(set(frame.layers))
    ks, objectives = sorted(set(frame.k)), sorted(set(frame.objective), reverse=True)
    figure, axes = panels(len(rows), len(layers), 2.9, sharey="row")
    for line, (dataset, stages) in zip(axes, rows, strict=True):
        for panel, layer in zip(line, layers, strict=True):
            match = (frame.dataset == dataset) & (frame.stages == stages) & (frame.layers == layer)
            panel.set_xscale("log")
            for (objective, k), models in frame[match].groupby(["objective", "k"]):
                models = models.sort_values("samples")
                look = OBJECTIVE_MARKS[objective].line() | {"marker": k_mark(ks, k).marker, "markersize": 4}
                panel.plot(models.samples, models.bound, **look)
                panel.fill_between(
                    models.samples, models.bound_min, models.bound_max, color=look["color"], alpha=0.2, lw=0
                )
            panel.set_title(panel_title(layer, stages, dataset if len(set(frame.dataset)) > 1 else None))
            panel.xaxis.set_major_formatter("{x:g}")
            panel.minorticks_off()
        line[0].set_ylabel("bound on log p(x) (nats per image)")
    kinds = sorted(
        set(zip(frame.objective, frame.k, strict=True)), key=lambda kind: (objectives.index(kind[0]), kind[1])
    )
    handles = [
        Line2D(
            [],
            [],
            label=f"{objective.upper()} k={k}",
            **OBJECTIVE_MARKS[objective].line() | {"marker": k_mark(ks, k).marker},
        )
        for objective, k in kinds
    ]
    title = f"importance samples in the bound, test images{seeds_words(frame)}"
    legend_below(figure, handles, min(len(handles), 5 if len(layers) > 1 else 2), title)
    return figure
