"""What the workflow says at its end: Table 1 as text, and where to look next. Standard library only."""

import csv
import json
from pathlib import Path

from iwae.study.registry import OBJECTIVES

_HEADINGS = ("data", "layers", "k", "model", "nll", "paper", "active", "paper")


def closing_words(results: Path, figures: Path) -> str:
    """Table 1 and the places of all else, as far as they are there; empty if nothing is."""
    places = {
        "Summary": results / "README.md",
        "Table 1": results / "table1.md",
        "Figures": figures,
        "Numbers": results / "results.csv",
    }
    lines = [f"{name + ':':<10}{path}" for name, path in places.items() if path.exists()]
    if not lines:
        return ""
    table = results / "table1.csv"
    lines += ["Report:   snakemake --report report.html, with the same configuration"]
    lines += [f"Audit:    {_audit(results) or 'snakemake audit, likewise, which makes'} {results / 'audit.html'}"]
    return "\n".join(["", *(table1_lines(table) if table.is_file() else []), *lines])


def _audit(results: Path) -> str:
    """The counts of the study's audit in one line; empty if there is none, or one of an earlier version."""
    path = results / "audit.json"
    said = json.loads(path.read_text(encoding="utf-8")).get("summary") if path.is_file() else None
    return f"{said}:" if said else ""


def table1_lines(path: Path) -> list[str]:
    """The rows of a ``table1.csv`` as lines of text, with a note on what they are."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    shown = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) for cells in shown]
    notes = [f"Schedule: {text}" for text in dict.fromkeys(row["schedule"] for row in rows) if text]
    return [*lines, "", "nll in nats per image, lower is better; active: latent units in use.", *notes, ""]


def _cells(row: dict[str, str]) -> list[str]:
    ours = "active_units_authors" if row["activity_estimate"] == "one-sample" else "active_units"
    nll, paper = (f"{float(row[name]):.2f}" if row[name] else "-" for name in ("nll", "paper_nll"))
    units = [_units(row, name) for name in (ours, "paper_active")]
    return [row["dataset"], row["layers"], row["k"], OBJECTIVES[row["objective"]].label, nll, paper, *units]


def _units(row: dict[str, str], name: str) -> str:
    """Active units of each layer, ``16+5``."""
    counts = [row[f"{name}_{layer}"] for layer in (1, 2)]
    return "+".join(f"{round(float(count), 1):g}" for count in counts if count) or "-"
