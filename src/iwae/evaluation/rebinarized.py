"""What other binarizations of the same images change in nll, with the same importance samples for each.

Test images are binarized once, so nll depends on the bits that were drawn. The authors' code draws others than we do,
but always the same: the paper's nll is of these (`iwae.data.binarization.binarize_as_authors`).
"""

from collections.abc import Iterator

import numpy as np

from iwae.data import splits
from iwae.data.binarization import binarize, binarize_as_authors
from iwae.evaluation.likelihood import evaluate
from iwae.evaluation.subject import Subject
from iwae.progress import progress_bar
from iwae.study.measurements import RebinarizedSettings


def write(subject: Subject, settings: RebinarizedSettings) -> None:
    """Estimate log p(x) of test and training images under several binarizations: ``rebinarized.csv``.

    Raises:
        InputError: The model gives a likelihood that is not finite.
    """
    nll: dict[str, dict[str, float]] = {}
    for split, most in (("test", settings.test_images), ("train", settings.train_images)):
        chosen = splits.evenly_spaced(most, len(getattr(subject, split)))
        title = f"{subject.model.spec.name} rebinarized, {split}"
        with progress_bar((settings.draws + 2) * len(chosen), title, "image") as bar:
            for name, x in _binarizations(subject, split, settings.draws):
                found = evaluate(subject.model, x[chosen], chosen, settings, split, subject.device, bar.update)
                nll.setdefault(name, {})[split] = -float(found.log_likelihood.mean())
    rows = [{"binarization": name, "nll": each["test"], "nll_train": each["train"]} for name, each in nll.items()]
    subject.write_rows("rebinarized.csv", rows)


def _binarizations(subject: Subject, split: str, draws: int) -> Iterator[tuple[str, np.ndarray]]:
    """The study's own bits of all images of a split, the authors', and those by other seeds, (N, 784) ``uint8``."""
    pixels = getattr(subject.images, split)
    yield "own", getattr(subject, split)
    yield "authors", binarize_as_authors(pixels)
    first = subject.model.settings.protocol.test_binarization_seed + (split == "train")  # as `Subject.open` does
    for draw in range(1, draws + 1):
        yield f"draw {draw}", binarize(pixels, first + 2 * draw)
