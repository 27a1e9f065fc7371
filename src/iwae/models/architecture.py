"""The shapes of a model: which networks it has and what their parameters are called.

Each conditional distribution is a network, a `Conditional`: tanh layers and linear heads. The paper's models have, by
its section 5,

* recognition: ``q1`` x -> 200 -> 200 -> h1 and, with two stochastic layers, ``q2`` h1 -> 100 -> 100 -> h2,
* generation: ``p1`` h2 -> 100 -> 100 -> h1 (two layers only) and ``px`` h1 -> 200 -> 200 -> x.

A Gaussian network has the heads ``mean`` and ``scale``, the network of the pixels the head ``logits``. A layer
computes x @ weight + bias, with ``{network}.{layer}.weight`` (in, out) and ``{network}.{layer}.bias`` (out,).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from iwae.errors import InputError
from iwae.models.priors import Prior, prior_named
from iwae.models.priors.standard import STANDARD
from iwae.study.protocol import Protocol
from iwae.study.registry import ARCHITECTURES, implementation
from iwae.study.specification import PAPER_UNITS, ModelSpec

PIXELS = 784
_HIDDEN = (200, 100)  # width of the tanh layers between x and h1, and between h1 and h2


@dataclass(frozen=True)
class Conditional:
    """The network of one conditional distribution, such as q(h1 | x).

    What is given enters a first layer each, ``hidden1``, or ``hidden1.{variable}`` where several are given; their
    outputs side by side enter the second layer.

    Attributes:
        name: Begins the names of its parameters: ``q1``, ``q2``, ``p1``, ``px``.
        drawn: The variable whose distribution it is: ``h1``, ``h2``, or ``x``, the pixels.
        given: The variables that it depends on.
        widths: Units of each hidden layer; of the first one, for each variable given.
        gated: Whether a hidden layer is a linear one times the sigmoid of another, ``{layer}.gate``, instead of a tanh.
    """

    name: str
    drawn: str
    given: tuple[str, ...]
    widths: tuple[int, ...]
    gated: bool = False

    @property
    def first_layers(self) -> dict[str, str]:
        """The layer that each variable given enters."""
        if len(self.given) == 1:
            return {self.given[0]: f"{self.name}.hidden1"}
        return {variable: f"{self.name}.hidden1.{variable}" for variable in self.given}

    @property
    def joint_layers(self) -> tuple[str, ...]:
        """The hidden layers after the first."""
        return tuple(f"{self.name}.hidden{number}" for number in range(2, len(self.widths) + 1))

    @property
    def heads(self) -> tuple[str, ...]:
        """The layers of its outputs."""
        kinds = ("logits",) if self.drawn == "x" else ("mean", "scale")
        return tuple(f"{self.name}.{kind}" for kind in kinds)

    @property
    def units(self) -> int:
        """Hidden values of one sample."""
        return sum(self.widths)

    def layer_shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer by its name, for variables of these sizes.

        Raises:
            InputError: There are too few hidden layers.
        """
        if len(self.widths) < min(len(self.given), 2):
            raise InputError(
                f"{self.name} with hidden layers {self.widths} is impossible: it needs one, and a second where several "
                "variables are given."
            )
        hidden = {layer: (sizes[variable], self.widths[0]) for variable, layer in self.first_layers.items()}
        below = self.widths[0] * len(self.given)
        for layer, width in zip(self.joint_layers, self.widths[1:], strict=True):
            hidden[layer], below = (below, width), width
        gates = {gate: hidden[layer] for layer in hidden for gate in self.gates(layer)}
        return hidden | gates | {head: (below, sizes[self.drawn]) for head in self.heads}

    def gates(self, layer: str) -> tuple[str, ...]:
        """The gate of a hidden layer, if it has one."""
        return (f"{layer}.gate",) if self.gated else ()

    def readers(self, variable: str) -> tuple[str, ...]:
        """The layers that a variable enters; none if it is not given."""
        first = self.first_layers.get(variable)
        return (first, *self.gates(first)) if first else ()


@dataclass(frozen=True)
class Architecture:
    """What a model computes, but for its parameters.

    Attributes:
        recognition: The networks of q(h | x), in the order in which they draw; the first is given x alone.
        generation: The networks of p(h) below the top layer, in the order in which they draw.
        decoder: The network of p(x | h).
        latents: Units of each stochastic layer, from h1 up.
        prior: The distribution p of the top layer.
        scale: Whether a Gaussian's second head predicts the ``log-deviation`` or the ``log-variance``.
    """

    recognition: tuple[Conditional, ...]
    generation: tuple[Conditional, ...]
    decoder: Conditional
    latents: tuple[int, ...]
    prior: Prior = STANDARD
    scale: str = "log-deviation"

    def __post_init__(self) -> None:
        if self.scale not in ("log-deviation", "log-variance"):
            raise InputError(f"scale = {self.scale!r} is unknown: use log-deviation or log-variance.")

    @classmethod
    def of(cls, spec: ModelSpec, protocol: Protocol) -> "Architecture":
        """The architecture of a model that is trained under `protocol`."""
        prior = prior_named(spec.prior)
        if spec.architecture:
            return implementation(ARCHITECTURES[spec.architecture].build)(protocol.scale, prior)
        return cls.paper(spec.layers, protocol.scale, spec.latents, prior)

    @classmethod
    def paper(
        cls, layers: int, scale: str = "log-deviation", units: int | None = None, prior: Prior = STANDARD
    ) -> "Architecture":
        """The paper's networks (section 5) for 1 or 2 stochastic layers; `units` are h1's where not the paper's."""
        if layers not in PAPER_UNITS:
            raise InputError(f"layers = {layers!r} is impossible: the paper's models have 1 or 2.")
        if units is not None and layers > 1:
            raise InputError(f"units = {units} is impossible: it is for one stochastic layer.")
        variables = ("x", "h1", "h2")[: layers + 1]
        steps = list(zip(variables, variables[1:], _HIDDEN, strict=False))  # from the image up
        up = tuple(Conditional(f"q{above[1]}", above, (below,), (width, width)) for below, above, width in steps)
        down = [Conditional(f"p{below[-1]}", below, (above,), (width, width)) for below, above, width in steps]
        latents = PAPER_UNITS[layers] if units is None else (units,)
        return cls(up, tuple(down[:0:-1]), down[0], latents, prior, scale)

    @property
    def layers(self) -> int:
        """Number of stochastic layers."""
        return len(self.latents)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the latent variables, from h1 up."""
        return tuple(f"h{level}" for level in range(1, self.layers + 1))

    @property
    def networks(self) -> tuple[Conditional, ...]:
        """All networks, those of q(h | x) first."""
        return (*self.recognition, *self.generation, self.decoder)

    @property
    def layer_shapes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer by its name, recognition networks first."""
        sizes = {"x": PIXELS, **dict(zip(self.variables, self.latents, strict=True))}
        shapes: dict[str, tuple[int, int]] = {}
        for network in self.networks:
            shapes |= network.layer_shapes(sizes)
        return shapes

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter by its name, the prior's last."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (n_in, n_out) in self.layer_shapes.items():
            shapes |= {f"{layer}.weight": (n_in, n_out), f"{layer}.bias": (n_out,)}
        return shapes | self.prior.parameter_shapes(self.latents[-1])
