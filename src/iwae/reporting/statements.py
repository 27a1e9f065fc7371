"""What a study did, in sentences computed from its manifests: nothing here is a typed number."""

from collections import Counter
from collections.abc import Sequence

from iwae.reporting.study import Model, nll_per_image
from iwae.study.measurements import ActivitySettings, LikelihoodSettings
from iwae.study.protocol import PRESETS
from iwae.study.settings import SCHEDULE_STAGES, TrainingSettings

PAPER = TrainingSettings()
PAPER_LIKELIHOOD = LikelihoodSettings()
PAPER_ACTIVITY = ActivitySettings()
PAPER_TEST_IMAGES = {"omniglot": 8_070}  # all there are; of the other data sets the likelihood's default


def passes(stages: int) -> int:
    """Passes over the training images in the first `stages` stages of 3^i passes (paper, section 5)."""
    return sum(3**stage for stage in range(stages))


def schedule(stages: int) -> str:
    """The part of the paper's schedule that was run, for column ``schedule`` of the tables."""
    if stages == SCHEDULE_STAGES:
        return f"whole ({passes(stages)} passes)"
    return f"cut after {stages} of {SCHEDULE_STAGES} stages ({passes(stages)} of {passes(SCHEDULE_STAGES)} passes)"


def is_comparable(model: Model, section: str = "likelihood") -> bool:
    """Whether what this section measured of a model may be compared with the paper's.

    It may if the model ran the paper's whole schedule, on all training images, in minibatches of the paper's size,
    under a preset of the protocol, and nll is the paper's L_5000: with fewer samples the bound is lower. Fewer test
    images give the same nll with a larger error, so they may differ; `likelihood_line` says so. For `activity`, the
    authors' variant, where it is shown, must be over as many training images as theirs: its threshold depends on their
    number.
    """
    return not [*_departures(model), *_measurement_departures(model, section)]


def comparison_lines(
    models: Sequence[Model], consequence: str = "not comparable with the paper", section: str = "likelihood"
) -> list[str]:
    """`schedule_lines`, and one sentence for each way in which `section` measured some models unlike the paper."""
    found = Counter(reason for model in models for reason in _measurement_departures(model, section))
    return schedule_lines(models, consequence) + _sentences(found, models, consequence)


def schedule_lines(models: Sequence[Model], consequence: str = "not comparable with the paper") -> list[str]:
    """What models ran of the paper's schedule: one sentence for each way in which some depart from it.

    Args:
        models: The models.
        consequence: What a departure means for the reader, the end of each sentence.
    """
    departures = Counter(reason for model in models for reason in _departures(model))
    if not departures:
        return [f"Schedule as in the paper: {schedule(SCHEDULE_STAGES)}."]
    return _sentences(departures, models, consequence)


def _sentences(departures: Counter[str], models: Sequence[Model], consequence: str) -> list[str]:
    return [
        f"{reason[0].upper()}{reason[1:]}{_share(count, models)}: {consequence}."
        for reason, count in sorted(departures.items())
    ]


def _share(count: int, models: Sequence[Model]) -> str:
    return "" if count == len(models) else f" in {count} of {len(models)} models"


def _departures(model: Model) -> list[str]:
    settings = model.settings("training")
    found = []
    if settings["stages"] != PAPER.stages:
        found.append(f"schedule {schedule(settings['stages'])}")
    if settings["train_images"] is not None:
        found.append(f"trained on the first {settings['train_images']} training images only")
    if settings["batch_size"] != PAPER.batch_size:
        found.append(f"minibatches of {settings['batch_size']} images instead of {PAPER.batch_size}")
    if preset_of(model) is None:
        found.append("protocol other than the authors' code and the paper's text")
    return found


def _measurement_departures(model: Model, section: str) -> list[str]:
    settings = model.settings(section)
    if section == "activity":
        images, one_sample = settings["authors_images"], activity_variant([model]) == "one-sample"
        if not one_sample or images == PAPER_ACTIVITY.authors_images:
            return []
        return [f"active units are counted from {images} images instead of {PAPER_ACTIVITY.authors_images}"]
    samples = settings["samples"]
    if samples == PAPER_LIKELIHOOD.samples:
        return []
    return [f"nll is measured by L_{samples} instead of L_{PAPER_LIKELIHOOD.samples}"]


def likelihood_line(models: Sequence[Model]) -> str:
    """How nll was measured, over as many images as there were, and the paper's way where it differs."""
    samples = {model.settings("likelihood")["samples"] for model in models}
    measured = {(model.spec.dataset, nll_per_image([model])[0].shape[1]) for model in models}
    paper = {dataset: PAPER_TEST_IMAGES.get(dataset, PAPER_LIKELIHOOD.test_images) for dataset, _ in measured}
    images = {number for _, number in measured}
    line = (
        f"nll: mean of -L_{_listed(samples)}, the bound of that many importance samples, over {_listed(images)} test "
        "images, in nats per image"
    )
    if samples != {PAPER_LIKELIHOOD.samples} or measured != set(paper.items()):
        line += f" (paper: {PAPER_LIKELIHOOD.samples} samples, {_listed(set(paper.values()))} images)"
    return line + "."


def tightness_lines(models: Sequence[Model]) -> list[str]:
    """How far L_k still rose between the two largest k that were measured; nothing where it was one k only."""
    rises = []
    for model in models:
        curve = model.table("likelihood", "likelihood.csv")
        last = curve[curve.split == "test"].sort_values("k").iloc[-2:]
        if len(last) == 2:
            rises.append((last.k.iloc[0], last.k.iloc[1], last.bound.iloc[1] - last.bound.iloc[0]))
    if not rises:
        return []
    lower, upper = (" or ".join(str(k) for k in sorted(set(ks))) for ks in list(zip(*rises, strict=True))[:2])
    rise = [value for *_, value in rises]
    return [
        f"From L_{lower} to L_{upper} the bound rises by {min(rise):.2f} to {max(rise):.2f} nats, by model: log p(x) "
        "is higher still, and not by the same for all."
    ]


def protocols(models: Sequence[Model]) -> list[str]:
    """The protocols of the models, each as the preset it is nearest to and the fields that differ from it."""
    named = Counter(_protocol(model) for model in models)
    if len(named) == 1:
        return list(named)
    return [f"{name}{_share(count, models)}" for name, count in sorted(named.items())]


def preset_of(model: Model) -> str | None:
    """The preset that a model's protocol is; None where fields of it differ from every preset."""
    nearest, changes = _nearest_preset(model)
    return None if changes else nearest


def _protocol(model: Model) -> str:
    nearest, changes = _nearest_preset(model)
    return f"{nearest} with {', '.join(changes)}" if changes else nearest


def _nearest_preset(model: Model) -> tuple[str, list[str]]:
    """The preset that most fields of a model's protocol are of, and ``field=value`` for each other field."""
    fields = model.settings("training")["protocol"]
    differences = {}
    for name, preset in PRESETS.items():
        asked = preset.for_dataset(model.spec.dataset).as_dict()
        differences[name] = [f"{key}={fields.get(key)}" for key, value in asked.items() if fields.get(key) != value]
    nearest = min(differences, key=lambda name: len(differences[name]))
    return nearest, differences[nearest]


def protocol_changes(base: Model, model: Model) -> list[str]:
    """Each field of the protocol that differs between two models: ``adam_beta1: 0.99 -> 0.9``."""
    before, after = (one.settings("training")["protocol"] for one in (base, model))
    return [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def activity_variant(models: Sequence[Model]) -> str:
    """The measured activity that stands beside the paper's: ``one-sample`` or ``definition``.

    A study has one protocol as a rule; where models differ, the definition is shown, which is the same for all.
    """
    variants = {model.settings("training")["protocol"]["activity"] for model in models}
    return variants.pop() if len(variants) == 1 else "definition"


def counted(number: int, word: str) -> str:
    """``1 layer``, ``2 layers``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _listed(values: set[int]) -> str:
    return " or ".join(str(value) for value in sorted(values))
