"""How settings are declared: a field of a frozen record each, with its meaning, unit, source and possible values.

From a declaration are made the check of a configuration (`iwae.study.problems`), the flags of the command line with
their help (`iwae.study.flags`), the settings in manifests, and the checks below. So a new setting is one field, beside
the code that reads it and its line in config.yaml. Standard library only.
"""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import UnionType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from iwae.errors import InputError


@dataclass(frozen=True)
class Declaration:
    """What is known of one setting.

    Attributes:
        about: What it is, as a phrase.
        unit: The unit of its number, if it has one.
        source: Where the paper or its authors' code has it; empty if it is our own.
        least: Its least number, or that of each entry of a list.
        most: Its greatest number, or that of each entry of a list.
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


@cache
def declarations(record: type) -> dict[str, Declaration]:
    """The declared settings of a record by their field's name, their types as the annotations say."""
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
    many = get_origin(hint) is tuple
    return replace(found, kind=get_args(hint)[0] if many else get_origin(hint) or hint, many=many, optional=optional)


@dataclass(frozen=True)
class Settings:
    """Base of the records of settings: checks that values are possible, and writes itself as a dictionary."""

    def __post_init__(self) -> None:
        for name, found in declarations(type(self)).items():
            value = getattr(self, name)
            shown, entries = (list(value), value) if found.many else (value, (value,))
            each = "each must be" if found.many else "it must be"
            numbers = [entry for entry in entries if entry is not None]
            if found.least is not None and min(numbers, default=found.least) < found.least:
                raise InputError(f"{name} = {shown} is impossible: {each} {found.least} or more.")
            if found.most is not None and max(numbers, default=found.most) > found.most:
                raise InputError(f"{name} = {shown} is impossible: {each} {found.most} or less.")
            if found.choices and not set(entries) <= set(found.choices):
                raise InputError(f"{name} = {shown} is unknown: use {', '.join(map(str, found.choices))}.")

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
