"""Names: which model is meant, and which models a study's grid asks for.

A model is one trained network, named ``dataset/l{layers}-{objective}-k{k}/seed{seed}``. The name is also its folder
below ``results/<study>/``, and it seeds the model's random numbers. Standard library only: the workflow imports this
module while it builds its graph.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from iwae.errors import InputError

DATASETS = ("mnist",)
OBJECTIVES = ("vae", "iwae")
LAYERS = (1, 2)
MOST_SEEDS = 2**31  # with the protocol's seed added, still a seed that numpy takes
_NUMBER = "0|[1-9][0-9]*"  # written in one way only, because the name is also a folder
_NAME = re.compile(
    rf"(?P<dataset>[a-z-]+)/l(?P<layers>{_NUMBER})-(?P<objective>[a-z]+)-k(?P<k>{_NUMBER})/seed(?P<seed>{_NUMBER})"
)


@dataclass(frozen=True, order=True)
class ModelSpec:
    """What identifies one trained network within a study.

    Attributes:
        dataset: One of `DATASETS`.
        layers: Stochastic layers, 1 or 2.
        objective: ``vae`` (L_1 averaged over k samples) or ``iwae`` (L_k).
        k: Importance samples in training, at least 1.
        seed: Seed of initialisation, binarization and noise, at least 0.

    Raises:
        InputError: A field has a value that no model can have.
    """

    dataset: str
    layers: int
    objective: str
    k: int
    seed: int

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

    @property
    def name(self) -> str:
        """``dataset/l{layers}-{objective}-k{k}/seed{seed}``."""
        return f"{self.dataset}/l{self.layers}-{self.objective}-k{self.k}/seed{self.seed}"

    @property
    def stack(self) -> str:
        """The name that models trained together as one batched computation share: ``dataset/l{layers}-k{k}``."""
        return f"{self.dataset}/l{self.layers}-k{self.k}"

    @classmethod
    def parse(cls, name: str) -> "ModelSpec":
        """The specification that `name` stands for.

        Raises:
            InputError: `name` is not of the form of a model's name.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise InputError(f"{name!r} is not a model's name: write it like mnist/l1-iwae-k5/seed0.")
        parts = match.groupdict()
        return cls(parts["dataset"], int(parts["layers"]), parts["objective"], int(parts["k"]), int(parts["seed"]))

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
