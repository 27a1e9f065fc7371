"""The benchmark, run by ``python -m iwae benchmark``, which hands its options over as the global name ``options``."""

import argparse
import csv
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import evaluation
import scaling
import training
from figure import write_figure
from report import report
from rows import COLUMNS, Row, with_provenance
from workload import Effort, Place, effort_for

from iwae.device import can_compile, choose_device, configure, describe, fastest_matmul
from iwae.files import write_rows, write_text
from iwae.study import manifest

SECTIONS: dict[str, Callable[[Place, Effort], Iterator[Row]]] = {
    "training": training.measure,
    "evaluation": evaluation.measure,
    "surgery": evaluation.measure_surgery,
    "scaling": scaling.measure,
    "cores": training.measure_cores,
}
_log = logging.getLogger("iwae.benchmark")


def main(options: argparse.Namespace) -> None:
    """Measure the sections asked for and write the files of the device anew."""
    device = choose_device(options.device)
    configure(device, options.threads)
    place = Place(device, options.threads, fastest_matmul(device, 1000))
    place.configure()
    stem = place.device.type + ("-quick" if options.quick else "")
    rows = run_sections(
        place, effort_for(place.device, options.quick), options.sections, options.output / f"{stem}.csv"
    )
    write_text(options.output / f"{stem}.md", report(rows, stem))
    write_figure(rows, options.output / stem)
    _log.info("%s: tables; beside it the figure and the numbers as CSV", options.output / f"{stem}.md")


def run_sections(place: Place, effort: Effort, names: Sequence[str], path: Path) -> list[dict[str, str]]:
    """Measure sections; after each, write the CSV at `path`, in which the rows of other sections are kept."""
    for name in names:
        _log.info("%s ...", name)
        measured = with_provenance(SECTIONS[name](place, effort), provenance(place))
        write_rows(path, sorted([*_others(path, name), *measured], key=_section_order))
    return read_rows(path)


def provenance(place: Place) -> Row:
    """Where and when, as it stands in each row."""
    code, machine = manifest.code_provenance(), describe(place.device, place.threads)
    return {
        "machine": machine["device"],
        "cores": os.cpu_count(),
        "threads": place.threads,
        "products": machine["products"],
        "compiled": int(can_compile(place.device)),
        "torch": code["torch"],
        "commit": code["git_commit"] or "",
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV of this benchmark, none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _others(path: Path, section: str) -> list[dict[str, str]]:
    rows = [row for row in read_rows(path) if row["section"] != section]
    return [{name: row[name] for name in COLUMNS} for row in rows]


def _section_order(row: Row) -> int:
    return list(SECTIONS).index(str(row["section"]))


if __name__ == "__main__":
    main(globals()["options"])
