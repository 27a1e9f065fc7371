"""Means over seeds with both errors, and differences between models paired over the images that they share."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from iwae.reporting.statements import schedule
from iwae.reporting.study import Model, StudyResults, nll_per_image
from iwae.study.specification import ModelSpec


def mean_and_errors(values: np.ndarray, name: str = "") -> dict[str, float]:
    """Mean and both errors of per-image values, such as nll in nats.

    Args:
        values: Values of each seed, (seeds, images).
        name: What the columns are called after.

    Returns:
        `name` (without a name: nll), the mean over seeds and images; ``name_se_images``, the standard error over images
        of the values averaged over seeds; ``name_sd_seeds``, the standard deviation over seeds, NaN for one.
    """
    by_image, by_seed = values.mean(axis=0), values.mean(axis=1)
    prefix = f"{name}_" if name else ""
    return {
        name or "nll": by_image.mean(),
        f"{prefix}se_images": by_image.std(ddof=1) / np.sqrt(len(by_image)),
        f"{prefix}sd_seeds": by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
    }


def unknown(name: str) -> dict[str, float]:
    """What `mean_and_errors` returns, all unknown."""
    return dict.fromkeys((name, f"{name}_se_images", f"{name}_sd_seeds"), np.nan)


def minus(models: Sequence[Model], bases: Sequence[Model], name: str) -> dict[str, float]:
    """Difference in nll of `models` minus `bases`, paired over images and in order; unknown for no models."""
    if not models:
        return unknown(name)
    nll, _ = nll_per_image([*models, *bases])
    return mean_and_errors(nll[: len(models)] - nll[len(models) :], name)


def partners(
    study: StudyResults, models: Iterable[Model], base: Callable[[ModelSpec], ModelSpec | None]
) -> tuple[list[Model], list[Model]]:
    """Those of `models` whose base ran the same stages of the schedule in `study`, and their bases.

    They share images, binarization and, with the seed, initialisation.
    """
    found = {(model.spec, model.stages): model for model in study.models}
    pairs = [(model, found.get((base(model.spec), model.stages))) for model in models]
    return [model for model, other in pairs if other], [other for _, other in pairs if other]


def kinds(models: Iterable[Model]) -> list[list[Model]]:
    """The models in groups that differ in the seed alone."""
    groups: dict[Hashable, list[Model]] = defaultdict(list)
    for model in models:
        groups[model.spec.name.rsplit("/", 1)[0], model.stages].append(model)
    return list(groups.values())


def head(models: Sequence[Model]) -> dict[str, Any]:
    """The columns with which a row on one kind of model begins."""
    spec, stages = models[0].spec, models[0].stages
    return {
        "dataset": spec.dataset,
        "layers": spec.layers,
        "objective": spec.objective,
        "k": spec.k,
        "stages": stages,
        "schedule": schedule(stages),
        "model": spec.name.rsplit("/", 1)[0],
        "seeds": len(models),
    }


def measured(models: Sequence[Model]) -> dict[str, Any]:
    """The nll of one kind of model with its errors, and over how many test images and importance samples."""
    nll, _ = nll_per_image(models)
    return {
        "images": nll.shape[1],
        "samples": models[0].settings("likelihood")["samples"],
        **mean_and_errors(nll),
    }


def active_units(study: StudyResults, models: Sequence[Model], prefix: str = "", layers: int = 2) -> dict[str, float]:
    """Active units of each layer, both variants, means over seeds; NaN for a layer or for models that there are not."""
    return {
        f"{prefix}{quantity}_{layer}": np.mean(
            [study.value(model, f"{quantity}_{layer}") for model in models] or [np.nan]
        )
        for quantity in ("active_units", "active_units_authors")
        for layer in range(1, layers + 1)
    }


def chosen_units(row: Mapping[str, Any], variant: str, prefix: str = "") -> tuple[float, float]:
    """Of a row with `active_units`, those of each layer by the variant of A_u: ``one-sample`` or ``definition``."""
    name = prefix + ("active_units_authors" if variant == "one-sample" else "active_units")
    return row[f"{name}_1"], row.get(f"{name}_2", np.nan)
