"""The shapes of a model: which networks it has and what their parameters are called.

Each conditional distribution is a network of two tanh layers and linear heads (paper, section 5):

* recognition: ``q1`` 784 -> 200 -> 200 -> h1 and, with two stochastic layers, ``q2`` h1 -> 100 -> 100 -> h2,
* generation: ``p1`` h2 -> 100 -> 100 -> h1 (two layers only) and ``px`` h1 -> 200 -> 200 -> 784.

A Gaussian network has the heads ``mean`` and ``scale``, the network of the pixels the head ``logits``. A layer
computes x @ weight + bias, with ``{network}.{layer}.weight`` (in, out) and ``{network}.{layer}.bias`` (out,).
"""

from dataclasses import dataclass

from iwae.study.protocol import Protocol
from iwae.study.specification import PAPER_LATENTS, ModelSpec

PIXELS = 784
_LATENTS = {1: (PAPER_LATENTS,), 2: (100, 50)}
_HIDDEN = (200, 100)  # width of the tanh layers between x and h1, and between h1 and h2


@dataclass(frozen=True)
class Architecture:
    """What a model computes, but for its parameters.

    Attributes:
        layers: Stochastic layers, 1 or 2.
        scale: Whether a Gaussian's second head predicts the ``log-deviation`` or the ``log-variance``.
        units: Latent units of a model with one layer; None for the paper's 50.
    """

    layers: int
    scale: str = "log-deviation"
    units: int | None = None

    @classmethod
    def of(cls, spec: ModelSpec, protocol: Protocol) -> "Architecture":
        """The architecture of a model that is trained under `protocol`."""
        return cls(spec.layers, protocol.scale, spec.latents)

    @property
    def latents(self) -> tuple[int, ...]:
        """Units of h1, and of h2 where there are two layers."""
        return _LATENTS[self.layers] if self.units is None else (self.units,)

    @property
    def layer_shapes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer by its name, recognition networks first."""
        sizes = (PIXELS, *self.latents)
        shapes: dict[str, tuple[int, int]] = {}
        for level in range(1, self.layers + 1):
            shapes |= _network(f"q{level}", sizes[level - 1], _HIDDEN[level - 1], sizes[level], ("mean", "scale"))
        for level in range(self.layers - 1, 0, -1):
            shapes |= _network(f"p{level}", sizes[level + 1], _HIDDEN[level], sizes[level], ("mean", "scale"))
        return shapes | _network("px", sizes[1], _HIDDEN[0], PIXELS, ("logits",))

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter by its name."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (n_in, n_out) in self.layer_shapes.items():
            shapes |= {f"{layer}.weight": (n_in, n_out), f"{layer}.bias": (n_out,)}
        return shapes


def _network(name: str, n_in: int, hidden: int, n_out: int, heads: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    trunk = {f"{name}.hidden1": (n_in, hidden), f"{name}.hidden2": (hidden, hidden)}
    return trunk | {f"{name}.{head}": (hidden, n_out) for head in heads}
