"""Rules that are statistical: each says which effects a claim is about, as contrasts, all of which must hold.

A function takes the evidence and the claim, and the claim's parameters by name. The effect of a
claim "A is above B" is the value of A minus that of B; of nll less is better.
"""

import inspect
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iwae.reporting.claims.evidence import Contrast, Evidence
from iwae.reporting.reference import paper, paper_kinds, paper_row
from iwae.reporting.reference import paper_range as text_range
from iwae.reporting.statements import counted
from iwae.reporting.statistics import Region
from iwae.reporting.study import Kind
from iwae.study.registry import ARCHITECTURES, OBJECTIVES, objectives_of, prior_label
from iwae.study.specification import PAPER_LATENTS, PAPER_UNITS, STANDARD

FAMILIES = ("values", "effects")  # of claims, each with a correction of its own for their number
_ABOVE, _BELOW = Region(low=0.0), Region(high=0.0)


@dataclass(frozen=True)
class Claim:
    """A claim about one data set or kind of models, as ``claims.yaml`` explains it, with the parameters of its rule."""

    id: str
    text: str
    place: str | None
    quantity: str
    rule: str
    parameters: Mapping[str, Any]
    test: str
    dataset: str
    kind: Kind | None = None
    source: str = ""
    exploratory: str = ""

    @property
    def family(self) -> str:
        """One of `FAMILIES`: values are held against the paper's own numbers."""
        return "values" if self.rule in VALUES else "effects"


def value(evidence: Evidence, claim: Claim, margin: float) -> Iterator[Contrast]:
    """The kind's own value, within `margin` of the paper's; active units layer by layer.

    At k = 1 the paper has a column for each objective: where they differ, ours must agree with both.
    """
    kind = claim.kind
    assert kind is not None  # of a claim on a value
    columns = (kind.objective,) if kind.variation else objectives_of(kind.objective, kind.k)  # of the paper's tables
    names = {f"active_{layer}": f"active units, layer {layer}" for layer in range(1, kind.layers + 1)}
    for quantity, label in ({"nll": "nll"} if claim.quantity == "nll" else names).items():
        numbers = {_paper_value(replace(kind, objective=name), quantity) for name in columns}
        for number in sorted(number for number in numbers if not np.isnan(number)):
            region = Region(number - margin, number + margin)
            yield Contrast(label, quantity, {kind: 1.0}, region, number, realised=True)


def falls_with_k(evidence: Evidence, claim: Claim, objective: str) -> Iterator[Contrast]:
    """The quantity at each k minus that at the next larger k, above zero."""
    for layers in _layers(claim.dataset):
        kinds = [_kind(claim.dataset, layers, objective, k) for k in _ks(claim.dataset)]
        for smaller, larger in itertools.pairwise(kinds):
            yield _minus(claim, smaller, larger)


def gains_less(evidence: Evidence, claim: Claim, share: float, least: float, harm: float) -> Iterator[Contrast]:
    """Gains over k = 1: the IWAE's above `least`; the VAE's above -`harm`, and below `share` of the IWAE's."""
    for layers, k in itertools.product(_layers(claim.dataset), _ks(claim.dataset)[1:]):
        one, vae, iwae = (_kind(claim.dataset, layers, *pair) for pair in (("vae", 1), ("vae", k), ("iwae", k)))
        yield _contrast(claim, f"gain of {_words(iwae)}", {one: 1.0, iwae: -1.0}, Region(low=least))
        yield _contrast(claim, f"gain of {_words(vae)}", {one: 1.0, vae: -1.0}, Region(low=-harm))
        label = f"gain of {_words(vae)} minus {share} times the gain of {_words(iwae)}"
        yield _contrast(claim, label, {one: 1.0 - share, vae: -1.0, iwae: share}, _BELOW)


def falls_with_layers(evidence: Evidence, claim: Claim) -> Iterator[Contrast]:
    """The quantity with one layer minus that with two, above zero."""
    for kind in _grid(claim.dataset):
        if kind.layers == 1:
            yield _minus(claim, kind, replace(kind, layers=2))


def iwae_above_vae(evidence: Evidence, claim: Claim) -> Iterator[Contrast]:
    """The quantity of the IWAE minus that of the VAE of the same k > 1, above zero."""
    for layers, k in itertools.product(_layers(claim.dataset), _ks(claim.dataset)[1:]):
        iwae, vae = (_kind(claim.dataset, layers, objective, k) for objective in ("iwae", "vae"))
        yield _minus(claim, iwae, vae)


def every_model(
    evidence: Evidence,
    claim: Claim,
    high: float,
    layers: Collection[int] = (1, 2),
    objectives: Collection[str] = tuple(OBJECTIVES),
) -> Iterator[Contrast]:
    """The quantity of each model of the grid, below `high`."""
    for kind in _grid(claim.dataset):
        if kind.layers in layers and kind.objective in objectives:
            yield _contrast(claim, _words(kind), {kind: 1.0}, Region(high=high))


def every_layer(evidence: Evidence, claim: Claim, high: float) -> Iterator[Contrast]:
    """The share of the units of each layer of each model of the grid that are active, below `high`."""
    for kind in _grid(claim.dataset):
        for layer in range(1, kind.layers + 1):
            label, quantity = f"{_words(kind)}, layer {layer}", f"active_share_{layer}"
            yield Contrast(label, quantity, {kind: 1.0}, Region(high=high), _paper_value(kind, quantity))


def paper_range(evidence: Evidence, claim: Claim, margin: float) -> Iterator[Contrast]:
    """The mean of the quantity over all models of the grid, within the text's range of their values, plus `margin`."""
    found, kinds = text_range(claim.quantity, claim.dataset), _grid(claim.dataset)
    region = Region(found.low - margin, found.high + margin)
    weights = dict.fromkeys(kinds, 1 / len(kinds))
    yield Contrast(f"mean over {len(kinds)} models", claim.quantity, weights, region, realised=True)


def paper_bound(evidence: Evidence, claim: Claim) -> Iterator[Contrast]:
    """The quantity of each model of the grid, its size below the bound that the paper's text gives."""
    bound = text_range(claim.quantity, claim.dataset).high
    for kind in _grid(claim.dataset):
        yield _contrast(claim, _words(kind), {kind: 1.0}, Region(-bound, bound))


def capacity(evidence: Evidence, claim: Claim, margin: float) -> Iterator[Contrast]:
    """The quantity of models with more latent units minus that of the paper's size, below `margin`."""
    for kind in sorted(evidence.study.by_kind):
        units, base = kind.latents or 0, replace(kind, variation="")
        if kind.dataset == claim.dataset and units > PAPER_LATENTS and kind.variation == f"z{units}":
            label = f"{_words(kind)}: {units} units minus {PAPER_LATENTS}"
            yield _minus(claim, kind, base, label, Region(high=margin))


def warm_start(
    evidence: Evidence, claim: Claim, origin: Sequence[Any], objective: str, k: int, better: bool
) -> Iterator[Contrast]:
    """The nll and the active units of the continued model minus those of the model it was continued from."""
    start = _kind(claim.dataset, 1, *origin)
    after = Kind(claim.dataset, 1, objective, k, 0, f"from-{start.objective}-k{start.k}")
    regions = {"nll": _BELOW, "active": _ABOVE} if better else {"nll": _ABOVE, "active": _BELOW}
    for quantity, region in regions.items():
        weights = {after: 1.0, start: -1.0}
        label = f"{quantity}, {_words(after)} minus {_words(start)}"
        yield Contrast(label, quantity, weights, region, _paper_sum(weights, quantity))


def above_dataset(evidence: Evidence, claim: Claim, base: str) -> Iterator[Contrast]:
    """The quantity on the claim's data set minus that of the same kind on `base`, above zero."""
    in_paper = any(paper().dataset == claim.dataset)  # a data set of our own: the models that the study has
    for kind in (kind for kind in _grid(claim.dataset) if in_paper or kind in evidence.study.by_kind):
        yield _minus(claim, kind, replace(kind, dataset=base), f"{_words(kind)}, {claim.dataset} minus {base}")


def prior_gains(
    evidence: Evidence, claim: Claim, prior: str, over: str = STANDARD, least: float = 0.0
) -> Iterator[Contrast]:
    """The quantity of the VAE with the prior `over` minus that with `prior`, above `least`, with one layer."""
    worse, better = (_vae(claim.dataset, name) for name in (over, prior))
    label = f"{prior_label(over)} minus {prior_label(prior)}, VAE k = 1"
    yield _minus(claim, worse, better, label, Region(low=least))


def prior_gains_less(evidence: Evidence, claim: Claim, prior: str, networks: str) -> Iterator[Contrast]:
    """What `prior` gains over N(0, I) with one layer minus what it gains in other `networks`, above zero."""
    plain, other = ([_vae(claim.dataset, name, part) for name in (STANDARD, prior)] for part in ("", networks))
    label = f"gain of {prior_label(prior)} with one layer minus that in {ARCHITECTURES[networks].label}"
    yield _contrast(claim, label, {plain[0]: 1.0, plain[1]: -1.0, other[0]: -1.0, other[1]: 1.0}, _ABOVE)


RULES: dict[str, Callable[..., Iterator[Contrast]]] = {  # the public functions of this module
    name: rule
    for name, rule in list(vars().items())
    if inspect.isfunction(rule) and rule.__module__ == __name__ and not name.startswith("_")
}
VALUES = tuple(rule.__name__ for rule in (value, paper_range))  # the others are about effects


def _minus(claim: Claim, first: Kind, second: Kind, label: str = "", region: Region = _ABOVE) -> Contrast:
    return _contrast(claim, label or f"{_words(first)} minus {_words(second)}", {first: 1.0, second: -1.0}, region)


def _contrast(claim: Claim, label: str, weights: Mapping[Kind, float], region: Region) -> Contrast:
    return Contrast(label, claim.quantity, weights, region, _paper_sum(weights, claim.quantity))


def _kind(dataset: str, layers: int, objective: str, k: int) -> Kind:
    return Kind(dataset, layers, "vae" if k == 1 else objective, k, 0)


def _vae(dataset: str, prior: str, networks: str = "") -> Kind:
    """The VAE with a prior, with one layer or in other networks."""
    layers = ARCHITECTURES[networks].layers if networks else 1
    variation = "-".join(filter(None, (networks, "" if prior == STANDARD else prior)))
    return Kind(dataset, layers, "vae", 1, 0, variation)


def _grid(dataset: str) -> list[Kind]:
    return [kind for kind in paper_kinds(dataset) if not kind.variation]


def _layers(dataset: str) -> list[int]:
    return sorted({kind.layers for kind in _grid(dataset)})


def _ks(dataset: str) -> list[int]:
    return sorted({kind.k for kind in _grid(dataset)})


def _words(kind: Kind) -> str:
    name = "VAE = IWAE" if kind.k == 1 and not kind.variation else OBJECTIVES[kind.objective].label
    origin = f", {kind.variation}" if kind.variation else ""
    return f"{name} k = {kind.k}, {counted(kind.layers, 'layer')}{origin}"


def _paper_sum(weights: Mapping[Kind, float], quantity: str) -> float:
    return sum(weight * _paper_value(kind, quantity) for kind, weight in weights.items())


def _paper_value(kind: Kind, quantity: str) -> float:
    """The paper's value of a quantity, NaN where it gives none."""
    row = paper_row(kind)
    values = {"nll": float(row.nll), "active": 0.0}
    for layer, total in enumerate(PAPER_UNITS[kind.layers], start=1):
        active = float(row[f"active_{layer}"])
        values |= {f"active_{layer}": active, f"active_share_{layer}": active / total}
        values["active"] += active
    return values.get(quantity, np.nan)
