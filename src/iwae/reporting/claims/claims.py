"""What a claim of a paper is: its place, its quantity, and the rule of its verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iwae.reporting.reference import paper
from iwae.reporting.study import Kind


@dataclass(frozen=True)
class Claim:
    """A claim about one data set or kind of models, as ``claims.yaml`` explains it, with the parameters of its rule."""

    id: str
    text: str
    place: str
    quantity: str
    rule: str
    parameters: Mapping[str, Any]
    test: str
    dataset: str
    kind: Kind | None = None
    source: str = ""


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
