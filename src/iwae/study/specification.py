"""Names: which model is meant, and which models a study's grid asks for.

A model is one trained network, named ``dataset/l{layers}-{objective}-k{k}/seed{seed}``. The name is also its folder
below ``results/<study>/``, and it seeds the model's random numbers. Standard library only: the workflow imports this
module while it builds its graph.

The paper's experiments beside its main grid vary one thing each, which the name then tells:
``l1-vae-k1-z100`` has 100 latent units instead of 50, ``l1-iwae-k50-from-vae-k1`` was trained as a VAE with k = 1 and
then continued as an IWAE with k = 50 (Table 2), ``l1-vae-k5-p13`` was trained for 13 passes instead of its study's
number, ``l1-vae-k5-with-adam_beta1`` departs from its study's protocol.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from iwae.errors import InputError
from iwae.study.registry import DATASETS

OBJECTIVES = ("vae", "iwae")
LAYERS = (1, 2)
PAPER_LATENTS = 50  # units of a one-layer model (paper, section 5)
MOST_SEEDS = 2**31  # with the protocol's seed added, still a seed that numpy takes
_NUMBER = "0|[1-9][0-9]*"  # written in one way only, because the name is also a folder
_KIND = rf"(?P<objective>[a-z]+)-k(?P<k>{_NUMBER})"
_NAME = re.compile(
    rf"(?P<dataset>[a-z-]+)/l(?P<layers>{_NUMBER})-{_KIND}(?:-(?P<variation>[a-z][a-z0-9_.-]*))?/seed(?P<seed>{_NUMBER})"
)
_VARIATION = re.compile(rf"z(?P<latents>{_NUMBER})|p(?P<passes>{_NUMBER})|from-{_KIND}|with-(?P<variant>[a-z0-9_.-]+)")


@dataclass(frozen=True, order=True)
class ModelSpec:
    """What identifies one trained network within a study.

    Attributes:
        dataset: One of `iwae.study.registry.DATASETS`.
        layers: Stochastic layers, 1 or 2.
        objective: ``vae`` (L_1 averaged over k samples) or ``iwae`` (L_k).
        k: Importance samples in training, at least 1.
        seed: Seed of initialisation, binarization and noise, at least 0.
        variation: What sets it apart from the model of the main grid, empty if nothing does: ``z{n}``, n units in its
            latent layer; ``p{n}``, n passes over the training images; ``from-{objective}-k{k}``, continued from that
            model; ``with-{variant}``, a departure from the study's protocol
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
        for field, value, allowed in (
            ("dataset", self.dataset, DATASETS),
            ("layers", self.layers, LAYERS),
            ("objective", self.objective, OBJECTIVES),
        ):
            if value not in allowed:
                raise InputError(f"{field} {value!r} is unknown: use one of {', '.join(map(str, allowed))}.")
        if self.k < 1:
            raise InputError(f"k = {self.k} is impossible: at least one importance sample is needed.")
        if not 0 <= self.seed < MOST_SEEDS:
            raise InputError(f"seed = {self.seed} is impossible: seeds are from 0 to {MOST_SEEDS - 1}.")
        if self.variation:
            self._check_variation()

    def _check_variation(self) -> None:
        match = _VARIATION.fullmatch(self.variation)
        if match is None:
            raise InputError(
                f"variation {self.variation!r} is unknown: write z100, p13, from-vae-k1, or with- and a protocol or "
                "field."
            )
        if self.passes == 0:
            raise InputError(f"variation {self.variation!r} is impossible: p needs 1 pass or more.")
        if self.layers != 1 and not (self.variant or self.passes):
            raise InputError(f"variation {self.variation!r} is impossible: it is for models with one stochastic layer.")
        if self.latents in (0, PAPER_LATENTS):
            raise InputError(
                f"variation {self.variation!r} is impossible: z needs 1 unit or more; the paper's {PAPER_LATENTS} are "
                "the model's without a variation."
            )
        origin = self.origin
        if origin and (origin.objective, origin.k) in ((self.objective, self.k), ("iwae", 1)):
            raise InputError(
                f"variation {self.variation!r} is impossible: continue from another objective or k (k = 1 is vae-k1)."
            )

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
        found = self._varied("latents")
        return None if found is None else int(found)

    @property
    def passes(self) -> int | None:
        """Passes over the training images where they are not the study's; else None."""
        found = self._varied("passes")
        return None if found is None else int(found)

    @property
    def prior(self) -> str:
        """The prior's name, ``standard`` where the name tells of none."""
        return "standard"

    @property
    def variant(self) -> str | None:
        """The departure from the study's protocol, a preset's or a field's name; None if there is none."""
        return self._varied("variant")

    @property
    def origin(self) -> "ModelSpec | None":
        """The model that this one was continued from; None if it was trained from its initialisation."""
        objective = self._varied("objective")
        if objective is None:
            return None
        return ModelSpec(self.dataset, self.layers, objective, int(self._varied("k") or 0), self.seed)

    def _varied(self, group: str) -> str | None:
        match = _VARIATION.fullmatch(self.variation)
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
        numbers = {field: int(match[field]) for field in ("layers", "k", "seed")}
        words = {field: match[field] or "" for field in ("dataset", "objective", "variation")}
        return cls(**words, **numbers)

    def random_seed(self, study_seed: int, purpose: str) -> int:
        """The seed, below 2^63, of this model's random numbers for one purpose, such as ``training``.

        It depends on nothing but the model's name, the study's seed and the purpose, so a model's draws are the same
        whichever models are trained beside it. PyTorch's CPU generator uses 32 bits of it.
        """
        digest = hashlib.sha256(f"{study_seed}|{self.name}|{purpose}".encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1


def grid(
    datasets: Iterable[str], layers: Iterable[int], objectives: Iterable[str], ks: Iterable[int], seeds: Iterable[int]
) -> list[ModelSpec]:
    """The models of a grid, each once, in order.

    At k = 1 the two objectives are one algorithm (paper, section 3), so that model is trained once, under the name
    ``vae``, and tables show it in both columns.
    """
    models = {
        ModelSpec(dataset, layer, "vae" if k == 1 else objective, k, seed)
        for dataset, layer, objective, k, seed in itertools.product(datasets, layers, objectives, ks, seeds)
    }
    return sorted(models)
