"""The audit for people: ``audit.md`` and ``audit.html``, both from the content of ``audit.json``."""

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from iwae.reporting.claims.found import tallied
from iwae.reporting.claims.verdicts import FAILS, NOT_RUN
from iwae.reporting.tables.formats import EMPTY

_PAGES = {"md": False, "html": True}  # each with whether its text is escaped for HTML


def pages(content: dict[str, Any]) -> dict[str, str]:
    """The pages by their file's suffix: ``md`` and ``html``."""
    return {kind: _environment(kind).get_template(f"audit.{kind}.jinja").render(content, link="") for kind in _PAGES}


def found_section(found: dict[str, Any], link: str) -> str:
    """What was found, in Markdown, for a page that links to the claims of the audit at `link`."""
    return _environment("md").get_template("found.md.jinja").render(found=found, link=link).strip()


@cache
def _environment(kind: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=_PAGES[kind],
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "number": _number,
        "region": _region,
        "interval": _interval,
        "way": _way,
        "tally": tally,
        "tallied": tallied,
    }
    environment.filters.update(filters)
    environment.globals.update({"NOT_RUN": [NOT_RUN], "FAILS": FAILS, "EMPTY": EMPTY})
    return environment


def _template(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _number(value: float | None, digits: int = 4) -> str:
    return EMPTY if value is None else f"{value:.{digits}g}"


def _region(effect: dict[str, Any]) -> str:
    """Where the claim says that an effect lies: ``above 0``, ``86.51 to 87.01``."""
    low, high = (None if effect[bound] is None else f"{effect[bound]:.6g}" for bound in ("low", "high"))
    if low is None:
        return f"below {high}"
    return f"above {low}" if high is None else f"{low} to {high}"


def _interval(ends: list[float] | None) -> str:
    """The ends of an interval: ``86.51 to 87.01``."""
    return EMPTY if ends is None else " to ".join(f"{end:.5g}" for end in ends)


def _way(points: bool | None) -> str:
    return EMPTY if points is None else "yes" if points else "no"


def tally(points: Iterable[bool | None]) -> str:
    """How many of a claim's effects, or an identity's checks, are as they should be: ``3 of 4``."""
    known = [each for each in points if each is not None]
    return f"{sum(known)} of {len(known)}" if known else EMPTY
