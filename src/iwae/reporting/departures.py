"""In what ways models are not the paper's, so that claims about their values cannot be tested.

Beside the schedule, the protocol and the measurement, of which `iwae.reporting.statements` tells, this is the data.
"""

from collections.abc import Iterable, Sequence

from iwae.data import mnist_fixed
from iwae.reporting.statements import comparison_lines, counted, is_comparable, protocols
from iwae.reporting.study import Model
from iwae.study import manifest

AUTHORS = "authors-code"  # the preset that made the paper's numbers


def departs(model: Model, section: str) -> bool:
    """Whether a model was trained, or measured by `section`, in another way than the paper's, or on other data."""
    return not is_comparable(model, section) or bool(_other_files(model))


def departure_lines(models: Sequence[Model], sections: Iterable[str]) -> list[str]:
    """What the schedule was, and every departure from the paper, a sentence each."""
    lines = dict.fromkeys(line for section in sections for line in comparison_lines(models, section=section))
    return [*lines, *data_lines(models)]


def protocol_lines(models: Sequence[Model]) -> list[str]:
    """A sentence that names the protocols, unless they are all that of the paper's numbers."""
    named = protocols(models)
    if not models or named == [AUTHORS]:
        return []
    return [f"Protocol: {'; '.join(named)}. The paper's numbers are of {AUTHORS}."]


def data_lines(models: Sequence[Model]) -> list[str]:
    """A sentence if models were made from another fixed binarization than the one known, by its SHA-256."""
    others = [model for model in models if _other_files(model)]
    if not others:
        return []
    files = sorted({name for model in others for name in _other_files(model)})
    return [
        f"{counted(len(others), 'model')} of mnist-fixed may be of another binarization: {', '.join(files)} "
        f"{'has' if len(files) == 1 else 'have'} another SHA-256 than TensorFlow Datasets knows."
    ]


def _other_files(model: Model) -> set[str]:
    """The files of the fixed binarization that a step of the model read in another version."""
    if model.spec.dataset != "mnist-fixed":
        return set()
    sections = [model.manifest[name] for name in manifest.SECTIONS if name in model.manifest]
    recorded = [section.get("provenance", {}).get("data_sha256", {}) for section in sections]
    return {
        name
        for hashes in recorded
        for name, expected in mnist_fixed.SHA256.items()
        if hashes.get(name, expected) != expected
    }
