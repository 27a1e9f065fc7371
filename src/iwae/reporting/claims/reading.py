"""The claims of ``claims.yaml``; what is wrong with an entry is an error here, and never a verdict."""

import inspect
import string
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from iwae.errors import InputError
from iwae.reporting.claims.checks import CHECKS
from iwae.reporting.claims.rules import RULES, Claim
from iwae.reporting.quantities import QUANTITIES
from iwae.reporting.reference import paper_kinds
from iwae.reporting.study import kind_name
from iwae.study.registry import DATASETS

_KEYS = {"id", "claim", "place", "quantity", "datasets", "rule", "with", "test", "remarks", "source", "exploratory"}
_OPTIONAL = {"with", "remarks", "place", "source", "exploratory"}
_MEASURED = ("bound", "deviation", "elbo_of_q_ew")  # what identities are about
_RULES: dict[str, Mapping[str, Any]] = {"claims": RULES, "identities": CHECKS}


@dataclass(frozen=True)
class Claims:
    """What ``claims.yaml`` holds and explains.

    `binarization` has a number for each data set; `taken_over` names those of which it was not measured, each with the
    one that it was taken over from.
    """

    claims: tuple[Claim, ...]
    identities: tuple[Claim, ...]
    images: Mapping[str, Mapping[str, int]]
    binarization: Mapping[str, float]
    taken_over: Mapping[str, str]


def read_claims() -> Claims:
    """The claims of ``claims.yaml``, one for each data set or model.

    Raises:
        InputError: An entry names a rule, a quantity, a data set, a parameter or a key that there is not.
    """
    return claims_of(yaml.safe_load((files(__package__) / "claims.yaml").read_text(encoding="utf-8")))


def claims_of(content: Mapping[str, Any]) -> Claims:
    """The claims of a file like ``claims.yaml``, from its content; errors as for `read_claims`."""
    for part, rules in _RULES.items():
        for entry in content[part]:
            _check(entry, part, rules)
    claims, identities = (tuple(claim for entry in content[part] for claim in _expanded(entry)) for part in _RULES)
    spread = content["binarization"]
    taken_over = {dataset: given for dataset, given in spread.items() if given in spread}
    return Claims(
        claims, identities, content["images"], spread | {to: spread[of] for to, of in taken_over.items()}, taken_over
    )


def _check(entry: Mapping[str, Any], part: str, rules: Mapping[str, Any]) -> None:
    where = f"claims.yaml, {entry.get('id', entry)!r}"
    _require(where, "key", entry, _KEYS)
    for key in sorted(_KEYS - _OPTIONAL - set(entry)):
        raise InputError(f"{where}: the key {key!r} is missing.")
    _require(where, "rule", [entry["rule"]], rules)
    _require(where, "quantity", entry["quantity"].split(" and "), QUANTITIES if part == "claims" else _MEASURED)
    _require(where, "data set", entry["datasets"], DATASETS)
    given, names = entry.get("with", {}), list(inspect.signature(rules[entry["rule"]]).parameters.values())[2:]
    _require(where, f"parameter of the rule {entry['rule']}", given, [name.name for name in names])
    for name in (name.name for name in names if name.default is name.empty and name.name not in given):
        raise InputError(f"{where}: the parameter {name!r} of the rule {entry['rule']} is missing.")
    for value in (value for value in given.values() if isinstance(value, Mapping)):
        _require(where, "data set with a value", entry["datasets"], value)
    fields = [field for _, field, _, _ in string.Formatter().parse(entry["test"]) if field]
    _require(where, "parameter in the test", fields, given)


def _require(where: str, what: str, names: Collection[str], known: Collection[str]) -> None:
    for name in (name for name in names if name not in known):
        raise InputError(f"{where}: the {what} {name!r} is unknown: use one of {', '.join(sorted(known)) or 'none'}.")


def _expanded(entry: dict[str, Any]) -> Iterator[Claim]:
    for dataset in entry["datasets"]:
        parameters = {
            name: given[dataset] if isinstance(given, Mapping) else given
            for name, given in entry.get("with", {}).items()
        }
        remark = entry.get("remarks", {}).get(dataset)
        kinds = paper_kinds(dataset) if entry["rule"] == "value" else {None: entry.get("place")}
        for kind, place in kinds.items():
            yield Claim(
                id="-".join([entry["id"], dataset if kind is None else kind_name(kind).replace("/", "-")]),
                text=" ".join(filter(None, [entry["claim"], remark])),
                place=place,
                quantity=entry["quantity"],
                rule=entry["rule"],
                parameters=parameters,
                test=entry["test"].format_map(parameters),
                dataset=dataset,
                kind=kind,
                source=entry.get("source", ""),
                exploratory=entry.get("exploratory", {}).get(dataset, ""),
            )
