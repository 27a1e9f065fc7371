"""Models that differ from others in one thing: in their latent units (paper, section 5), or in the protocol.

The second shows what each choice of the protocol is worth: nll under another protocol minus nll under the study's own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iwae.reporting.contrasts import weighted_sum
from iwae.reporting.figures import style
from iwae.reporting.figures.style import GREY, MARKERS, MODEL, WIDTH, Drawing
from iwae.reporting.statements import model_name
from iwae.reporting.study import Kind, StudyResults, kind_name
from iwae.reporting.tables import variations
from iwae.reporting.tables.variations import base_of, with_bases
from iwae.study.protocol import PRESETS
from iwae.study.registry import OBJECTIVES

_QUANTITIES = {"active_units": "active units", "nll": "nll (nats per image)"}
_WITHIN = ["layers", "objective", "k", "networks", "prior"]  # the columns that name a model of a data set
_ZERO: dict[str, Any] = {"color": "k", "linewidth": 0.9, "linestyle": "--"}
_STEP = 0.16  # inches between the points of one variant, and twice that between variants


def _capacity(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Active units, estimated as in the table, and nll of each model; of each kind, the error of nll over images."""
    seeds = style.by_seed(study, with_bases(study, kinds).models, active_units="active", nll="nll")
    frame = variations.capacity.rows(study, kinds).drop(columns="nll").merge(seeds, on="model")
    return frame[[*MODEL, "latents", "seed", "active_units", "nll", "se_images", "images", "activity_estimate"]]


def _draw_capacity(frame: pd.DataFrame) -> Figure:
    """A row for each data set: left active units, right nll; a line for each kind of model."""
    look = style.looks(frame)
    rows, models = style.names(frame, ["dataset", "layers"]), style.names(frame, ["objective", "k"], model_name)
    frame = frame.assign(row=rows, model=models)
    panels = list(frame.groupby("row", observed=True))
    figure, axes = style.canvas(style.WIDTH, 2.3 * len(panels) + 0.6, len(panels), 2)
    for line, (title, rows) in zip(axes, panels, strict=True):
        for place, (quantity, label) in zip(line, _QUANTITIES.items(), strict=True):
            sns.lineplot(rows, x="latents", y=quantity, hue="model", style="model", ax=place, **look, **style.RANGE)
            place.set(title=title, xlabel="", ylabel=label, xscale="log")
            place.set_xticks(sorted(set(rows.latents)), sorted(set(rows.latents)))
            place.minorticks_off()
        means = rows.groupby(["model", "latents", "se_images"], observed=True, as_index=False).nll.mean()
        colours = means.model.map(look["palette"])
        line[1].errorbar(means.latents, means.nll, means.se_images, ecolor=colours, elinewidth=0.8, linestyle="")
    entries: dict[str, Artist] = {}  # one legend for all panels, which seaborn gives one each
    for place in figure.axes:
        entries |= dict(zip(*reversed(place.get_legend_handles_labels()), strict=True))
        if legend := place.get_legend():
            legend.remove()
    handles = [*entries.values(), *style.error_entries(frame, "of nll over test images")]
    style.legend_below(figure, handles, 4, "latent units")
    return figure


def _protocols(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """Differences in nll, nats per image: of each seed, and of each kind of model with its error over images."""
    parts = []
    for kind in kinds:
        found = weighted_sum(study, "nll", {kind: 1.0, base_of(kind): -1.0})
        parts.append(pd.DataFrame({"model": kind_name(kind), "seed": found.seeds, "of_seed": found.by_seed}))
    rows = variations.protocols.rows(study, kinds).drop(columns="se_images")
    frame = rows.rename(columns={"difference_se_images": "se_images"}).merge(pd.concat(parts), on="model")
    return frame[
        [*MODEL, "networks", "prior", "variant", "changed", "difference", "images", "se_images", "seed", "of_seed"]
    ]


def _draw_protocols(frame: pd.DataFrame) -> Figure:
    """A panel for each data set; a line of points for each variant, presets first."""
    frame = frame.assign(panel=style.names(frame, ["dataset"]), model=style.names(frame, _WITHIN))
    panels = [(title, rows, _labels(rows)) for title, rows in frame.groupby("panel", observed=True)]
    models = frame.groupby("model", observed=True)[_WITHIN].first()
    sizes = [_STEP * (len(models) + 1) * len(labels) for _, _, labels in panels]
    height = sum(sizes) + 0.3 * len(panels) + 0.8 + 0.3 * (frame.prior.nunique() > 1)
    figure, grid = style.canvas(WIDTH, height, len(panels), sharex=True, height_ratios=sizes)
    looks = {row.Index: _look(row, frame) for row in models.itertuples()}
    for place, (title, rows, labels) in zip(grid[:, 0], panels, strict=True):
        _points(place, rows, list(labels), looks)
        place.set_title(title)
        place.set_yticks(range(len(labels)), labels.values())
        place.set_ylim(len(labels) - 0.5, -0.5)
    grid[-1, 0].set_xlabel("nll minus nll under the study's own protocol (nats per image)")
    handles: list[Artist] = [Line2D([], [], linestyle="", label=name, **look) for name, look in looks.items()]
    several = frame.seed.nunique() > 1
    handles.append(style.error_entry(f"(paired over images{'' if several else '; one seed'})", "_"))
    if several:
        handles.append(Line2D([], [], color=GREY, marker="|", linestyle="", label="each seed"))
    style.legend_below(figure, handles, 4 if frame.prior.nunique() == 1 else 2)
    return figure


def _points(axes: Axes, frame: pd.DataFrame, variants: list[str], looks: dict[str, dict[str, Any]]) -> None:
    """The differences of each kind of model, side by side at the place of their variant."""
    axes.axvline(0, **_ZERO)
    places = np.arange(len(looks)) - (len(looks) - 1) / 2
    shifts = dict(zip(looks, places / (len(looks) + 1), strict=True))
    for (model, variant), rows in frame.groupby(["model", "variant"], observed=True):
        height, first, look = variants.index(variant) + shifts[model], rows.iloc[0], looks[model]
        axes.errorbar(first.difference, height, xerr=first.se_images, linestyle="", elinewidth=0.9, **look)
        if len(rows) > 1:
            axes.plot(rows.of_seed, [height] * len(rows), linestyle="", marker="|", markersize=6, color=look["color"])


def _labels(frame: pd.DataFrame) -> dict[str, str]:
    """What names each variant: a field with both values, a preset with the number of fields that it changes."""
    changed = frame.groupby("variant").changed.first().str.split("; ")
    labels = {}
    for variant in sorted(changed.index, key=lambda name: (name not in PRESETS, name)):
        fields = changed[variant]
        what = (
            f"{len(fields)} fields" if variant in PRESETS else ", ".join(field.split(": ", 1)[-1] for field in fields)
        )
        labels[variant] = f"{variant}\n{what}"
    return labels


def _look(model: Any, frame: pd.DataFrame) -> dict[str, Any]:
    """Colour by objective, marker by k, or both by prior where there are several; hollow with two layers."""
    priors = list(dict.fromkeys(frame.prior))
    colour, marker = OBJECTIVES[model.objective].colour, style.k_markers(frame.k)[model.k]
    if len(priors) > 1:
        place = priors.index(model.prior)
        colour, marker = f"C{place}", MARKERS[place % len(MARKERS)]
    fill = "full" if model.layers == 1 else "none"
    return {"color": colour, "marker": marker, "fillstyle": fill, "markersize": 5}


capacity, protocols = Drawing(_capacity, _draw_capacity), Drawing(_protocols, _draw_protocols)
