"""Active units and nll against the number of latent units of one-layer models (paper, section 5)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from iwae.reporting.contents import TABLES
from iwae.reporting.figures.style import (
    COLOURS,
    DASHES,
    GREY,
    MODEL,
    RANGE,
    WIDTH,
    k_markers,
    legend_below,
    names,
)
from iwae.reporting.spread import chosen_units
from iwae.reporting.study import StudyResults
from iwae.reporting.variations import capacity, varied

_QUANTITIES = {"active_units": "active units", "nll": "nll (nats per image)"}


def data(study: StudyResults) -> pd.DataFrame:
    """Active units, in the table's variant, and nll of each model; of each kind, the error of nll over images."""
    frame = capacity(study).set_index(["model", "stages"])
    rows = []
    for model in varied(study, TABLES["capacity"].about):
        kind = frame.loc[(model.spec.name.rsplit("/", 1)[0], model.stages)]
        counts = {name: study.value(model, name) for name in ("active_units_1", "active_units_authors_1")}
        rows.append(
            {
                **{name: kind[name] for name in MODEL if name != "stages"},
                "stages": model.stages,
                "latents": kind.latents,
                "seed": model.spec.seed,
                "active_units": chosen_units(counts, kind.activity_variant)[0],
                "nll": study.value(model, "nll"),
                **{name: kind[name] for name in ("se_images", "images", "activity_variant")},
            }
        )
    return pd.DataFrame(rows).sort_values([*MODEL, "latents", "seed"], kind="stable", ignore_index=True)


def draw(frame: pd.DataFrame) -> Figure:
    """A row for each data set and length of schedule: left active units, right nll; a line for each kind of model."""
    kinds = {_name(objective, k): (objective, k) for objective in COLOURS for k in sorted(set(frame.k))}
    looks = {
        "palette": {name: COLOURS[objective] for name, (objective, _) in kinds.items()},
        "dashes": {name: DASHES[objective] for name, (objective, _) in kinds.items()},
        "markers": {name: k_markers(frame.k)[k] for name, (_, k) in kinds.items()},
    }
    frame = frame.assign(
        row=names(frame, ["dataset", "layers", "stages"]), model=names(frame, ["objective", "k"], _name)
    )
    panels = list(frame.groupby("row", observed=True))
    figure = Figure(figsize=(WIDTH, 2.3 * len(panels) + 0.6))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(panels), 2, squeeze=False)
    for line, (title, rows) in zip(axes, panels, strict=True):
        for place, (quantity, label) in zip(line, _QUANTITIES.items(), strict=True):
            shown = {"x": "latents", "y": quantity, "hue": "model", "style": "model"}
            sns.lineplot(rows, **shown, **looks, **RANGE, ax=place)
            place.set(title=title, xlabel="", ylabel=label, xscale="log")
            place.set_xticks(sorted(set(rows.latents)), sorted(set(rows.latents)))
            place.minorticks_off()
        means = rows.groupby(["model", "latents", "se_images"], observed=True, as_index=False).nll.mean()
        line[1].errorbar(
            means.latents,
            means.nll,
            means.se_images,
            ecolor=means.model.map(looks["palette"]),
            elinewidth=0.8,
            linestyle="",
        )
    _add_legend(figure, frame)
    return figure


def _add_legend(figure: Figure, frame: pd.DataFrame) -> None:
    """One legend for all panels, which seaborn gives one each."""
    entries = {}
    for axes in figure.axes:
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.get_legend().remove()
    bar = "\N{PLUS-MINUS SIGN} se_images of nll"
    handles = [*entries.values(), Line2D([], [], color=GREY, marker="|", markersize=9, linestyle="", label=bar)]
    if frame.seed.nunique() > 1:
        handles.append(Patch(color=GREY, label="range of seeds", **RANGE["err_kws"]))
    legend_below(figure, handles, 5, "latent units")


def _name(objective: str, k: int) -> str:
    return f"{objective.upper()} k={k}"
