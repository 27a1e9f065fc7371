"""What a configuration gets wrong by its declarations, in sentences for the person who wrote it.

All problems are found in one pass, one line each, named by the key as it stands in the file. This module knows
declarations, not studies; `iwae.study.configuration` knows what the values mean. Standard library only.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iwae.study.declaration import Declaration, Group

_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    dict: "a group of keys",
}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def problems(config: Any, declared: Group, place: str = "") -> Iterator[str]:
    """One line for each way in which `config` departs from its declarations, ``place`` being the group's name."""
    if not isinstance(config, dict):
        yield f"{place or 'the configuration'}: {_given(config)} must be a group of keys"
        return
    for key in config:
        if key not in declared:
            yield f"{_join(place, key)}: unknown key{suggestion(key, declared)}"
    for key, entry in declared.items():
        name = _join(place, key)
        if key not in config:
            yield f"{name}: the key is missing"
        elif isinstance(entry, Mapping):
            yield from problems(config[key], entry, name)
        else:
            yield from dict.fromkeys(f"{name}: {sentence}" for sentence in _sentences(config[key], entry))


def suggestion(word: Any, known: Iterable[Any]) -> str:
    """``; did you mean "seeds"?`` if one of the `known` words resembles `word`, else nothing."""
    matches = difflib.get_close_matches(str(word), [str(entry) for entry in known], n=1)
    return f'; did you mean "{matches[0]}"?' if matches else ""


def shown(key: Any) -> str:
    """`key` as it stands in the file, quoted where it would break the line."""
    return str(key) if str(key).isprintable() and str(key) else repr(key)


def number_as_text(value: Any, whole: bool = False) -> str:
    """A hint for a number such as 1e-3, which YAML reads as text; else nothing. `whole`: it has no fraction."""
    if not (isinstance(value, str) and _NUMBER.fullmatch(value) and math.isfinite(float(value))):
        return ""
    mantissa, _, exponent = value.lower().partition("e")
    if whole and float(value).is_integer():
        value = str(int(float(value)))
    elif exponent:  # YAML 1.1 wants a point in the mantissa and a sign in the exponent
        value = f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent):+d}"
    # Snakemake takes all that stands in braces after --config for text, so there is no right way to write it there.
    return f"; it was read as text: write {value} without quotes, and into a file (--configfile) instead of --config"


def _sentences(value: Any, declared: Declaration) -> Iterator[str]:
    """What is wrong with the value of one key, and what would be right."""
    if value is None and declared.optional:
        return
    if not declared.many:
        yield from _faults(value, declared)
        return
    if not isinstance(value, list):
        hint = "" if value is None or isinstance(value, dict) else f"; write [{shown(value)}]"
        yield f"{_given(value)} must be a list{hint}"
        return
    if not value and not declared.empty:
        yield "the list is empty: give at least one value"
    twice = [entry for index, entry in enumerate(value) if entry in value[:index]]
    if twice:
        yield f"{', '.join(dict.fromkeys(map(shown, twice)))} is given more than once"
    for entry in value:
        yield from _faults(entry, declared)


def _faults(value: Any, declared: Declaration) -> Iterator[str]:
    """What is wrong with one value that is no list."""
    kind, known = declared.kind, declared.choices
    if known and not (_is(value, kind) and value in known):
        yield f"{value!r} is unknown: use one of {', '.join(map(str, known))}{suggestion(value, known)}"
    elif not _is(value, kind):
        hint = number_as_text(value, whole=kind is int) if kind in (int, float) else ""
        yield f"{_given(value)} must be {_KINDS[kind]}{' or null' if declared.optional else ''}{hint}"
    elif declared.least is not None and value < declared.least:
        yield f"{value} is impossible: it must be {declared.least} or more"
    elif declared.most is not None and value > declared.most:
        yield f"{value} is impossible: it must be {declared.most} or less"
    elif declared.form and not re.fullmatch(declared.form, value):
        yield f"{value!r} is impossible: {declared.advice}"


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a kind: true is no number, 20.0 no whole number, and infinity no number at all."""
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def _given(value: Any) -> str:
    return "an empty value" if value is None else repr(value)


def _join(place: str, key: Any) -> str:
    return f"{place}.{shown(key)}" if place else shown(key)
