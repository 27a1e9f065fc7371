"""The figure of a benchmark: ratios to eager code, shares of the matrix-product rate, and scaling."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from report import Rows, select

STYLE = Path(__file__).resolve().parents[1] / "matplotlibrc"
_BARS = {"ratio": "Updates per second, times eager code", "share": "Share of the matrix-product rate, %"}
_GROWTH = {
    "k": ("Training: cost against k", "importance samples k", "ms per update"),
    "models": ("Training: cost against M", "models M in the stack (k = 5)", "ms per update of the stack"),
    "samples": ("Evaluation: cost against samples", "samples of an image", "ms per evaluation"),
}
_HATCHES = ("", "///", "...", "xxx", "\\\\\\")


def write_figure(rows: Rows, stem: Path) -> None:
    """Write the figure as ``{stem}.png`` and ``{stem}.pdf``, where there is anything to draw.

    Its numbers are the benchmark's CSV.
    """
    if not select(rows, section="training") + select(rows, section="scaling"):
        return
    with matplotlib.rc_context(fname=str(STYLE)):
        figure = draw(rows)
        figure.savefig(stem.with_name(f"{stem.name}.png"))
        figure.savefig(stem.with_name(f"{stem.name}.pdf"), metadata={"CreationDate": None})


def draw(rows: Rows) -> Figure:
    """The bars above, the lines below; a row without numbers is left out."""
    bars = [measure for measure in _BARS if select(rows, section="training", measure=measure)]
    lines = [axis for axis in _GROWTH if select(rows, section="scaling", contestant=axis)]
    height = bool(bars) + bool(lines)
    figure = Figure(figsize=(9, 2.6 * height))
    grid = figure.add_gridspec(height, 6)
    for place, measure in enumerate(bars):
        axes = figure.add_subplot(grid[0, 3 * place : 3 * place + 3])
        _draw_bars(axes, rows, measure)
        if place == 0:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=6)
    for place, axis in enumerate(lines):
        _draw_growth(figure.add_subplot(grid[-1, 2 * place : 2 * place + 2]), rows, axis)
    return figure


def _draw_bars(axes: Axes, rows: Rows, measure: str) -> None:
    some = [row for row in select(rows, section="training", measure=measure) if row["contestant"].startswith("engine")]
    cases = list(dict.fromkeys((row["layers"], row["k"]) for row in some))
    series = list(dict.fromkeys((row["contestant"], row["models"]) for row in some))
    width = 0.8 / len(series)
    for place, (contestant, models) in enumerate(series):
        mine = select(some, contestant=contestant, models=models)
        at = [cases.index((row["layers"], row["k"])) + (place + 0.5) * width - 0.4 for row in mine]
        label, hatch = f"{contestant}, M = {models}", _HATCHES[place % len(_HATCHES)]
        axes.bar(at, _values(mine), 0.9 * width, yerr=_ranges(mine), label=label, hatch=hatch, error_kw={"lw": 0.8})
    axes.set_xticks(range(len(cases)), [f"{layers} layer{'s' * (layers != '1')}\nk = {k}" for layers, k in cases])
    axes.grid(axis="x", visible=False)
    axes.set_title(_BARS[measure])
    axes.axhline(1 if measure == "ratio" else 100, color="0.3", lw=0.8, ls="--")


def _draw_growth(axes: Axes, rows: Rows, axis: str) -> None:
    some = select(rows, section="scaling", contestant=axis, measure="time")
    sizes, times = [int(row[axis]) for row in some], _values(some)
    axes.errorbar(sizes, times, yerr=_ranges(some), marker="o", capsize=2, label="measured")
    # Through the smallest size: a cost below the line has grown more slowly than its size.
    linear = [times[0] * size / sizes[0] for size in sizes]
    axes.plot(sizes, linear, color="0.3", ls="--", lw=0.8, label="in proportion")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for lines in (axes.xaxis, axes.yaxis):
        lines.set_minor_locator(NullLocator())
        lines.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    title, x_label, y_label = _GROWTH[axis]
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(loc="upper left")


def _values(rows: Rows) -> list[float]:
    return [float(row["value"]) for row in rows]


def _ranges(rows: Rows) -> Sequence[list[float]]:
    below = [float(row["value"]) - float(row["lowest"]) for row in rows]
    return below, [float(row["highest"]) - float(row["value"]) for row in rows]
