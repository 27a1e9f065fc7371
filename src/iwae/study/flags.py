"""Settings on the command line: their flags with help, the record that flags stand for, and flags for a record.

Flags are named as fields are, ``--batch-size`` for ``batch_size``, with the section's name in front where one command
takes the settings of several sections: ``--likelihood-samples``. Standard library only.
"""

from argparse import ArgumentTypeError, Namespace, _ActionsContainer
from dataclasses import fields
from typing import Any, TypeVar

from iwae.errors import InputError
from iwae.study.declaration import Declaration, Settings, declarations

Record = TypeVar("Record", bound=Settings)


def add_flags(parser: _ActionsContainer, record: type[Settings], section: str = "") -> None:
    """Add a flag for each declared setting of a record to a parser or a group of its arguments."""
    defaults = {field.name: field.default for field in fields(record)}
    for name, found in declarations(record).items():
        parser.add_argument(
            _flag(name, section),
            type=_truth if found.kind is bool else found.kind,
            nargs="*" if found.many else None,
            default=defaults[name],
            metavar=name.upper(),
            help=_help(found, defaults[name]),
        )


def settings_of(options: Namespace, record: type[Record], section: str = "", **others: Any) -> Record:
    """The record that parsed flags stand for; `others` are values of fields that have no flag.

    Raises:
        InputError: A value is impossible; the sentence begins with the section.
    """
    names = declarations(record)
    values = {name: getattr(options, _flag(name, section)[2:].replace("-", "_")) for name in names}
    try:
        return record(**values, **others)
    except InputError as error:
        raise InputError(f"{section}: {error}" if section else str(error)) from error


def as_flags(settings: Settings, section: str = "") -> list[str]:
    """A record as flags with their values, such as ``--surgery-sizes 1000 10000``; without those that are None."""
    found = {name: getattr(settings, name) for name in declarations(type(settings))}
    return [" ".join([_flag(name, section), *_words(value)]) for name, value in found.items() if value is not None]


def _flag(name: str, section: str) -> str:
    return "--" + "-".join(filter(None, (section, name))).replace("_", "-")


def _words(value: Any) -> list[str]:
    values = value if isinstance(value, tuple) else (value,)
    return [str(entry).lower() if isinstance(entry, bool) else str(entry) for entry in values]


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ArgumentTypeError(f"{text!r} is neither true nor false")
    return text == "true"


def _help(found: Declaration, default: Any) -> str:
    unit = f", in {found.unit}" if found.unit else ""
    shown = "none" if default is None else " ".join(_words(default))
    source = f"; {found.source}" if found.source else ""
    return f"{found.about}{unit} (default: {shown}{source})".replace("%", "%%")
