"""Synthetic models: well-formed folders whose numbers follow from a few constants."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from safetensors.numpy import save_file

from iwae.data.splits import evenly_spaced
from iwae.files import write_rows
from iwae.study import manifest
from iwae.study.measurements import ACTIVITY_COLUMNS, MEASUREMENTS, LikelihoodSettings
from iwae.study.protocol import PRESETS
from iwae.study.registry import DATASETS
from iwae.study.settings import ACTIVE, TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training.schedule import Schedule

BOUND_KS = (1, 2, 5, 10, 50, 500, 5000)
SIZES = (100, 59_600)
GAP = 0.7  # nll of test images above that of training images, on average
UNIT = 0.001  # what nll gains from an inactive unit
SHIFTS = {"mnist": 0.0, "omniglot": 22.0, "mnist-fixed": 2.0, "mnist-static": 1.5}
COSTS = {"paper-text": 1.0, "adam_beta1": 0.25}  # of a protocol; of any other 0.1
GIVEN = {  # settings of all measurements but the likelihood
    "rebinarized": {"draws": 2},
    "activity": {},
    "chopped": {"images": 25},
    "surgery": {"samples": 200, "sizes": SIZES[:-1]},
    "pictures": {"samples": 70, "reconstructions": 10, "posterior_points": 60},
    "annealed": {"images": 30, "simulated": 5},
    "inference": {"images": 20},
    "implicit": {"images": 10, "sets": 4, "reconstructions": 3},
    "replaced": {"components": (10,), "images": 20},
    "gradients": {},
}
SETTINGS = {name: MEASUREMENTS[name].settings(**given) for name, given in GIVEN.items()}
WRITTEN = ("training", "likelihood", *SETTINGS)
PROVENANCE = {
    "wall_seconds": 3725.0,
    "device": "cpu: synthetic",
    "threads": 1,
    "source_sha256": "ab" * 32,
    "git_commit": None,
    "python": "3.11.0",
    "torch": "2.9.0",
}


def quality(spec: ModelSpec) -> float:
    """The nll that a synthetic model is given on the average image, in nats; a continued model has gone half-way."""
    gain = np.log(spec.k) * (0.5 if spec.objective == "iwae" else 0.1)
    value = 88.0 + SHIFTS[spec.dataset] - 1.5 * spec.layers - gain + 0.1 * spec.seed
    if spec.origin:
        return (value + quality(spec.origin)) / 2
    cost = COSTS.get(spec.variant, 0.1) if spec.variant else 0.0
    return value + cost + 0.002 * (50 - (spec.latents or 50))


def active(spec: ModelSpec) -> int:
    """The active units of the first layer of a synthetic model."""
    count = 15 + 3 * int(np.log(spec.k)) + spec.seed
    if spec.origin:
        return (count + active(spec.origin)) // 2
    return min(count, spec.latents or count)


def latents(spec: ModelSpec) -> tuple[int, ...]:
    """The latent units of each layer."""
    return (spec.latents or 50,) if spec.layers == 1 else (100, 50)


def train_images(spec: ModelSpec) -> int:
    """The images that a model is trained on."""
    return DATASETS[spec.dataset].images - DATASETS[spec.dataset].held_out


def write_model(
    results: Path,
    spec: ModelSpec,
    stages: int = 8,
    images: int = 40,
    protocol: str = "authors-code",
    sections: tuple[str, ...] = WRITTEN,
    samples: int = BOUND_KS[-1],
    test_images: int | None = None,
) -> Path:
    """Write the folder of one model, with these sections of its manifest, and those that every study has."""
    folder, random = results / spec.name, np.random.default_rng(spec.random_seed(0, "synthetic"))
    folder.mkdir(parents=True)
    training = TrainingSettings(PRESETS[protocol], stages=stages).for_model(spec)
    likelihood = LikelihoodSettings(samples=samples, test_images=test_images or images, train_images=images)
    settings = {"training": training, "likelihood": likelihood, **SETTINGS}
    asked = {name: each.as_dict() for name, each in settings.items()}
    asked["chopped"] |= {"activity": asked["activity"]}
    # Later sections are made from the log p(x) of test images and the inactive units, which earlier ones enter here.
    schedule = Schedule.of(training, train_images(spec), warm_start=spec.origin is not None)
    made = SimpleNamespace(
        spec=spec, training=training, schedule=schedule, images=images, samples=samples, random=random
    )
    provenance = PROVENANCE | {"updates": schedule.updates, "stack": [spec.name]}
    for section, content_of in WRITERS.items():
        if section in (*sections, "training", "likelihood", "activity"):
            content = content_of(made)
            files = content if isinstance(content, dict) else {f"{section}.csv": content}
            for name, each in files.items():
                SAVE[Path(name).suffix](folder / name, each)
            manifest.record(folder, spec, section, asked[section], list(files), provenance)
    return folder


SAVE = {
    ".csv": write_rows,
    ".npz": lambda path, arrays: np.savez(path, **arrays),
    ".safetensors": lambda path, tensors: save_file({n: t.astype(np.float32) for n, t in tensors.items()}, path),
}


def _training(made):
    spec, schedule, rows = made.spec, made.schedule, []
    speed = sum(schedule.passes) * schedule.steps_per_pass * made.training.batch_size / PROVENANCE["wall_seconds"]
    for number in range(1, sum(schedule.passes) + 1):
        updates, bound = number * schedule.steps_per_pass, -quality(spec) - 60 / number**0.7
        row = {"stage": schedule.stage_of(updates - 1), "pass": number, "updates": updates}
        row["learning_rate"] = schedule.learning_rates(updates - 1, 1)[0]
        row |= {"train_bound": bound + 0.5, "validation_bound": bound - 0.5, "images_per_second": round(speed, 1)}
        rows.append(row)
    weights = made.random.normal(size=(200, 784)).astype(np.float32) * made.random.gamma(1.0, size=(200, 1))
    tensors = {"px.logits.weight": weights, "px.logits.bias": np.zeros(784)}
    tensors |= {f"q{layer}.mean.bias": np.zeros(size) for layer, size in enumerate(latents(spec), start=1)}
    return {"training.csv": rows, manifest.WEIGHTS: tensors}


def _likelihood(made):
    spec, images, random, samples = made.spec, made.images, made.random, made.samples
    common = np.random.default_rng(1).normal(0, 24, images)  # images differ far more than models do
    gaps, total = {"test": 0.0, "train": GAP}, {"test": images, "train": train_images(spec)}
    values = {split: -(quality(spec) - gap + common + random.normal(0, 1, images)) for split, gap in gaps.items()}
    made.values, arrays, rows = values["test"], {}, []
    for split, value in values.items():
        value = value.astype(np.float32)
        arrays |= {split: value, f"{split}_images": np.arange(images, dtype=np.int32) * total[split] // images}
        arrays[f"{split}_ess"] = random.uniform(1, spec.k + 1, images).astype(np.float32)
        value = value.astype(np.float64)
        for k in (k for k in BOUND_KS if k <= samples):
            row = {"split": split, "k": k, "bound": value.mean() - 3 * (1 / k - 1 / samples)}
            row |= {"se_images": value.std(ddof=1) / images**0.5, "images": images}
            rows.append(row | {"deviation": 1 / k**0.5 if samples // k >= 20 else None})
    return {"likelihood.npz": arrays, "likelihood.csv": rows}


def _rebinarized(made):
    """The authors' bits cost 0.3 nats on test images and 0.1 on training images, other draws 0.2 more or less."""
    moves, nll = {"own": (0, 0), "authors": (0.3, 0.1), "draw 1": (0.2, 0), "draw 2": (-0.2, 0)}, quality(made.spec)
    return [
        {"binarization": name, "nll": nll + test, "nll_train": nll - GAP + train}
        for name, (test, train) in moves.items()
    ]


def _activity(made):
    rows = []
    for layer, size in enumerate(latents(made.spec), start=1):
        count = active(made.spec) if layer == 1 else 5
        for unit in range(size):
            value = 10 ** (made.random.normal(-0.4, 0.2) if unit < count else made.random.normal(-4, 0.3))
            inflated = value if layer == 1 or unit != count else 0.02
            rows.append({"layer": layer, "unit": unit, "activity": value, "activity_authors": inflated})
    variant = ACTIVITY_COLUMNS[made.training.protocol.activity]
    layers = range(1, made.spec.layers + 1)
    made.removed = [[row[variant] <= ACTIVE for row in rows if row["layer"] == layer] for layer in layers]
    return rows


def _chopped(made):
    chosen = evenly_spaced(min(SETTINGS["chopped"].images, len(made.values)), len(made.values))
    values = made.values[chosen].astype(np.float32)
    loss = UNIT * sum(map(sum, made.removed)) + made.random.normal(0, 1e-3, len(values))
    arrays = {"images": chosen.astype(np.int32), "whole": values, "chopped": (values - loss).astype(np.float32)}
    rows = [{"layer": n, "units": len(units), "removed": sum(units)} for n, units in enumerate(made.removed, start=1)]
    return {"chopped.npz": arrays | {"held": values - np.float32(UNIT)}, "chopped.csv": rows}


def _surgery(made):
    rows = []
    for size in (*SIZES[:-1], train_images(made.spec)):
        gap = 0.01 * size / SIZES[-1]
        terms = {"reconstruction": -quality(made.spec) + 24, "mutual_information": np.log(size) - gap, "index_gap": gap}
        terms["marginal_kl"] = 25 - terms["mutual_information"]
        terms["elbo"] = terms["reconstruction"] - terms["mutual_information"] - terms["marginal_kl"]
        terms["residual"] = 0.0
        rows += [{"images": size, "term": term, "value": value, "se": 0.03} for term, value in terms.items()]
    return rows


def log_likelihoods(made, images):
    """Log p(x) by annealing, in nats: above L_samples by 1.5 for the VAE and by 1 otherwise."""
    return [round(value + (1.5 if made.spec.objective == "vae" else 1.0), 4) for value in made.values[:images].tolist()]


def _annealed(made):
    settings = SETTINGS["annealed"]
    bounds = [("test", image, value, None) for image, value in enumerate(log_likelihoods(made, settings.images))]
    bounds += [("simulated", image, -90.0 - image, -89.9 - image) for image in range(settings.simulated)]
    names = ("split", "image", "lower", "upper")
    return [dict(zip(names, each, strict=True)) | {"acceptance": 0.65} for each in bounds]


def _inference(made):
    """Gaps to log p(x) of 0.5, 2.5 and 12.5 nats."""
    gaps = {"encoder": 12.5, "diagonal": 2.5, "full": 0.5}
    exact = enumerate(log_likelihoods(made, SETTINGS["inference"].images))
    return [{"image": image} | {name: value - gap for name, gap in gaps.items()} for image, value in exact]


def _replaced(made):
    """A mixture gains 2 nats on both splits; q(z) gains 13 on training images and loses 7 on test images."""
    arrays, rows, images = {}, [], SETTINGS["replaced"].images
    for split, gains in (
        ("test", {"mog10": 2.0, "aggregate": -7.0}),
        ("train", {"mog10": 2.0, "aggregate": 13.0, "leave-one-out": -6.0}),
    ):
        arrays[f"{split}_images"] = np.arange(images, dtype=np.int32)
        for prior, gain in gains.items():
            row = {"split": split, "prior": prior, "images": images}
            for measure in ("elbo", "bound"):
                values = (gain + made.random.normal(0, 0.1, images)).astype(np.float32)
                arrays[f"{split}_{prior}_{measure}"] = values
                row |= {measure: values.mean(), f"{measure}_se_images": values.std(ddof=1) / len(values) ** 0.5}
            rows.append(row)
    return {"replaced.npz": arrays, "replaced.csv": rows}


def _implicit(made):
    """Bounds of ELBO[q_EW] 0.4 and 0.5 nats above L_k for k > 1."""
    settings, rows = SETTINGS["implicit"], []
    for k in settings.ks:
        for image, value in enumerate(made.values[: settings.images].tolist()):
            bound = value - 3 / k
            above = {"importance": bound, "lower": bound + 0.4 * (k > 1), "upper": bound + 0.5 * (k > 1)}
            rows.append({"image": image, "k": k, **above})
    means = np.full((len(settings.ks), settings.reconstructions, 784), 100, np.uint8)
    arrays = {"inputs": np.zeros((settings.reconstructions, 784), np.uint8), "reconstructions": means}
    if made.spec.latents == 2:
        sums = np.log(np.maximum(np.array(settings.ks) - 1, 1e-30)) - 91
        shape = (len(settings.ks), settings.sets, settings.posterior_images)
        arrays["companions"] = np.broadcast_to(sums[:, None, None], shape).astype(np.float32)
    return {"implicit.csv": rows, "implicit.npz": arrays}


def _gradients(made):
    """Ratios that fall as k^-1/2 for the encoder by the standard estimator and rise as k^1/2 otherwise."""
    cases = (("vae", "standard"), ("iwae", "standard"), ("iwae", "dreg"))
    return [
        {"objective": objective, "estimator": estimator, "k": k, "part": part, "ratio": ratio, "se": 0.01}
        | {"variance": 9.0 / k}
        for objective, estimator in cases
        for k in SETTINGS["gradients"].ks
        if k > 1 or objective == "vae"
        for part, ratio in (("encoder", k ** (0.5 if estimator == "dreg" else -0.5)), ("decoder", k**0.5))
    ]


def _pictures(made):
    spec, settings, (y, x) = made.spec, SETTINGS["pictures"], np.mgrid[:28, :28]

    def blobs(count):
        centre, width = made.random.uniform(9, 19, (count, 2, 1, 1)), made.random.uniform(2, 6, (count, 1, 1))
        return 255 * np.exp(-(((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / width**2)).reshape(count, 784)

    arrays = {"samples": blobs(70), "reconstructions": (means := blobs(10)), "inputs": np.where(means > 128, 255, 0)}
    if spec.prior.startswith("vamp"):
        arrays |= {"pseudo_inputs": blobs(5), "pseudo_samples": blobs(45).reshape(5, 9, 784)}
    if spec.latents == 2:
        some = slice(settings.posterior_images)
        arrays |= {f"posterior_{name}": arrays[name][some] for name in ("inputs", "reconstructions")}
    arrays = {name: value.astype(np.uint8) for name, value in arrays.items()}
    if spec.latents == 2:
        axis = np.linspace(-4, 4, settings.posterior_points)
        plane = -0.5 * (axis[:, None] ** 2 + axis**2)
        others = {"plane_axis": axis, "plane_log_prior": plane - 1.8, "plane_log_aggregate": plane - 1.9}
        others |= _posterior(spec.k, len(arrays["posterior_inputs"]), settings.posterior_points, made.random)
        arrays |= {name: value.astype(np.float32) for name, value in others.items()}
    return {"pictures.npz": arrays}


def _posterior(k, images, points, random):
    """Bent posteriors, the more so the larger k, and q about them."""
    centre, width = random.uniform(-2, 2, (images, 2)), 0.2 + 0.1 * np.log(k)
    first, second = (np.linspace(*ends, points) for ends in ((-5 * width, 5 * width), (-1.5, 8.0)))
    bend = 0.5 * np.log(k) * first**2
    surface = -90 - 0.5 * (first / width) ** 2 - 0.5 * ((second[:, None] - bend) / 0.25) ** 2  # (P, P)
    return {
        "posterior_axes": centre[..., None] + np.stack([first, second]),
        "posterior_log_joint": np.tile(surface, (images, 1, 1)),
        "posterior_mean": centre,
        "posterior_deviation": np.tile([width, 0.25], (images, 1)),
    }


WRITERS = {section: globals()[f"_{section}"] for section in WRITTEN}
