"""What the figures share: names, looks and legends. Sizes and the cycle of colours are in matplotlibrc."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import cycle
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from iwae.reporting.quantities import measured
from iwae.reporting.statements import counted, model_name, span
from iwae.reporting.study import Kind, Model, StudyResults, kind_name
from iwae.study.registry import OBJECTIVES

STYLE = Path(__file__).resolve().parents[4] / "matplotlibrc"  # of the repository, where this file is in a checkout
WIDTH = 7.2  # inches: the text width of a page
NARROW = 5.0  # inches: for a single column of panels, and wide enough for a legend
GREY = "0.45"
MARKERS = "os^DvP"
MODEL = ["dataset", "layers", "objective", "k"]  # the columns that name a kind of model
RANGE: dict[str, Any] = {"errorbar": ("pi", 100), "err_kws": {"alpha": 0.2, "linewidth": 0}}  # band, lowest to highest
_LOOK = ("palette", "dashes", "markers")  # as seaborn names a line's colour, dashes and marker
_LETTERS = 21  # of a remark, to the inch


_log = logging.getLogger(__name__)


class Drawing(NamedTuple):
    """A figure of a module that has several: what it shows, of a study and kinds of models, and the drawing of that."""

    data: Callable[[StudyResults, Sequence[Kind]], Any]
    draw: Callable[[Any], Figure]


def project_style() -> AbstractContextManager[None]:
    """Draw and save in the style of the repository's ``matplotlibrc``, whatever the working directory.

    Where the package is installed without the repository, matplotlib's choice of file stands, and a warning says so.
    """
    if STYLE.is_file():
        return mpl.rc_context(fname=STYLE)
    _log.warning(
        "Figures are drawn in the style of %s: for this project's, set MATPLOTLIBRC to its repository's matplotlibrc.",
        mpl.matplotlib_fname(),
    )
    return mpl.rc_context()


def k_markers(ks: Iterable[int]) -> dict[int, str]:
    """A marker for each k."""
    return dict(zip(sorted(set(ks)), cycle(MARKERS), strict=False))


def stacked(models: Iterable[Model], section: str, **renamed: str) -> pd.DataFrame:
    """The CSV file of one step of several models, one below the other, with columns that name each and its seed."""
    parts = []
    for model in models:
        words = {name: getattr(model.spec, name) for name in (*MODEL, "seed")} | {"model": kind_name(model.kind)}
        parts.append(model.table(section).rename(columns=renamed).assign(**words))
    return pd.concat(parts, ignore_index=True)


def by_seed(study: StudyResults, models: Iterable[Model], **quantities: str) -> pd.DataFrame:
    """Columns model, seed and a quantity each, a row for each of the models that have all of these."""
    rows = []
    for model in models:
        found = {name: measured(study, quantity, model) for name, quantity in quantities.items()}
        values = {name: each.value for name, each in found.items() if each}
        if len(values) == len(found):
            rows.append({"model": kind_name(model.kind), "seed": model.spec.seed, **values})
    return pd.DataFrame(rows)


def looks(frame: pd.DataFrame) -> dict[str, Any]:
    """For seaborn: colour and dashes of each objective, and a marker of each k."""
    markers = k_markers(frame.k).items()
    return look_of({model_name(n, k): (one.colour, one.dashes, m) for n, one in OBJECTIVES.items() for k, m in markers})


def look_of(lines: dict[str, tuple[str, Any, str]]) -> dict[str, Any]:
    """For seaborn: colour, dashes and marker of each line by its name."""
    parts = zip(*lines.values(), strict=True)
    return {part: dict(zip(lines, each, strict=True)) for part, each in zip(_LOOK, parts, strict=True)}


def names(frame: pd.DataFrame, columns: Sequence[str], words: Callable[..., str] | None = None) -> pd.Categorical:
    """A name for each row, in words made of its values in `columns` and ordered as these."""
    ordered = frame.assign(objective=pd.Categorical(frame.objective, list(OBJECTIVES)))
    if "prior" in frame:
        ordered["prior"] = pd.Categorical(frame.prior, frame.prior.unique())
    groups = ordered.groupby(list(columns), observed=True)
    plain: dict[str, Callable[..., str]] = {
        "layers": lambda layers: counted(layers, "layer"),
        "objective": lambda name: OBJECTIVES[name].label,
        "k": "k={}".format,
    }
    told = {name: plain.get(name, str) for name in columns if name in plain or frame[name].nunique() > 1}

    def listed(*key: Any) -> str:
        return ", ".join(told[name](value) for name, value in zip(columns, key, strict=True) if name in told)

    return pd.Categorical.from_codes(groups.ngroup(), [(words or listed)(*key) for key, _ in groups])


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure of so many inches, and its grid of panels, (rows, columns), which matplotlib lays out."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def seeds_words(frame: pd.DataFrame, what: str = "line and band: mean and range") -> str:
    """What is drawn of several seeds, the last line of a legend's title: empty for one seed."""
    seeds = frame.groupby(MODEL).seed.nunique()
    return "" if seeds.max() == 1 else f"\n{what} of {span(seeds, 0)} seeds"


def error_entries(frame: pd.DataFrame, what: str) -> list[Artist]:
    """What a legend says of thin bars and of bands: one standard error, and the range of several seeds."""
    several = frame.groupby(MODEL).seed.nunique().max() > 1
    band = Patch(color=GREY, label="range of seeds", **RANGE["err_kws"])
    return [error_entry(what), band] if several else [error_entry(what)]


def error_entry(what: str, marker: str = "|") -> Artist:
    """What a legend says of thin bars."""
    return Line2D([], [], color=GREY, marker=marker, markersize=9, linestyle="", label=f"one standard error {what}")


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int, title: str | None = None) -> None:
    """One legend for all panels, below them; its title may be the label that they share."""
    legend = figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, title=title)
    legend.get_title().set(fontsize="medium", multialignment="center")


def remark(figure: Figure, lines: Sequence[str]) -> None:
    """What must be known of all that a figure shows, above it."""
    lines = [part for line in lines for part in wrap(line, round(_LETTERS * figure.get_figwidth()))]
    if lines:
        figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize="small", color=GREY)
        figure.set_figheight(figure.get_figheight() + 0.16 * len(lines) + 0.1)
