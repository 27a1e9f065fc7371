"""The audit for people: ``audit.md`` and ``audit.html``, both from the content of ``audit.json``."""

from collections.abc import Iterable
from typing import Any

from iwae.reporting.claims.found import tallied
from iwae.reporting.claims.verdicts import FAILS, NOT_RUN
from iwae.reporting.statistics import COVERAGE, Region
from iwae.reporting.tables.formats import EMPTY
from iwae.reporting.templates import render

_WORDS = {"NOT_RUN": [NOT_RUN], "FAILS": FAILS, "EMPTY": EMPTY}


def pages(content: dict[str, Any]) -> dict[str, str]:
    """The pages by their file's suffix: ``md`` and ``html``."""
    return {kind: render(f"audit.{kind}.jinja", _FILTERS, **content, **_WORDS, link="") for kind in ("md", "html")}


def found_section(found: dict[str, Any], link: str) -> str:
    """What was found, in Markdown, for a page that links to the claims of the audit at `link`."""
    return render("found.md.jinja", _FILTERS, found=found, link=link, coverage=COVERAGE).strip()


def _number(value: float | None, digits: int = 4) -> str:
    return EMPTY if value is None else f"{value:.{digits}g}"


def _region(effect: dict[str, Any]) -> str:
    return Region(**{end: effect[end] for end in ("low", "high") if effect[end] is not None}).words(6)


def _interval(ends: list[float] | None) -> str:
    return EMPTY if ends is None else " to ".join(f"{end:.5g}" for end in ends)


def _way(points: bool | None) -> str:
    return EMPTY if points is None else "yes" if points else "no"


def tally(points: Iterable[bool | None]) -> str:
    """How many of a claim's effects, or an identity's checks, are as they should be: ``3 of 4``."""
    known = [each for each in points if each is not None]
    return f"{sum(known)} of {len(known)}" if known else EMPTY


_FILTERS = {
    "number": _number,
    "region": _region,
    "interval": _interval,
    "way": _way,
    "tally": tally,
    "tallied": tallied,
}
