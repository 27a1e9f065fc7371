"""What a study did, in sentences computed from its manifests: nothing here is a typed number."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from iwae.data import mnist_fixed
from iwae.reporting.study import Model, StudyResults
from iwae.study.measurements import ActivitySettings, LikelihoodSettings
from iwae.study.protocol import PRESETS, Protocol
from iwae.study.registry import OBJECTIVES
from iwae.study.settings import SCHEDULE_STAGES, TrainingSettings, stage_passes

PAPER = TrainingSettings()
PAPER_LIKELIHOOD = LikelihoodSettings()
PAPER_ACTIVITY = ActivitySettings()
AUTHORS = "authors-code"  # the preset that made the paper's numbers
PAPER_PRESETS = (AUTHORS, "paper-text")
PAPER_TEST_IMAGES = {"omniglot": 8_070}  # all there are; of the other data sets the likelihood's default
NOT_COMPARABLE = "not comparable with the paper"
ORIENTATION = f"{NOT_COMPARABLE}; the paper's values are shown for orientation"
NO_VALUES = "not as in the paper"  # the consequence of a departure where the paper has no value anyway


class Departure(NamedTuple):
    """A way in which a model is not the paper's, in words: by its training, its data or how it was measured.

    Sizes, of minibatches and of importance samples, are other ones in other papers.
    """

    words: str
    in_training: bool = True
    of_size: bool = False


def departures(model: Model, section: str = "likelihood") -> list[Departure]:
    """In what ways a model is not the paper's, so that what `section` measured of it cannot be held against the paper.

    The paper's is the whole schedule, on all training images, in minibatches of the paper's size, under a preset of the
    protocol that is the paper's; nll is L_5000: with fewer samples the bound is lower. Fewer test images give the same
    nll with a larger error, so they may differ; `likelihood_line` says so. For ``activity``, the authors' estimate,
    where it is shown, must be over as many training images as theirs: its threshold depends on their number.
    """
    return [*_of_training(model), *_of_measurement(model, section), *_of_data(model)]


def _of_training(model: Model) -> Iterator[Departure]:
    settings, preset = model.training, preset_of(model)
    images, size = settings.train_images, settings.batch_size
    if settings.is_cosine:
        yield Departure(f"protocol {preset or 'of its own'} ({schedule(settings)}), which is not the paper's")
    else:
        if settings.stages != PAPER.stages:
            yield Departure(f"schedule {schedule(settings)}")
        if preset not in PAPER_PRESETS:
            yield Departure("protocol other than the authors' code and the paper's text")
    if images is not None:
        yield Departure(f"trained on the first {images} training images only")
    if size != PAPER.batch_size:
        yield Departure(f"minibatches of {size} images instead of {PAPER.batch_size}", of_size=True)


def _of_measurement(model: Model, section: str) -> Iterator[Departure]:
    settings, usual = model.settings(section) if section in model.manifest else {}, PAPER_LIKELIHOOD.samples
    if section == "activity" and model.training.protocol.activity == "one-sample":
        images, theirs = settings.get("authors_images"), PAPER_ACTIVITY.authors_images
        if images not in (None, theirs):
            yield Departure(f"active units are counted from {images} images instead of {theirs}", False, True)
    elif section in ("likelihood", "chopped") and (samples := settings.get("samples", usual)) != usual:
        yield Departure(f"nll is measured by L_{samples} instead of L_{usual}", False, True)


def _of_data(model: Model) -> Iterator[Departure]:
    """The files of the fixed binarization that a step of the model read in another version than the one known."""
    if model.spec.dataset != "mnist-fixed":
        return
    read = [entry.get("provenance", {}).get("data_sha256", {}) for entry in model.manifest.values()]
    known = mnist_fixed.SHA256
    files = sorted(name for name in known if any(hashes.get(name, known[name]) != known[name] for hashes in read))
    if files:
        have = "has" if len(files) == 1 else "have"
        words = f"{', '.join(files)} {have} another SHA-256 than TensorFlow Datasets knows"
        yield Departure(f"perhaps another binarization: {words}", in_training=False)


def is_complete(model: Model, section: str = "likelihood", sizes: bool = True) -> bool:
    """Whether a model ran a whole schedule under a preset, be it not the paper's, and departs in nothing else.

    Such models can be compared with each other, as the paper compares its own. `sizes` says whether those of its
    minibatches and samples must be the paper's too.
    """
    found = [departure for departure in departures(model, section) if sizes or not departure.of_size]
    return not found or (is_foreign(model) and len(found) == 1)


def is_foreign(model: Model) -> bool:
    """Whether a model was trained under a preset of the protocol that is not the paper's."""
    return preset_of(model) not in (None, *PAPER_PRESETS)


def comparison_lines(
    models: Sequence[Model], consequence: str = NOT_COMPARABLE, sections: Iterable[str] = ("likelihood",)
) -> list[str]:
    """Whether models ran the paper's schedule, and a sentence on all ways in which some depart from the paper.

    The sentence ends with the `consequence` for the reader. The measurements of these `sections` count too.
    """
    found: Counter[Departure] = Counter()
    for model in models:
        found.update({departure for section in ("", *sections) for departure in departures(model, section)})
    whole = bool(models) and not any(departure.in_training for departure in found)
    ordered = sorted(found.items(), key=lambda item: (not item[0].in_training, item[0].words))
    departing = "; ".join(f"{_share(count, models)} {each.words}".strip() for each, count in ordered)
    lines = [f"Schedule as in the paper: {schedule(PAPER)}."] if whole else []
    return [*lines, f"{departing[0].upper()}{departing[1:]}: {consequence}."] if departing else lines


def _share(count: int, models: Sequence[Model]) -> str:
    return "" if count == len(models) else f"in {count} of {len(models)} models"


def schedule(settings: TrainingSettings) -> str:
    """The schedule that training settings ask for: how much of the paper's, or which other one."""
    if settings.passes is not None:
        protocol = settings.protocol
        peak, end = (
            np.format_float_scientific(rate, trim="-", exp_digits=1) for rate in (protocol.peak_rate, protocol.end_rate)
        )
        return f"cosine, {peak} to {end} over {counted(settings.passes, 'pass', 'passes')}"
    stages, whole = settings.stages, stage_passes(SCHEDULE_STAGES)
    if stages == SCHEDULE_STAGES:
        return f"whole ({whole} passes)"
    return f"cut after {stages} of {SCHEDULE_STAGES} stages ({stage_passes(stages)} of {whole} passes)"


def interim_lines(study: StudyResults) -> list[str]:
    """A sentence if the study is not finished."""
    missing = study.unfinished
    if not missing:
        return []
    trained = len({model.spec for model in study.models} & set(missing))
    return [
        f"Interim results: {len(study.specs) - len(missing)} of {len(study.specs)} models finished"
        f"{f', {trained} more trained and not yet measured' if trained else ''}"
        f"{'; the others are still to be run' if trained < len(missing) else ''}."
    ]


def figure_lines(study: StudyResults) -> list[str]:
    """What must be known of all figures: that the study is not finished, or its schedule not the paper's."""
    ran = {schedule(model.training) for model in study.grid or study.models}
    return [*interim_lines(study), *(f"Schedule: {words}." for words in sorted(ran - {schedule(PAPER)}))]


def likelihood_line(models: Sequence[Model]) -> str:
    """How nll was measured, over as many images as there were, and the paper's way where it differs."""
    samples = {model.settings("likelihood")["samples"] for model in models}
    measured = {(model.spec.dataset, len(model.array("likelihood", "test_images"))) for model in models}
    paper = {dataset: PAPER_TEST_IMAGES.get(dataset, PAPER_LIKELIHOOD.test_images) for dataset, _ in measured}
    line = (
        f"nll: mean of -L_{listed(samples)}, the bound of that many importance samples, over "
        f"{listed(images for _, images in measured)} test images, in nats per image"
    )
    if samples != {PAPER_LIKELIHOOD.samples} or measured != set(paper.items()):
        line += f" (paper: {PAPER_LIKELIHOOD.samples} samples, {listed(paper.values())} images)"
    return line + "."


def tightness_lines(models: Sequence[Model]) -> list[str]:
    """How far L_k still rose between the two largest k that were measured; nothing where it was one k only."""
    curves = [model.table("likelihood").query("split == 'test'").sort_values("k").iloc[-2:] for model in models]
    curves = [curve for curve in curves if len(curve) == 2]
    if not curves:
        return []
    lower, upper = (listed(curve.k.iloc[place] for curve in curves) for place in (0, 1))
    rise = [curve.bound.iloc[1] - curve.bound.iloc[0] for curve in curves]
    several = ", by an amount that differs between models" if len(rise) > 1 else ""
    return [f"From L_{lower} to L_{upper} the bound rises by {span(rise)} nats: log p(x) is higher still{several}."]


def protocol_lines(models: Sequence[Model]) -> list[str]:
    """A sentence that names the protocols, unless they are all that of the paper's numbers."""
    named = protocols(models)
    return [] if named in ([], [AUTHORS]) else [f"Protocol: {'; '.join(named)}. The paper's numbers are of {AUTHORS}."]


def own_way_line(models: Sequence[Model], source: str) -> str:
    """How models were trained and measured that a paper other than the one replicated makes claims about."""
    batches = listed(model.training.batch_size for model in models)
    samples = listed(model.settings("likelihood")["samples"] for model in models)
    return (
        f"Protocol: {'; '.join(protocols(models))}, minibatches of {batches} images, nll by L_{samples}. The networks "
        f"and the training are not those of {source}."
    )


def protocols(models: Sequence[Model]) -> list[str]:
    """The protocols of the models, each as the preset it is nearest to and the fields that differ from it."""
    nearest = [_nearest(model.spec.dataset, model.training.protocol) for model in models]
    named = Counter(f"{name} with {', '.join(changes)}" if changes else name for name, changes in nearest)
    return [f"{name} {_share(count, models)}".strip() for name, count in sorted(named.items())]


def preset_of(model: Model) -> str | None:
    """The preset that a model's protocol is; None where fields of it differ from every preset."""
    nearest, changes = _nearest(model.spec.dataset, model.training.protocol)
    return None if changes else nearest


@cache
def _nearest(dataset: str, protocol: Protocol) -> tuple[str, list[str]]:
    """The preset that most fields of a model's protocol are of, and ``field=value`` for each other field."""
    differences = {}
    for name, preset in PRESETS.items():
        asked = vars(preset.for_dataset(dataset))
        differences[name] = [f"{key}={value}" for key, value in vars(protocol).items() if value != asked[key]]
    return min(differences.items(), key=lambda item: len(item[1]))


def protocol_changes(base: Model, model: Model) -> list[str]:
    """Each field of the protocol that differs between two models: ``adam_beta1: 0.99 -> 0.9``."""
    before, after = (vars(one.training.protocol) for one in (base, model))
    return [f"{name}: {value} -> {after[name]}" for name, value in before.items() if value != after[name]]


def model_name(objective: str, k: int) -> str:
    """``IWAE k=5``."""
    return f"{OBJECTIVES[objective].label} k={k}"


def counted(number: int, word: str, several: str = "") -> str:
    """``1 layer``, ``2 layers``."""
    return f"{number} {word if number == 1 else several or f'{word}s'}"


def span(values: Iterable[float], digits: int = 2) -> str:
    """``0.13 to 0.42``: the least and the greatest, or their one value."""
    ends = (f"{end:.{digits}f}" for end in (min(values), max(values)))
    return " to ".join(dict.fromkeys(ends))


def listed(values: Iterable[Any]) -> str:
    """``5 or 50``: the distinct values, in order."""
    return " or ".join(str(value) for value in sorted(set(values)))
