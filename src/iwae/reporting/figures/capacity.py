"""Active units and nll against the number of latent units of one-layer models (paper, section 5)."""

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from iwae.reporting.figures.style import (
    MODEL,
    RANGE,
    WIDTH,
    error_entries,
    legend_below,
    looks,
    model_name,
    names,
)
from iwae.reporting.quantities import measured
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables.capacity import rows as table_rows
from iwae.reporting.tables.variations import with_bases

_QUANTITIES = {"active_units": "active units", "nll": "nll (nats per image)"}


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Active units, in the table's variant, and nll of each model; of each kind, the error of nll over images."""
    study = with_bases(study, kinds)
    models = [
        (model.kind.name, model.spec.seed, active.value, measured(study, "nll", model).value)
        for model in study.models
        if "likelihood" in model.manifest and (active := measured(study, "active", model))
    ]
    seeds = pd.DataFrame(models, columns=["model", "seed", "active_units", "nll"])
    frame = table_rows(study, kinds).drop(columns="nll").merge(seeds, on="model")
    return frame[[*MODEL, "latents", "seed", "active_units", "nll", "se_images", "images", "activity_variant"]]


def draw(frame: pd.DataFrame) -> Figure:
    """A row for each data set: left active units, right nll; a line for each kind of model."""
    look = looks(frame)
    frame = frame.assign(row=names(frame, ["dataset", "layers"]), model=names(frame, ["objective", "k"], model_name))
    panels = list(frame.groupby("row", observed=True))
    figure = Figure(figsize=(WIDTH, 2.3 * len(panels) + 0.6))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(panels), 2, squeeze=False)
    for line, (title, rows) in zip(axes, panels, strict=True):
        for place, (quantity, label) in zip(line, _QUANTITIES.items(), strict=True):
            sns.lineplot(rows, x="latents", y=quantity, hue="model", style="model", **look, **RANGE, ax=place)
            place.set(title=title, xlabel="", ylabel=label, xscale="log")
            place.set_xticks(sorted(set(rows.latents)), sorted(set(rows.latents)))
            place.minorticks_off()
        means = rows.groupby(["model", "latents", "se_images"], observed=True, as_index=False).nll.mean()
        colours = means.model.map(look["palette"])
        line[1].errorbar(means.latents, means.nll, means.se_images, ecolor=colours, elinewidth=0.8, linestyle="")
    entries = {}  # one legend for all panels, which seaborn gives one each
    for place in figure.axes:
        entries |= dict(zip(*reversed(place.get_legend_handles_labels()), strict=True))
        place.get_legend().remove()
    handles = [*entries.values(), *error_entries(frame, "of nll over test images")]
    legend_below(figure, handles, 4, "latent units")
    return figure
