"""How settings are declared: a field of a frozen record each, with its meaning, unit, source and possible values.

From a declaration are made the check of a configuration (`iwae.study.problems`), the flags of the command line with
their help (`iwae.study.flags`), the settings in manifests, and the checks below. So a new setting is one field, beside
the code that reads it and its line in config.yaml. Standard library only.
"""

import dataclasses
import difflib
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Literal, TypeAlias, get_args, get_origin, get_type_hints

from iwae.errors import InputError

_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    dict: "a group of keys",
}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Declaration:
    """What is known of one setting.

    Attributes:
        about: What it is, as a phrase.
        unit: The unit of its number, if it has one.
        source: Where the paper or its authors' code has it; empty if it is our own.
        least: Its least number, or that of each entry of a list.
        most: Its greatest number, or that of each entry of a list.
        above: The number that it must be above.
        below: The number that it must be below.
        choices: The values that it may have, any if there are none.
        form: A regular expression for the whole text.
        advice: What the text must be, in words.
        empty: Whether a list may be empty.
        later: Whether it was added after results had been recorded: it is left out of the settings that manifests keep
            where it has its default, so that those results stay current.
        key: Its name in the configuration, where that is not the field's.
        kind: ``int``, ``float``, ``bool``, ``str`` or ``dict``: of the value, or of each entry of a list.
        many: Whether it is a list.
        optional: Whether None is possible.
    """

    about: str
    unit: str = ""
    source: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    choices: Collection[Any] = ()
    form: str = ""
    advice: str = ""
    empty: bool = False
    later: bool = False
    key: str = ""
    kind: type = str
    many: bool = False
    optional: bool = False


Group: TypeAlias = Mapping[str, "Declaration | Group"]
"""Declarations by their key in the configuration; a group may hold groups."""


def setting(default: Any, about: str, **known: Any) -> Any:
    """A field of a record of settings; `known` are further attributes of its `Declaration`."""
    return dataclasses.field(default=default, metadata={"declaration": Declaration(about, **known)})


def key(about: str, **known: Any) -> Any:
    """A field that only describes a key of the configuration, where its value stands."""
    return setting(dataclasses.MISSING, about, **known)


def declarations(record: type) -> dict[str, Declaration]:
    """The declared settings of a record by their field's name, their types as the annotations say."""
    return _declared(record)


@cache
def _declared(record: type) -> dict[str, Declaration]:
    hints = get_type_hints(record)
    fields = {field.name: field.metadata.get("declaration") for field in dataclasses.fields(record)}
    return {name: _typed(found, hints[name]) for name, found in fields.items() if found}


def group(record: type) -> dict[str, Declaration]:
    """The declared settings of a record by their key in the configuration."""
    return {found.key or name: found for name, found in declarations(record).items()}


def _typed(found: Declaration, hint: Any) -> Declaration:
    optional = isinstance(hint, UnionType)
    if optional:
        (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
    if get_origin(hint) is Literal:
        return replace(found, choices=get_args(hint), optional=optional)
    many = get_origin(hint) is tuple
    return replace(found, kind=get_args(hint)[0] if many else get_origin(hint) or hint, many=many, optional=optional)


def faults(value: Any, declared: Declaration) -> Iterator[str]:
    """What is wrong with a value, a list or tuple where there may be many, and what would be right."""
    if value is None and declared.optional:
        return
    if declared.many and not isinstance(value, list | tuple):
        hint = "" if value is None or isinstance(value, dict) else f"; write [{shown(value)}]"
        yield f"{given(value)} must be a list{hint}"
        return
    if not declared.many:
        yield from _entry_faults(value, declared)
        return
    if not value and not declared.empty:
        yield "the list is empty: give at least one value"
    twice = [entry for index, entry in enumerate(value) if entry in value[:index]]
    if twice:
        yield f"{', '.join(dict.fromkeys(map(shown, twice)))} is given more than once"
    for entry in value:
        yield from _entry_faults(entry, declared)


def _entry_faults(value: Any, declared: Declaration) -> Iterator[str]:
    kind, known = declared.kind, declared.choices
    if known and not (_is(value, kind) and value in known):
        near = suggestion(value, known) if isinstance(value, str) else ""
        yield f"{value!r} is unknown: use one of {', '.join(map(str, known))}{near}"
    elif not _is(value, kind):
        hint = number_as_text(value, whole=kind is int) if kind in (int, float) else ""
        if declared.form and type(value) in (int, float) and re.fullmatch(declared.form, str(value)):
            hint = f'; write "{value}" in quotes'
        yield f"{given(value)} must be {_KINDS[kind]}{' or null' if declared.optional else ''}{hint}"
    elif declared.least is not None and value < declared.least:
        yield f"{value} is impossible: it must be {declared.least} or more"
    elif declared.most is not None and value > declared.most:
        yield f"{value} is impossible: it must be {declared.most} or less"
    elif declared.above is not None and value <= declared.above:
        yield f"{value} is impossible: it must be above {declared.above}"
    elif declared.below is not None and value >= declared.below:
        yield f"{value} is impossible: it must be below {declared.below}"
    elif declared.form and not re.fullmatch(declared.form, value):
        yield f"{value!r} is impossible: {declared.advice}"


def suggestion(word: Any, known: Iterable[Any]) -> str:
    """``; did you mean "seeds"?`` if one of the `known` words resembles `word`, else nothing."""
    matches = difflib.get_close_matches(str(word), [str(entry) for entry in known], n=1)
    return f'; did you mean "{matches[0]}"?' if matches else ""


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


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a kind: true is no number, 20.0 no whole number, and infinity no number at all."""
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def shown(text: Any) -> str:
    """What stands in a file as it stands there, quoted where it would break the line."""
    return str(text) if str(text).isprintable() and str(text) else repr(text)


def given(value: Any) -> str:
    """A value as a sentence names it."""
    return "an empty value" if value is None else repr(value)


@dataclass(frozen=True)
class Settings:
    """Base of the records of settings: checks that values are possible, and writes itself as a dictionary."""

    title: ClassVar[str] = ""  # what stands before a setting's name in a sentence

    def __post_init__(self) -> None:
        for name, found in declarations(type(self)).items():
            value = getattr(self, name)
            for fault in faults(value, found):
                listed = f"{list(value)}: " if found.many and isinstance(value, list | tuple) else ""
                raise InputError(f"{self.title}{name} = {listed}{fault}.")
            if value is None:
                continue
            if found.many:
                object.__setattr__(self, name, tuple(value))
            elif found.kind is float:  # 0 and 0.0 are one setting, so written alike
                object.__setattr__(self, name, float(value))

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON keeps them: a list for a tuple, and nothing that came later and has its default."""
        later = {name for name, found in declarations(type(self)).items() if found.later}
        return {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name not in later or getattr(self, field.name) != field.default
        }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.as_dict() if hasattr(value, "as_dict") else value
