"""The protocol: every choice that the paper's text and its authors' code leave open or settle differently.

Each choice is one field, and three presets fill them all:

* ``authors-code``: what the code published with the paper does. It produced the published numbers; the default.
* ``paper-text``: what a reader of the text alone would build, with the textbook's choice where the text is silent.
* ``efficient``: not the paper's: another way of optimising the same models on the same data, for few passes over it.

Sources are the paper (arXiv 1509.00519 v4) and the authors' repository (yburda/iwae). Standard library only.
"""

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin

from iwae.errors import InputError
from iwae.study.registry import DATASETS


@dataclass(frozen=True)
class Protocol:
    """How a model is initialised, fed, trained and measured.

    Attributes:
        adam_beta1: Decay of Adam's first moment (text: 0.9; code: 0.99).
        adam_beta2: Decay of Adam's second moment (both: 0.999).
        adam_epsilon: Adam's epsilon (both: 1e-4).
        adam_epsilon_place: ``uncorrected``: added to sqrt(v) before the bias correction, as in the code;
            ``corrected``: added to sqrt(v / (1 - beta2^t)), as in Kingma & Ba.
        adam_second_moment: Initial second moment (text: ``zeros``; code: ``ones``).
        adam_moments: ``delayed``: a step uses the moments of the step before, so the first step is zero (the code's
            simultaneous updates); ``current``: it uses its own (the textbook).
        optimizer_state: Across stages the moments and the step count are ``carried`` on or ``reset`` (both: carried).
        loss: The bound is the ``sum`` over the minibatch's images (code) or their ``mean``. It matters because
            epsilon and the initial second moment do not scale with the loss.
        learning_rates: ``rounded`` to two digits (code) or ``exact``, 0.001 * 10^(-i/7).
        schedule: ``stages`` of 3^i passes, each at one rate (both), or one ``cosine``: the rate falls from `peak_rate`
            to `end_rate` along half a period, over as many passes as the training settings say.
        peak_rate: The cosine's first rate.
        end_rate: The cosine's last rate.
        rate_warm_up: Passes at the cosine's start in which the rate rises in proportion to the updates made.
        kl_warm_up: Passes at the start in which the weight of log p(h) - log q(h|x) rises from 0 to 1 in proportion to
            the updates made (both: 0; Tomczak & Welling: 100); a continued model has none.
        gradient_clip: The Euclidean norm above which a model's gradient is scaled down to it; None for no bound (both).
        held_out: Training images at the end of the file that are kept for validation; None for as many as the code
            keeps of the data set (400 of MNIST's 60,000).
        shuffle: Whether each pass over the training images has an order of its own (code: no).
        binarization: Training pixels are drawn for ``every-minibatch`` (both) or ``once``.
        scale: A Gaussian's second head predicts the ``log-deviation`` (code) or the ``log-variance`` (text).
        initialization: Glorot-uniform weights from one seed that is ``shared`` by every layer, so that layers of one
            shape start identical (code), or ``independent`` draws for each layer.
        initialization_seed: Seed of the initialisation; a model's own seed is added to it (code: 123).
        output_bias: The last bias of the decoder starts at the logit of the ``train-mean`` image, clipped to
            [0.001, 0.999] (code), or at ``zeros``.
        kl: log p(h) - log q(h|x) is always ``sampled``, never integrated (both); there is no other choice, and the
            field says so in every manifest.
        test_binarization_seed: Seed of the one stochastic binarization of the test set (code: 123); the training images
            are measured on one with the next seed, so that the two sets are independent.
        activity: Which of the two measured activities tables show beside the paper's: the code's ``one-sample``
            estimate (500 training images, the second layer's mean at a single sampled h1) or the text's ``definition``.
    """

    adam_beta1: float = 0.99
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-4
    adam_epsilon_place: Literal["uncorrected", "corrected"] = "uncorrected"
    adam_second_moment: Literal["ones", "zeros"] = "ones"
    adam_moments: Literal["delayed", "current"] = "delayed"
    optimizer_state: Literal["carried", "reset"] = "carried"
    loss: Literal["sum", "mean"] = "sum"
    learning_rates: Literal["rounded", "exact"] = "rounded"
    held_out: int | None = None
    shuffle: bool = False
    binarization: Literal["every-minibatch", "once"] = "every-minibatch"
    scale: Literal["log-deviation", "log-variance"] = "log-deviation"
    initialization: Literal["shared", "independent"] = "shared"
    initialization_seed: int = 123
    output_bias: Literal["train-mean", "zeros"] = "train-mean"
    kl: Literal["sampled"] = "sampled"
    test_binarization_seed: int = 123
    activity: Literal["one-sample", "definition"] = "one-sample"
    schedule: Literal["stages", "cosine"] = "stages"
    peak_rate: float = 1e-3
    end_rate: float = 1e-5
    rate_warm_up: float = 0.0
    gradient_clip: float | None = None
    kl_warm_up: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, field.type, getattr(self, field.name))
        for name in ("adam_beta1", "adam_beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"protocol field {name} = {getattr(self, name)} is impossible: it must be in [0, 1).")
        for name in ("adam_epsilon", "peak_rate", "end_rate", "gradient_clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"protocol field {name} = {value} is impossible: it must be positive.")
        for name in ("rate_warm_up", "kl_warm_up"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"protocol field {name} = {getattr(self, name)} is impossible: it must be 0 or more.")
        for name in ("initialization_seed", "test_binarization_seed"):
            seed = getattr(self, name)
            if not 0 <= seed < 2**31:  # with a model's own seed added, still one that numpy takes
                raise InputError(f"protocol field {name} = {seed} is impossible: it must be in [0, 2^31).")
        if self.held_out is not None and self.held_out < 0:
            raise InputError(f"protocol field held_out = {self.held_out} is impossible: it must be 0 or more.")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (float, float | None) and value is not None:  # 0 and 0.0 are one setting, so written alike
                object.__setattr__(self, field.name, float(value))

    def with_overrides(self, overrides: dict[str, Any]) -> "Protocol":
        """This protocol with some fields changed; unknown fields and values raise `InputError`."""
        known = [field.name for field in fields(self)]
        for name in overrides:
            if name not in known:
                raise InputError(f"protocol field {name!r} is unknown: use one of {', '.join(known)}.")
        return replace(self, **overrides)

    def with_variant(self, name: str | None) -> "Protocol":
        """This protocol, but for one departure: a preset's name, a field's, or a field's with a value.

        A field alone, as ``adam_beta1``, takes the value of the first preset that has another one; with a value, as
        ``peak_rate-0.002``, that. None is no departure.

        Raises:
            InputError: There is no such preset or field, or no preset has another value of it.
        """
        if name is None:
            return self
        if name in PRESETS:
            return PRESETS[name]
        field, _, value = name.partition("-")
        if field not in (known.name for known in fields(self)):
            known = [*PRESETS, *(entry.name for entry in fields(self) if _presets_differ(entry.name))]
            raise InputError(f"variant {name!r} of the protocol is unknown: use one of {', '.join(known)}.")
        if value:
            return replace(self, **{field: _parsed(value)})
        others = [getattr(known, field) for known in PRESETS.values() if getattr(known, field) != getattr(self, field)]
        if not others:
            raise InputError(
                f"variant {name!r} of the protocol is impossible: all presets agree on this field; write {name}-VALUE."
            )
        return replace(self, **{field: others[0]})

    def for_dataset(self, dataset: str) -> "Protocol":
        """This protocol with the number of held-out images filled in; a validation file is never trained on."""
        entry = DATASETS[dataset]
        held_out = entry.held_out if self.held_out is None else self.held_out
        return replace(self, held_out=max(held_out, entry.validation_file))

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as manifests and training states keep them.

        What came later than the first manifests is left out where it is as it was before: those stay as they are.
        """
        return {name: value for name, value in asdict(self).items() if name not in _LATER or value != _LATER[name]}


def _check(name: str, kind: Any, value: Any) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            choices = ", ".join(get_args(kind))
            raise InputError(f"protocol field {name} = {value!r} is unknown: use one of {choices}.")
        return
    right = isinstance(value, (int, float) if kind is float else (int, kind) if kind == float | None else kind)
    if not right or (isinstance(value, bool) and kind is not bool):
        # A union has no name; those there are allow None beside numbers.
        title = getattr(kind, "__name__", "float" if kind == float | None else "int")
        raise InputError(f"protocol field {name} = {value!r} has the wrong type: it must be of type {title}.")


def _parsed(text: str) -> Any:
    """The value that a text stands for: a JSON value, or else the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _presets_differ(name: str) -> bool:
    return len({getattr(known, name) for known in PRESETS.values()}) > 1


_LATER = {
    field.name: field.default
    for field in fields(Protocol)
    if field.name in ("schedule", "peak_rate", "end_rate", "rate_warm_up", "gradient_clip", "kl_warm_up")
}

PRESETS = {
    "authors-code": Protocol(),
    "paper-text": Protocol(
        adam_beta1=0.9,
        adam_epsilon_place="corrected",
        adam_second_moment="zeros",
        adam_moments="current",
        loss="mean",
        learning_rates="exact",
        held_out=0,
        shuffle=True,
        scale="log-variance",
        initialization="independent",
        output_bias="zeros",
        activity="definition",
    ),
    "efficient": Protocol(
        adam_beta1=0.9,
        adam_epsilon=1e-8,
        adam_epsilon_place="corrected",
        adam_second_moment="zeros",
        adam_moments="current",
        loss="mean",
        shuffle=True,
        initialization="independent",
        activity="definition",
        schedule="cosine",
    ),
}


def preset(name: str) -> Protocol:
    """The protocol called `name`; `InputError` where there is none."""
    if name not in PRESETS:
        raise InputError(f"protocol {name!r} is unknown: use one of {', '.join(PRESETS)}.")
    return PRESETS[name]
