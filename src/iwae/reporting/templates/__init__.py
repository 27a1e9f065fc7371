"""The templates of what reports write, rendered by jinja: those of HTML escape what they are given."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import jinja2

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FunctionLoader(lambda name: (files(__package__) / name).read_text(encoding="utf-8")),
    autoescape=lambda name: name is not None and ".html." in name,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(name: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """The template `name` with these values and filters."""
    _ENVIRONMENT.filters.update(filters)
    return _ENVIRONMENT.get_template(name).render(values)
