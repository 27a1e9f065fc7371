"""Synthetic models: well-formed folders whose numbers follow from a few constants."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from iwae.data.splits import evenly_spaced
from iwae.files import write_rows
from iwae.study import manifest
from iwae.study.measurements import (
    ActivitySettings,
    AnnealedSettings,
    ChoppedSettings,
    GradientsSettings,
    ImplicitSettings,
    InferenceSettings,
    LikelihoodSettings,
    PicturesSettings,
    RebinarizedSettings,
    ReplacedSettings,
    SurgerySettings,
)
from iwae.study.protocol import PRESETS
from iwae.study.registry import DATASETS
from iwae.study.settings import ACTIVE, TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training.schedule import Schedule

WRITTEN = ("training", "likelihood", "activity", "chopped", "surgery", "pictures", "annealed", "inference", "implicit")
WRITTEN += ("replaced", "gradients", "rebinarized")
BOUND_KS = (1, 2, 5, 10, 50, 500, 5000)
SIZES = (100, 59_600)
GAP = 0.7  # nll of test images above that of training images, on average
UNIT = 0.001  # what nll gains from an inactive unit
SHIFTS = {"mnist": 0.0, "omniglot": 22.0, "mnist-fixed": 2.0, "mnist-static": 1.5}
COSTS = {"paper-text": 1.0, "adam_beta1": 0.25}  # of a protocol; of any other 0.1
REBINARIZED = RebinarizedSettings(draws=2)
CHOPPED = ChoppedSettings(images=25)
SURGERY = SurgerySettings(samples=200, sizes=SIZES[:-1])
PICTURES = PicturesSettings(samples=70, reconstructions=10, posterior_points=60)
ANNEALED = AnnealedSettings(images=30, simulated=5)
INFERENCE = InferenceSettings(images=20)
GRADIENTS = GradientsSettings()
IMPLICIT = ImplicitSettings(images=10, sets=4, reconstructions=3)
REPLACED = ReplacedSettings(components=(10,), images=20)
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
    **likelihood,
) -> Path:
    """Write the folder of one model, with these sections of its manifest."""
    folder = results / spec.name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(spec.random_seed(0, "synthetic"))
    training = TrainingSettings(PRESETS[protocol], stages=stages).for_model(spec)
    _training(folder, spec, training, rng)
    values = _likelihood(folder, spec, images, rng, **likelihood)
    if "rebinarized" in sections:
        _rebinarized(folder, spec)
    removed = _activity(folder, spec, training, rng)
    if "chopped" in sections:
        _chopped(folder, spec, values, removed, rng)
    if "surgery" in sections:
        _surgery(folder, spec)
    if "pictures" in sections:
        _pictures(folder, spec, rng)
    if "annealed" in sections:
        _annealed(folder, spec, values)
    if "inference" in sections:
        _inference(folder, spec, values)
    if "implicit" in sections:
        _implicit(folder, spec, values)
    if "replaced" in sections:
        _replaced(folder, spec, rng)
    if "gradients" in sections:
        _gradients(folder, spec)
    return folder


def _training(folder, spec, settings, rng):
    schedule, rows = Schedule.of(settings, train_images(spec), warm_start=spec.origin is not None), []
    speed = sum(schedule.passes) * schedule.steps_per_pass * settings.batch_size / PROVENANCE["wall_seconds"]
    for number in range(1, sum(schedule.passes) + 1):
        updates, bound = number * schedule.steps_per_pass, -quality(spec) - 60 / number**0.7
        row = {"stage": schedule.stage_of(updates - 1), "pass": number, "updates": updates}
        row["learning_rate"] = schedule.learning_rates(updates - 1, 1)[0]
        row |= {"train_bound": bound + 0.5, "validation_bound": bound - 0.5, "images_per_second": round(speed, 1)}
        rows.append(row)
    write_rows(folder / "training.csv", rows)
    tensors = {
        "px.logits.weight": rng.normal(size=(200, 784)).astype(np.float32) * rng.gamma(1.0, size=(200, 1)),
        "px.logits.bias": np.zeros(784, np.float32),
    }
    tensors |= {f"q{layer}.mean.bias": np.zeros(size) for layer, size in enumerate(latents(spec), start=1)}
    save_file({name: value.astype(np.float32) for name, value in tensors.items()}, folder / manifest.WEIGHTS)
    files = ["training.csv", manifest.WEIGHTS]
    manifest.record(folder, spec, "training", settings.as_dict(), files, PROVENANCE)


def _likelihood(folder, spec, images, rng, samples=BOUND_KS[-1], test_images=None):
    common = np.random.default_rng(1).normal(0, 24, images)  # images differ far more than models do
    gaps = {"test": 0.0, "train": GAP}
    values = {split: -(quality(spec) - gap + common + rng.normal(0, 1, images)) for split, gap in gaps.items()}
    arrays, total = {}, {"test": images, "train": train_images(spec)}
    for split, value in values.items():
        arrays |= {
            split: value.astype(np.float32),
            f"{split}_images": np.arange(images, dtype=np.int32) * total[split] // images,
        }
        arrays[f"{split}_ess"] = rng.uniform(1, spec.k + 1, images).astype(np.float32)
    np.savez(folder / "likelihood.npz", **arrays)
    rows = []
    for split, value in values.items():
        value = value.astype(np.float32).astype(np.float64)
        for k in (k for k in BOUND_KS if k <= samples):
            bound = value.mean() - 3 * (1 / k - 1 / samples)
            row = {
                "split": split,
                "k": k,
                "bound": bound,
                "se_images": value.std(ddof=1) / images**0.5,
                "images": images,
                "deviation": 1 / k**0.5 if samples // k >= 20 else None,
            }
            rows.append(row)
    write_rows(folder / "likelihood.csv", rows)
    settings = LikelihoodSettings(samples=samples, test_images=test_images or images, train_images=images)
    files = ["likelihood.npz", "likelihood.csv"]
    manifest.record(folder, spec, "likelihood", settings.as_dict(), files, PROVENANCE)
    return values["test"]


def _rebinarized(folder, spec):
    """The authors' bits cost 0.3 nats on test images and 0.1 on training images, other draws 0.2 more or less."""
    moves = {"own": (0, 0), "authors": (0.3, 0.1), "draw 1": (0.2, 0), "draw 2": (-0.2, 0)}
    rows = [
        {"binarization": name, "nll": quality(spec) + test, "nll_train": quality(spec) - GAP + train}
        for name, (test, train) in moves.items()
    ]
    write_rows(folder / "rebinarized.csv", rows)
    manifest.record(folder, spec, "rebinarized", REBINARIZED.as_dict(), ["rebinarized.csv"], PROVENANCE)


def _activity(folder, spec, training, rng):
    rows = []
    for layer, size in enumerate(latents(spec), start=1):
        count = active(spec) if layer == 1 else 5
        for unit in range(size):
            value = 10 ** rng.normal(-0.4, 0.2) if unit < count else 10 ** rng.normal(-4, 0.3)
            inflated = value if layer == 1 or unit != count else 0.02
            rows.append({"layer": layer, "unit": unit, "activity": value, "activity_authors": inflated})
    write_rows(folder / "activity.csv", rows)
    manifest.record(folder, spec, "activity", ActivitySettings().as_dict(), ["activity.csv"], PROVENANCE)
    variant = "activity_authors" if training.protocol.activity == "one-sample" else "activity"
    return [[row[variant] <= ACTIVE for row in rows if row["layer"] == layer] for layer in range(1, spec.layers + 1)]


def _chopped(folder, spec, values, removed, rng):
    chosen = evenly_spaced(min(CHOPPED.images, len(values)), len(values))
    values = values[chosen].astype(np.float32)
    loss = UNIT * sum(map(sum, removed)) + rng.normal(0, 1e-3, len(values))
    arrays = {"images": chosen.astype(np.int32), "whole": values}
    np.savez(
        folder / "chopped.npz", **arrays, chopped=(values - loss).astype(np.float32), held=values - np.float32(UNIT)
    )
    rows = [
        {"layer": layer, "units": len(units), "removed": sum(units)} for layer, units in enumerate(removed, start=1)
    ]
    write_rows(folder / "chopped.csv", rows)
    settings = CHOPPED.as_dict() | {"activity": ActivitySettings().as_dict()}
    manifest.record(folder, spec, "chopped", settings, ["chopped.npz", "chopped.csv"], PROVENANCE)


def _surgery(folder, spec):
    rows = []
    for size in (*SIZES[:-1], train_images(spec)):
        gap = 0.01 * size / SIZES[-1]
        terms = {"reconstruction": -quality(spec) + 24, "mutual_information": np.log(size) - gap, "index_gap": gap}
        terms["marginal_kl"] = 25 - terms["mutual_information"]
        terms["elbo"] = terms["reconstruction"] - terms["mutual_information"] - terms["marginal_kl"]
        terms["residual"] = 0.0
        rows += [{"images": size, "term": term, "value": value, "se": 0.03} for term, value in terms.items()]
    write_rows(folder / "surgery.csv", rows)
    manifest.record(folder, spec, "surgery", SURGERY.as_dict(), ["surgery.csv"], PROVENANCE)


def slack(spec: ModelSpec) -> float:
    """How far log p(x) by annealing lies above L_samples, in nats; its lower and upper bound differ by a tenth."""
    return 1.5 if spec.objective == "vae" else 1.0


def _annealed(folder, spec, values):
    rows = [
        {"split": "test", "image": image, "lower": round(value + slack(spec), 4), "upper": None, "acceptance": 0.65}
        for image, value in enumerate(values[: ANNEALED.images].tolist())
    ]
    rows += [
        {"split": "simulated", "image": image, "lower": -90.0 - image, "upper": -89.9 - image, "acceptance": 0.65}
        for image in range(ANNEALED.simulated)
    ]
    write_rows(folder / "annealed.csv", rows)
    manifest.record(folder, spec, "annealed", ANNEALED.as_dict(), ["annealed.csv"], PROVENANCE)


def _inference(folder, spec, values):
    """Gaps to log p(x) of 0.5, 2.5 and 12.5 nats."""
    exact = [round(value + slack(spec), 4) for value in values[: INFERENCE.images].tolist()]
    rows = [
        {"image": image, "encoder": value - 12.5, "diagonal": value - 2.5, "full": value - 0.5}
        for image, value in enumerate(exact)
    ]
    write_rows(folder / "inference.csv", rows)
    manifest.record(folder, spec, "inference", INFERENCE.as_dict(), ["inference.csv"], PROVENANCE)


def _replaced(folder, spec, rng):
    """A mixture gains 2 nats on both splits; q(z) gains 13 on training images and loses 7 on test images."""
    arrays, rows = {}, []
    for split, gains in (
        ("test", {"mog10": 2.0, "aggregate": -7.0}),
        ("train", {"mog10": 2.0, "aggregate": 13.0, "leave-one-out": -6.0}),
    ):
        arrays[f"{split}_images"] = np.arange(REPLACED.images, dtype=np.int32)
        for prior, gain in gains.items():
            row = {"split": split, "prior": prior, "images": REPLACED.images}
            for measure in ("elbo", "bound"):
                values = (gain + rng.normal(0, 0.1, REPLACED.images)).astype(np.float32)
                arrays[f"{split}_{prior}_{measure}"] = values
                row |= {measure: values.mean(), f"{measure}_se_images": values.std(ddof=1) / len(values) ** 0.5}
            rows.append(row)
    np.savez(folder / "replaced.npz", **arrays)
    write_rows(folder / "replaced.csv", rows)
    files = ["replaced.npz", "replaced.csv"]
    manifest.record(folder, spec, "replaced", REPLACED.as_dict(), files, PROVENANCE)


def _implicit(folder, spec, values):
    """Bounds of ELBO[q_EW] 0.4 and 0.5 nats above L_k for k > 1."""
    rows = []
    for k in IMPLICIT.ks:
        for image, value in enumerate(values[: IMPLICIT.images].tolist()):
            bound = value - 3 / k
            above = {"importance": bound, "lower": bound + 0.4 * (k > 1), "upper": bound + 0.5 * (k > 1)}
            rows.append({"image": image, "k": k, **above})
    write_rows(folder / "implicit.csv", rows)
    means = np.full((len(IMPLICIT.ks), IMPLICIT.reconstructions, 784), 100, np.uint8)
    arrays = {"inputs": np.zeros((IMPLICIT.reconstructions, 784), np.uint8), "reconstructions": means}
    if spec.latents == 2:
        sums = np.log(np.maximum(np.array(IMPLICIT.ks) - 1, 1e-30)) - 91
        shape = (len(IMPLICIT.ks), IMPLICIT.sets, IMPLICIT.posterior_images)
        arrays["companions"] = np.broadcast_to(sums[:, None, None], shape).astype(np.float32)
    np.savez(folder / "implicit.npz", **arrays)
    manifest.record(folder, spec, "implicit", IMPLICIT.as_dict(), ["implicit.csv", "implicit.npz"], PROVENANCE)


def _gradients(folder, spec):
    """Ratios that fall as k^-1/2 for the encoder by the standard estimator and rise as k^1/2 otherwise."""
    cases = (("vae", "standard"), ("iwae", "standard"), ("iwae", "dreg"))
    rows = [
        {"objective": objective, "estimator": estimator, "k": k, "part": part, "ratio": ratio, "se": 0.01}
        | {"variance": 9.0 / k}
        for objective, estimator in cases
        for k in GRADIENTS.ks
        if k > 1 or objective == "vae"
        for part, ratio in (("encoder", k ** (0.5 if estimator == "dreg" else -0.5)), ("decoder", k**0.5))
    ]
    write_rows(folder / "gradients.csv", rows)
    manifest.record(folder, spec, "gradients", GRADIENTS.as_dict(), ["gradients.csv"], PROVENANCE)


def _pictures(folder, spec, rng):
    y, x = np.mgrid[:28, :28]

    def blobs(count):
        centre, width = rng.uniform(9, 19, (count, 2, 1, 1)), rng.uniform(2, 6, (count, 1, 1))
        return 255 * np.exp(-(((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / width**2)).reshape(count, 784)

    samples, means = blobs(70), blobs(10)
    inputs = np.where(means > 128, 255, 0)
    arrays = {"samples": samples, "inputs": inputs, "reconstructions": means}
    arrays = {name: value.astype(np.uint8) for name, value in arrays.items()}
    if spec.prior.startswith("vamp"):
        pseudo = {"inputs": blobs(5), "samples": blobs(45).reshape(5, 9, 784)}
        arrays |= {f"pseudo_{name}": value.astype(np.uint8) for name, value in pseudo.items()}
    if spec.latents == 2:
        axis = np.linspace(-4, 4, PICTURES.posterior_points, dtype=np.float32)
        plane = -0.5 * (axis[:, None] ** 2 + axis**2)
        arrays |= {"plane_axis": axis, "plane_log_prior": plane - 1.8, "plane_log_aggregate": plane - 1.9}
        arrays |= _posterior(spec, inputs[: PICTURES.posterior_images], means[: PICTURES.posterior_images], rng)
    np.savez(folder / "pictures.npz", **arrays)
    manifest.record(folder, spec, "pictures", PICTURES.as_dict(), ["pictures.npz"], PROVENANCE)


def _posterior(spec, inputs, means, rng):
    """Bent posteriors, the more so the larger k, and q about them."""
    centre, width = rng.uniform(-2, 2, (len(inputs), 2)), 0.2 + 0.1 * np.log(spec.k)
    first, second = (np.linspace(*ends, PICTURES.posterior_points) for ends in ((-5 * width, 5 * width), (-1.5, 8.0)))
    axes = centre[..., None] + np.stack([first, second])
    bend = 0.5 * np.log(spec.k) * first**2
    surface = -90 - 0.5 * (first / width) ** 2 - 0.5 * ((second[:, None] - bend) / 0.25) ** 2  # (P, P)
    arrays = {
        "axes": axes,
        "log_joint": np.tile(surface, (len(inputs), 1, 1)),
        "mean": centre,
        "deviation": np.tile([width, 0.25], (len(inputs), 1)),
    }
    arrays = {f"posterior_{name}": value.astype(np.float32) for name, value in arrays.items()}
    pictures = {"posterior_inputs": inputs, "posterior_reconstructions": means}
    return arrays | {name: value.astype(np.uint8) for name, value in pictures.items()}
