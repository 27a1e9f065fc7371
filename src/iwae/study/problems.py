"""What a configuration gets wrong by its declarations, in sentences for the person who wrote it.

All problems are found in one pass, one line each, named by the key as it stands in the file. This module knows
declarations, not studies; `iwae.study.configuration` knows what the values mean. Standard library only.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from iwae.study.declaration import Group, faults, given, shown, suggestion


def problems(config: Any, declared: Group, place: str = "") -> Iterator[str]:
    """One line for each way in which `config` departs from its declarations, ``place`` being the group's name."""
    if not isinstance(config, dict):
        hint = f"; write {{run: {str(config).lower()}}}" if isinstance(config, bool) and "run" in declared else ""
        yield f"{place or 'the configuration'}: {given(config)} must be a group of keys{hint}"
        return
    for key in config:
        if key not in declared:
            known = suggestion(key, declared) or f": use {', '.join(declared)}"
            known = ": the group cannot be turned off" if place and key == "run" else known
            yield f"{_join(place, key)}: unknown key{known}"
    for key, entry in declared.items():
        name = _join(place, key)
        if key not in config:
            yield f"{name}: the key is missing"
        elif isinstance(entry, Mapping):
            yield from problems(config[key], entry, name)
        else:
            yield from dict.fromkeys(f"{name}: {sentence}" for sentence in faults(config[key], entry))


def _join(place: str, key: Any) -> str:
    return f"{place}.{shown(key)}" if place else shown(key)
