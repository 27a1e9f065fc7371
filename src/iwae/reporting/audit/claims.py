"""The paper's claims, read from ``claims.yaml``: each with its place, its quantity, and the rule of its verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from iwae.reporting.audit.evidence import Kind
from iwae.reporting.reference import paper


@dataclass(frozen=True)
class Claim:
    """A claim about one data set.

    Attributes:
        id: Its name, such as ``two-layers-mnist``.
        text: What the paper claims, in our words.
        place: Where the paper claims it.
        quantity: What is compared.
        rule: The name of the function that says which effects it is about.
        parameters: The rule's parameters.
        test: When the claim is reproduced, in words.
        dataset: The data set.
        kind: The kind of model that it is about, where it is about one.
    """

    id: str
    text: str
    place: str
    quantity: str
    rule: str
    parameters: Mapping[str, Any]
    test: str
    dataset: str
    kind: Kind | None = None


@dataclass(frozen=True)
class Claims:
    """What ``claims.yaml`` holds.

    Attributes:
        claims: All claims.
        images: How many images each split of each data set has.
        binarization: Standard deviation over images of the difference of log p(x) between two binarizations of an image
            of each data set, in nats.
    """

    claims: tuple[Claim, ...]
    images: Mapping[str, Mapping[str, int]]
    binarization: Mapping[str, float]


def read_claims() -> Claims:
    """The claims of ``claims.yaml``, one for each data set or model."""
    content = yaml.safe_load((files("iwae.reporting") / "claims.yaml").read_text(encoding="utf-8"))
    claims = tuple(claim for entry in content["claims"] for claim in _expanded(entry))
    return Claims(claims, content["images"], content["binarization"])


def paper_kinds(dataset: str) -> dict[Kind, str]:
    """The kinds of models that the paper has numbers for, each with the table they stand in.

    At k = 1 the two objectives are one kind. For a data set of our own they are those of MNIST's grid.
    """
    table = paper()
    rows = table[table.dataset == dataset]
    if rows.empty:
        rows = table[(table.dataset == "mnist") & (table.variation == "")]
    return {
        Kind(dataset, row.layers, "vae" if row.k == 1 else row.objective, row.k, row.variation): row.source
        for row in rows.itertuples()
    }


def _expanded(entry: dict[str, Any]) -> Iterator[Claim]:
    parameters = entry.get("with", {})
    for dataset in entry["datasets"]:
        kinds = paper_kinds(dataset) if entry["rule"] == "value" else {None: entry.get("place")}
        for kind, place in kinds.items():
            yield Claim(
                id="-".join([entry["id"], dataset if kind is None else kind.name.replace("/", "-")]),
                text=entry["claim"],
                place=place,
                quantity=entry["quantity"],
                rule=entry["rule"],
                parameters=parameters,
                test=entry["test"].format_map(parameters),
                dataset=dataset,
                kind=kind,
            )
