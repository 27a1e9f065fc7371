"""The protocol: every choice that the paper's text and its authors' code leave open or settle differently.

Each choice is one field, and three presets fill them all:

* ``authors-code``: what the code published with the paper does. It produced the published numbers; the default.
* ``paper-text``: what a reader of the text alone would build, with the textbook's choice where the text is silent.
* ``efficient``: not the paper's: another way of optimising the same models on the same data, for few passes over it.

Sources are the paper (arXiv 1509.00519 v4) and the authors' repository (yburda/iwae). Standard library only.
"""

import json
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal

from iwae.errors import InputError
from iwae.study.declaration import Settings, setting, suggestion
from iwae.study.registry import DATASETS

_SEEDS = {"least": 0, "most": 2**31 - 1}  # with a model's own seed added, still one that numpy takes
# What one schedule alone reads, so that it would be ignored under the other one.
READ_BY = {"learning_rates": "stages", "peak_rate": "cosine", "end_rate": "cosine", "rate_warm_up": "cosine"}


@dataclass(frozen=True)
class Protocol(Settings):
    """How a model is initialised, fed, trained and measured; each field's source says what text and code have."""

    title: ClassVar[str] = "protocol field "

    adam_beta1: float = setting(0.99, "Decay of Adam's first moment", source="text: 0.9; code: 0.99", least=0, below=1)
    adam_beta2: float = setting(0.999, "Decay of Adam's second moment", source="both: 0.999", least=0, below=1)
    adam_epsilon: float = setting(1e-4, "Adam's epsilon", source="both: 1e-4", above=0)
    adam_epsilon_place: Literal["uncorrected", "corrected"] = setting(
        "uncorrected",
        "uncorrected: epsilon is added to sqrt(v) before the bias correction; corrected: to sqrt(v / (1 - beta2^t))",
        source="code: uncorrected; Kingma & Ba: corrected",
    )
    adam_second_moment: Literal["ones", "zeros"] = setting(
        "ones", "Initial second moment", source="text: zeros; code: ones"
    )
    adam_moments: Literal["delayed", "current"] = setting(
        "delayed",
        "delayed: a step uses the moments of the step before, so the first step is zero; current: it uses its own",
        source="code, whose updates are simultaneous: delayed; textbook: current",
    )
    optimizer_state: Literal["carried", "reset"] = setting(
        "carried", "Whether moments and the step count are carried on across stages", source="both: carried"
    )
    # It matters because epsilon and the initial second moment do not scale with the loss.
    loss: Literal["sum", "mean"] = setting(
        "sum", "The bound is the sum over the minibatch's images or their mean", source="code: sum"
    )
    learning_rates: Literal["rounded", "exact"] = setting(
        "rounded", "0.001 * 10^(-i/7) in stage i, rounded to two digits or exact", source="code: rounded"
    )
    held_out: int | None = setting(
        None,
        "Training images at the end of the file that are kept for validation; null for as many as the code keeps",
        source="code: 400 of MNIST's 60,000",
        least=0,
    )
    shuffle: bool = setting(False, "Whether each pass over the images has an order of its own", source="code: no")
    binarization: Literal["every-minibatch", "once"] = setting(
        "every-minibatch", "When training pixels are drawn", source="both: every-minibatch"
    )
    scale: Literal["log-deviation", "log-variance"] = setting(
        "log-deviation", "What a Gaussian's second head predicts", source="text: log-variance; code: log-deviation"
    )
    initialization: Literal["shared", "independent"] = setting(
        "shared",
        "Glorot-uniform weights from one seed that every layer shares, so that layers of one shape start identical, or "
        "independent draws for each layer",
        source="code: shared",
    )
    initialization_seed: int = setting(
        123, "Seed of the initialisation; a model's own is added to it", source="code: 123", **_SEEDS
    )
    output_bias: Literal["train-mean", "zeros"] = setting(
        "train-mean",
        "The last bias of the decoder starts at the logit of the mean training image, clipped to [0.001, 0.999], or at "
        "zeros",
        source="code: train-mean",
    )
    kl: Literal["sampled"] = setting(
        "sampled",
        "log p(h) - log q(h|x) is sampled, never integrated; there is no other choice, and the field says so in every "
        "manifest",
        source="both: sampled",
    )
    # The training images are measured on a binarization with the next seed, so that the two sets are independent.
    test_binarization_seed: int = setting(
        123, "Seed of the one binarization of the test set", source="code: 123", **_SEEDS
    )
    activity: Literal["one-sample", "definition"] = setting(
        "one-sample",
        "Which of the two measured activities tables show beside the paper's: one-sample (500 training images, the "
        "second layer's mean at a single sampled h1) or the text's definition",
        source="code: one-sample",
    )
    schedule: Literal["stages", "cosine"] = setting(
        "stages",
        "stages of 3^i passes, each at one rate, or one cosine: the rate falls from peak_rate to end_rate along half a "
        "period, over as many passes as the training settings say",
        source="both: stages",
        later=True,
    )
    peak_rate: float = setting(1e-3, "The cosine's first rate", above=0, later=True)
    end_rate: float = setting(1e-5, "The cosine's last rate", above=0, later=True)
    rate_warm_up: float = setting(
        0.0, "Passes at the cosine's start in which the rate rises in proportion to the updates", least=0, later=True
    )
    gradient_clip: float | None = setting(
        None, "The Euclidean norm above which a model's gradient is scaled down to it", above=0, later=True
    )
    kl_warm_up: float = setting(
        0.0,
        "Passes at the start in which the weight of log p(h) - log q(h|x) rises from 0 to 1 in proportion to the "
        "updates; a continued model has none",
        source="both: 0; Tomczak & Welling: 100",
        least=0,
        later=True,
    )

    def with_overrides(self, overrides: dict[str, Any]) -> "Protocol":
        """This protocol with some fields changed; unknown or idle fields and impossible values raise `InputError`."""
        known = [field.name for field in fields(self)]
        for name in overrides:
            if name not in known:
                raise InputError(f"protocol field {name!r} is unknown: use one of {', '.join(known)}.")
        changed = replace(self, **overrides)
        idle = [name for name in overrides if READ_BY.get(name, changed.schedule) != changed.schedule]
        if idle:
            raise InputError(f"protocol field {idle[0]} has no effect, as schedule is {changed.schedule}: omit it.")
        return changed

    def with_variant(self, name: str | None) -> "Protocol":
        """This protocol, but for one departure: a preset's name, a field's, or a field's with a value.

        A field alone, as ``adam_beta1``, takes the value of the first preset that has another one; with a value, as
        ``peak_rate-0.002``, that. None is no departure.

        Raises:
            InputError: There is no such preset or field, no preset has another value of it, or nothing would change.
        """
        if name is None:
            return self
        other = PRESETS[name] if name in PRESETS else self._with_field(name)
        if other == self:
            raise InputError(f"variant {name!r} of the protocol is impossible: it is the study's own protocol.")
        return other

    def _with_field(self, name: str) -> "Protocol":
        """This protocol but for one field, as a variant names it."""
        field, _, value = name.partition("-")
        if field not in (known.name for known in fields(self)):
            known = [*PRESETS, *(entry.name for entry in fields(self) if _presets_differ(entry.name))]
            near = suggestion(name, known) or f": use one of {', '.join(known)}."
            raise InputError(f"variant {name!r} of the protocol is unknown{near}")
        if value:
            return self.with_overrides({field: parsed(value)})
        others = [getattr(known, field) for known in PRESETS.values() if getattr(known, field) != getattr(self, field)]
        if not others:
            raise InputError(
                f"variant {name!r} of the protocol is impossible: all presets agree on this field; write {name}-VALUE."
            )
        return self.with_overrides({field: others[0]})

    def for_dataset(self, dataset: str) -> "Protocol":
        """This protocol with the number of held-out images filled in; a validation file is never trained on."""
        entry = DATASETS[dataset]
        held_out = entry.held_out if self.held_out is None else self.held_out
        return replace(self, held_out=max(held_out, entry.validation_file))


def parsed(text: str) -> Any:
    """The value that a text stands for: a JSON value, or else the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _presets_differ(name: str) -> bool:
    return len({getattr(known, name) for known in PRESETS.values()}) > 1


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
