"""What a configuration gets wrong by its JSON schema, in sentences for the person who wrote it.

All problems are found in one pass, one line each, named by the key as it stands in the file. This module knows JSON
schemas, not studies; `iwae.study.configuration` knows what the values mean. jsonschema is imported where it is used,
because the rest of the library does without.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a group of keys",
    "null": "null",
}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def problems(instance: Any, schema: dict[str, Any]) -> list[str]:
    """One line for each way in which `instance` breaks `schema`; none if it is valid."""
    errors = sorted(_validator(schema).iter_errors(instance), key=lambda error: [str(part) for part in error.path])
    return list(dict.fromkeys(line for error in errors for line in _lines(error)))


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
    return f"; YAML reads it as text here: write {value} without quotes"


def _validator(schema: dict[str, Any]) -> Any:
    from jsonschema import Draft202012Validator, validators

    def is_integer(_: Any, value: Any) -> bool:  # JSON takes 20.0 for an integer; as part of a name it is not
        return isinstance(value, int) and not isinstance(value, bool)

    def is_number(_: Any, value: Any) -> bool:
        return is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))

    checker = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": is_integer, "number": is_number})
    return validators.extend(Draft202012Validator, type_checker=checker)(schema)


def _lines(error: Any) -> Iterator[str]:
    """The lines that tell of one error of jsonschema's."""
    place, value, rule = _place(error.absolute_path), error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in value.keys() - known.keys():
            yield f"{_join(place, key)}: unknown key{suggestion(key, known)}"
    elif error.validator == "required":
        for key in rule:
            if key not in value:
                yield f"{_join(place, key)}: the key is missing"
    else:
        yield f"{place or 'the configuration'}: {_sentence(error.validator, value, rule, error)}"


def _sentence(keyword: str, value: Any, rule: Any, error: Any) -> str:
    """What is wrong with one value, and what would be right."""
    if keyword == "type":
        kinds = [rule] if isinstance(rule, str) else rule
        hint = number_as_text(value, whole="integer" in kinds) if {"integer", "number"} & set(kinds) else ""
        if kinds == ["array"] and not isinstance(value, dict) and value is not None:
            hint = f"; write [{shown(value)}]"
        given = "an empty value" if value is None else repr(value)
        return f"{given} must be {' or '.join(_KINDS[kind] for kind in kinds)}{hint}"
    if keyword == "enum":
        return f"{value!r} is unknown: use one of {', '.join(map(str, rule))}{suggestion(value, rule)}"
    if keyword == "minItems":
        return "the list is empty: give at least one value"
    if keyword == "uniqueItems":
        twice = [entry for index, entry in enumerate(value) if entry in value[:index]]
        return f"{', '.join(map(str, dict.fromkeys(map(str, twice))))} is given more than once"
    if keyword in ("minimum", "maximum"):
        return f"{value} is impossible: it must be {rule} or {'more' if keyword == 'minimum' else 'less'}"
    if keyword == "pattern":
        return f"{value!r} is impossible: {error.schema.get('$comment', f'it must match {rule}')}"
    return error.message


def _place(path: Iterable[Any]) -> str:
    """``grid.k`` for a key; an entry of a list is named by its list."""
    return ".".join(str(part) for part in path if isinstance(part, str))


def _join(place: str, key: Any) -> str:
    return f"{place}.{shown(key)}" if place else shown(key)
