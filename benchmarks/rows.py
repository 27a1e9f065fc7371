"""The tidy rows that the sections yield: one measured number a row, with all that says what it is."""

from collections.abc import Iterable

from timing import Summary

KEYS = ("section", "measure", "contestant", "layers", "k", "models", "processes", "samples", "images")
VALUES = ("value", "lowest", "highest", "unit", "extrapolated")
PROVENANCE = ("machine", "cores", "threads", "products", "compiled", "torch", "commit", "load", "date")
COLUMNS = (*KEYS, *VALUES, *PROVENANCE)

Row = dict[str, object]


def row(
    section: str, measure: str, contestant: str, value: Summary, unit: str, extrapolated: bool = False, **keys: int
) -> Row:
    """A row without its provenance.

    Args:
        section: The section that measured it.
        measure: What was measured: ``rate``, ``ratio``, ``share``, ``time``, ``memory``, ...
        contestant: Of what.
        value: Median and range over the rounds.
        unit: The value's unit.
        extrapolated: Whether it was computed from a smaller measurement.
        keys: Any of `KEYS` that are numbers.
    """
    unknown = set(keys) - set(KEYS)
    if unknown:
        raise ValueError(f"no such column: {sorted(unknown)}")
    named = {"section": section, "measure": measure, "contestant": contestant, **keys}
    digits = {name: float(f"{number:.6g}") for name, number in value._asdict().items()}
    values = {"value": digits["median"], "lowest": digits["lowest"], "highest": digits["highest"]}
    return {name: named.get(name, "") for name in KEYS} | values | {"unit": unit, "extrapolated": int(extrapolated)}


def with_provenance(rows: Iterable[Row], provenance: Row) -> list[Row]:
    """The rows with where and when they were measured."""
    return [{**measured, **{name: provenance[name] for name in PROVENANCE}} for measured in rows]
