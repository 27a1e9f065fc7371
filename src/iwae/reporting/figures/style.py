"""What the figures share: how models are told apart, panels, and how seeds are summed up. Sizes are in matplotlibrc."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iwae.reporting.statements import counted
from iwae.settings import SCHEDULE_STAGES

WIDTH = 7.2  # inches: the text width of a page
NARROW = 5.0  # inches: for a single panel
GREY = "0.45"


@dataclass(frozen=True)
class Mark:
    """Colour, marker and line style, each of which tells apart by itself."""

    color: str
    marker: str
    linestyle: Any

    def line(self) -> dict[str, Any]:
        """The arguments of a line with markers."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}


OBJECTIVE_MARKS = {"vae": Mark("C0", "o", "-"), "iwae": Mark("C1", "s", (0, (5, 2)))}
_K_MARKERS = ("o", "s", "^", "D", "v", "P")
_K_LINES: tuple[Any, ...] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.2)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)


def k_mark(ks: Sequence[int], k: int) -> Mark:
    """How the models trained with k samples are drawn, k being one of `ks`."""
    place = sorted(ks).index(k)
    return Mark(f"C{place + 2}", _K_MARKERS[place % len(_K_MARKERS)], _K_LINES[place % len(_K_LINES)])


def panel_title(layers: int, stages: int, dataset: str | None = None) -> str:
    """Such as ``2 layers``, and how far the schedule was run where it was cut."""
    parts = [] if dataset is None else [dataset]
    parts.append(counted(layers, "layer"))
    if stages != SCHEDULE_STAGES:
        parts.append(f"cut after {stages} of {SCHEDULE_STAGES} stages")
    return ", ".join(parts)


def panels(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """A figure of the page's width with `rows` x `columns` panels, each row `height` inches high.

    One column alone is narrower, and wide enough for a legend.
    """
    figure = Figure(figsize=(WIDTH if columns > 1 else NARROW, height * rows))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def over_seeds(frame: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """The mean over seeds of `columns`, and their range as ``{column}_min`` and ``{column}_max``."""
    kinds = {"": "mean", "_min": "min", "_max": "max"}
    wanted = {f"{column}{suffix}": (column, kind) for column in columns for suffix, kind in kinds.items()}
    return frame.groupby(list(keys), sort=False).agg(seeds=("seed", "nunique"), **wanted).reset_index()


def seeds_words(frame: pd.DataFrame, what: str = "line and band: mean and range") -> str:
    """What is drawn of several seeds, the last line of a legend's title: empty for one seed."""
    most = int(frame.seeds.max())
    return "" if most == 1 else f"\n{what} of {most} seeds"


def legend_below(figure: Figure, handles: Sequence[Any], columns: int, title: str | None = None) -> None:
    """One legend for all panels, below them; its title may be the label that they share."""
    legend = figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, title=title)
    legend.get_title().set_fontsize("medium")
    legend.get_title().set_multialignment("center")
