"""Keys that a YAML file has twice: its reader keeps the last of them and says nothing."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node

from iwae.errors import InputError


def refuse_repeated_keys(path: Path) -> None:
    """Refuse a file in which a group has a key twice; a file that is no YAML is for its reader to refuse.

    Raises:
        InputError: Some key stands there twice; the message names both lines.
    """
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return
    for place, first, second in _repeated(root, ""):
        raise InputError(
            f"{path}: the key {place} stands on line {first} and again on line {second}, where it would replace the "
            "first: keep one of them."
        )


def _repeated(node: Node | None, place: str) -> Iterator[tuple[str, int, int]]:
    """Each key that a group has twice, with its two lines."""
    lines: dict[str, int] = {}
    for key, value in node.value if isinstance(node, MappingNode) else ():
        name, line = f"{place}{key.value}", key.start_mark.line + 1
        if name in lines:
            yield name, lines[name], line
        lines[name] = line
        yield from _repeated(value, f"{name}.")
