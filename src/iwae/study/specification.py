"""Names: which model is meant, and which models a study's grid asks for.

A model is one trained network, named ``dataset/l{layers}-{objective}-k{k}/seed{seed}``. The name is also its folder
below ``results/<study>/``, and it seeds the model's random numbers. Standard library only: the workflow imports this
module while it builds its graph.

What sets a model apart from those of the main grid, its name tells: ``l1-vae-k1-z100`` has 100 latent units instead of
50, ``l1-iwae-k50-from-vae-k1`` was trained as a VAE with k = 1 and then continued as an IWAE with k = 50 (Table 2),
``l1-vae-k5-p13`` was trained for 13 passes instead of its study's number, ``l1-vae-k5-with-adam_beta1`` departs from
its study's protocol. `ModelSpec.variation` has all such parts, in their order.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from iwae.errors import InputError
from iwae.study.registry import ARCHITECTURES, DATASETS, ESTIMATORS, OBJECTIVES, PRIORS, objectives_of, split_prior

LAYERS = (1, 2)
PAPER_LATENTS = 50  # units of a one-layer model (paper, section 5)
PAPER_UNITS = {1: (PAPER_LATENTS,), 2: (100, 50)}  # of each layer, by the number of layers
MOST_SEEDS = 2**31  # with the protocol's seed added, still a seed that numpy takes
_NUMBER = "0|[1-9][0-9]*"  # written in one way only, because the name is also a folder
_KIND = rf"(?P<objective>[a-z]+)-k(?P<k>{_NUMBER})"
_NAME = re.compile(
    rf"(?P<dataset>[a-z0-9-]+)/l(?P<layers>{_NUMBER})-{_KIND}(?:-(?P<variation>[a-z][a-z0-9_.-]*))?/seed(?P<seed>{_NUMBER})"
)
STANDARD = "standard"  # the prior and the estimator that a name does not tell of


@dataclass(frozen=True, order=True)
class ModelSpec:
    """What identifies one trained network within a study.

    Attributes:
        dataset: One of `iwae.study.registry.DATASETS`.
        layers: Stochastic layers, 1 or 2.
        objective: One of `iwae.study.registry.OBJECTIVES`: ``vae`` (L_1 averaged over k samples) or ``iwae`` (L_k).
        k: Importance samples in training, at least 1.
        seed: Seed of initialisation, binarization and noise, at least 0.
        variation: What sets it apart from the model of the main grid, empty if nothing does; parts in this order:
            ``z{n}``, n units in its latent layer, or networks that are not the paper's, such as ``hvae``; its prior, if
            not N(0, I), with the number of components where it has such; ``p{n}``, n passes over the training images;
            ``by-{estimator}``, how its gradient is estimated; ``from-{objective}-k{k}``, continued from that model, or
            ``with-{variant}``, a departure from the study's protocol
            (`iwae.study.protocol.Protocol.with_variant`). ``z`` and ``from`` have one stochastic layer.

    Raises:
        InputError: A field has a value that no model can have.
    """

    dataset: str
    layers: int
    objective: str
    k: int
    seed: int
    variation: str = ""

    def __post_init__(self) -> None:
        for field in ("layers", "k", "seed"):  # numpy's are none that a manifest can hold
            if type(value := getattr(self, field)) is not int:
                raise InputError(f"{field} = {value!r} is impossible: it must be a whole number, a Python int.")
        for field, value, allowed in (
            ("dataset", self.dataset, DATASETS),
            ("layers", self.layers, LAYERS),
            ("objective", self.objective, OBJECTIVES),
        ):
            if value not in allowed:
                raise InputError(f"{field} {value!r} is unknown: use one of {', '.join(map(str, allowed))}.")
        if not re.fullmatch("[a-z]+", self.objective):
            raise InputError(f"objective {self.objective!r} is impossible: in a model's name are small letters.")
        if self.k < 1:
            raise InputError(f"k = {self.k} is impossible: at least one importance sample is needed.")
        entry = OBJECTIVES[self.objective]
        if self.k % entry.groups:
            raise InputError(f"k = {self.k} is impossible: that of {entry.label} is a multiple of {entry.groups}.")
        if not 0 <= self.seed < MOST_SEEDS:
            raise InputError(f"seed = {self.seed} is impossible: seeds are from 0 to {MOST_SEEDS - 1}.")
        if self.variation and (refusal := self._variation_refusal()):
            raise InputError(f"variation {self.variation!r} is {refusal}.")

    def _variation_refusal(self) -> str | None:
        if not _variation_pattern().fullmatch(f"-{self.variation}"):
            estimators = map("by-{}".format, _estimators())
            known = ["z100", *ARCHITECTURES, *prior_names("100"), "p13", *estimators, "from-vae-k1"]
            return f"unknown: write {', '.join(known)}, or with- and a protocol or field"
        if self.passes == 0:
            return "impossible: p needs 1 pass or more"
        origin, several = self.origin, self.layers != 1
        if several and (self.latents is not None or origin):
            return "impossible: it is for models with one stochastic layer"
        if self.architecture and self.layers != ARCHITECTURES[self.architecture].layers:
            return f"impossible: {self.architecture} has {ARCHITECTURES[self.architecture].layers} stochastic layers"
        if not self.architecture and self.layers not in split_prior(self.prior)[0].layers:
            networks = ", ".join(ARCHITECTURES)
            return f"impossible: {self.prior} is for one stochastic layer of the paper's networks, or for {networks}"
        estimator = ESTIMATORS[self.estimator]
        objectives, k = estimator.objectives or tuple(OBJECTIVES), estimator.least_k
        if self.objective not in objectives or self.k < k:
            return f"impossible: {estimator.label} is for {' and '.join(objectives)}, with k = {k} or more"
        if self.k % estimator.groups:
            return f"impossible: k of {estimator.label} is a multiple of {estimator.groups}"
        if self.latents in (0, PAPER_LATENTS):
            return (
                f"impossible: z needs 1 unit or more; the paper's {PAPER_LATENTS} are the model's without a variation"
            )
        same = origin and (origin.objective, origin.k) == (self.objective, self.k)
        if same or (origin and objectives_of(origin.objective, origin.k)[0] != origin.objective):
            return "impossible: continue from another objective or k (k = 1 is vae-k1)"
        return None

    @property
    def name(self) -> str:
        """``dataset/l{layers}-{objective}-k{k}/seed{seed}``, with ``-{variation}`` after k where there is one."""
        return f"{self.dataset}/{self.kind}/seed{self.seed}"

    @property
    def kind(self) -> str:
        """The part of the name between data set and seed, such as ``l1-iwae-k5``."""
        return "-".join(filter(None, (f"l{self.layers}-{self.objective}-k{self.k}", self.variation)))

    @property
    def stack(self) -> str:
        """The name that models trained together as one batched computation share: ``dataset/l{layers}-k{k}``.

        It has the variation too, since what a variation changes is common to all models of a stack.
        """
        return "-".join(filter(None, (f"{self.dataset}/l{self.layers}-k{self.k}", self.variation)))

    @property
    def latents(self) -> int | None:
        """Units of the latent layer where they are not the paper's; else None."""
        return self._number("latents")

    @property
    def architecture(self) -> str | None:
        """The name of its networks, one of `iwae.study.registry.ARCHITECTURES`; None if they are the paper's."""
        return self._part("architecture")

    @property
    def prior(self) -> str:
        """The name of the top layer's prior, with the number of components where it has such."""
        return self._part("prior") or STANDARD

    @property
    def passes(self) -> int | None:
        """Passes over the training images where they are not the study's; else None."""
        return self._number("passes")

    @property
    def estimator(self) -> str:
        """The name of the way its gradient is estimated."""
        return self._part("estimator") or STANDARD

    @property
    def variant(self) -> str | None:
        """The departure from the study's protocol, a preset's or a field's name; None if there is none."""
        return self._part("variant")

    @property
    def origin(self) -> "ModelSpec | None":
        """The model that this one was continued from, alike in all else; None if it was not continued."""
        objective = self._part("objective")
        if objective is None:
            return None
        alike = self.variation[: -len(f"-from-{objective}-k{self._part('k')}")]
        return ModelSpec(self.dataset, self.layers, objective, int(self._part("k") or 0), self.seed, alike)

    def with_passes(self, passes: int) -> "ModelSpec":
        """The same model trained for another number of passes; so is the one that it is continued from."""
        variation = f"{self._part('before') or ''}-p{passes}{self._part('after') or ''}"
        return replace(self, variation=variation.removeprefix("-"))

    def without(self, part: str) -> "ModelSpec":
        """The same model without a part of its variation, such as ``z2`` or ``with-shuffle``."""
        return replace(self, variation=f"-{self.variation}-".replace(f"-{part}-", "-", 1).strip("-"))

    def _number(self, group: str) -> int | None:
        found = self._part(group)
        return None if found is None else int(found)

    def _part(self, group: str) -> str | None:
        match = _variation_pattern().fullmatch(f"-{self.variation}") if self.variation else None
        return match[group] if match else None

    def as_dict(self) -> dict[str, str | int]:
        """The fields as manifests keep them: the variation only where there is one."""
        return {name: value for name, value in vars(self).items() if name != "variation" or value}

    @classmethod
    def parse(cls, name: str) -> "ModelSpec":
        """The specification that `name` stands for.

        Raises:
            InputError: `name` is not of the form of a model's name.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise InputError(f"{name!r} is not a model's name: write it like mnist/l1-iwae-k5/seed0.")
        layers, k, seed = (int(match[field]) for field in ("layers", "k", "seed"))
        return cls(match["dataset"], layers, match["objective"], k, seed, match["variation"] or "")

    def random_seed(self, study_seed: int, purpose: str) -> int:
        """The seed, below 2^63, of this model's random numbers for one purpose, such as ``training``.

        It depends on nothing but the model's name, the study's seed and the purpose, so a model's draws are the same
        whichever models are trained beside it. PyTorch's CPU generator uses 32 bits of it.
        """
        digest = hashlib.sha256(f"{study_seed}|{self.name}|{purpose}".encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1


def _variation_pattern() -> re.Pattern[str]:
    """The parts of a variation, each after a hyphen."""
    priors, estimators = ("|".join(names) or "(?!)" for names in (prior_names("[1-9][0-9]*"), _estimators()))
    return re.compile(
        rf"(?P<before>(?:-z(?P<latents>{_NUMBER})|-(?P<architecture>{'|'.join(ARCHITECTURES)}))?"
        rf"(?:-(?P<prior>{priors}))?)(?:-p(?P<passes>{_NUMBER}))?"
        rf"(?P<after>(?:-by-(?P<estimator>{estimators}))?(?:-from-{_KIND}|-with-(?P<variant>[a-z0-9_.-]+))?)"
    )


def prior_names(components: str) -> list[str]:
    """The priors that a model's name tells of, with `components` after those that have a number of them."""
    return [name + components * entry.components for name, entry in PRIORS.items() if name != STANDARD]


def _estimators() -> list[str]:
    return [name for name in ESTIMATORS if name != STANDARD]


def grid(
    datasets: Iterable[str], layers: Iterable[int], objectives: Iterable[str], ks: Iterable[int], seeds: Iterable[int]
) -> list[ModelSpec]:
    """The models of a grid, each once, in order.

    At k = 1 VAE and IWAE are one algorithm (paper, section 3), so that model is trained once, under the name ``vae``,
    and tables show it in both columns.
    """
    models = {
        ModelSpec(dataset, layer, objectives_of(objective, k)[0], k, seed)
        for dataset, layer, objective, k, seed in itertools.product(datasets, layers, objectives, ks, seeds)
    }
    return sorted(models)
