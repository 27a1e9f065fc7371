"""Active units and nll against the number of latent units of one-layer models (paper, section 5)."""

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from iwae.reporting.figures import style
from iwae.reporting.figures.style import MODEL
from iwae.reporting.statements import model_name
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import variations
from iwae.reporting.tables.variations import with_bases

_QUANTITIES = {"active_units": "active units", "nll": "nll (nats per image)"}


def data(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Active units, estimated as in the table, and nll of each model; of each kind, the error of nll over images."""
    seeds = style.by_seed(study, with_bases(study, kinds).models, active_units="active", nll="nll")
    frame = variations.capacity.rows(study, kinds).drop(columns="nll").merge(seeds, on="model")
    return frame[[*MODEL, "latents", "seed", "active_units", "nll", "se_images", "images", "activity_estimate"]]


def draw(frame: pd.DataFrame) -> Figure:
    """A row for each data set: left active units, right nll; a line for each kind of model."""
    look = style.looks(frame)
    rows, models = style.names(frame, ["dataset", "layers"]), style.names(frame, ["objective", "k"], model_name)
    frame = frame.assign(row=rows, model=models)
    panels = list(frame.groupby("row", observed=True))
    figure, axes = style.canvas(style.WIDTH, 2.3 * len(panels) + 0.6, len(panels), 2)
    for line, (title, rows) in zip(axes, panels, strict=True):
        for place, (quantity, label) in zip(line, _QUANTITIES.items(), strict=True):
            lines = {"y": quantity, "hue": "model", "style": "model", **look, **style.RANGE}
            sns.lineplot(rows, x="latents", ax=place, **lines)
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
    handles = [*entries.values(), *style.error_entries(frame, "of nll over test images")]
    style.legend_below(figure, handles, 4, "latent units")
    return figure
