"""q_EW, the distribution of a sample picked from k draws of q by its weight: its ELBO, pictures of it, and its shape.

Its ELBO is not L_k, as is often said, but lies between L_k and log p(x) (`bounds.implicit_elbo`).
"""

from collections.abc import Callable

import numpy as np
import torch

from iwae.bounds import implicit_elbo
from iwae.data import splits
from iwae.evaluation.likelihood import model_log_weights
from iwae.evaluation.noise import image_seeds, noise_chunks
from iwae.evaluation.pixels import as_tensor, grey
from iwae.evaluation.subject import ROWS, Subject
from iwae.models.model import encode, infer, log_weights, pixel_means
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study.measurements import ImplicitSettings


def write(subject: Subject, settings: ImplicitSettings) -> None:
    """Bound the ELBO of q_EW on test images, ``implicit.csv``; reconstruct by it, ``implicit.npz``.

    Of models with one layer of two units ``implicit.npz`` also has ``companions``, of which its density on a grid is
    made, for the training images whose posterior the section ``pictures`` has.
    """
    model, device = subject.model, subject.device
    chosen = splits.evenly_spaced(settings.images, len(subject.test))
    rows: list[dict[str, object]] = []
    with progress_bar(len(chosen) * len(settings.ks), f"{model.spec.name} implicit", "image") as bar:
        for k in settings.ks:
            rows += measure(model, subject.test[chosen], chosen, k, settings, device, bar.update)
    inputs = subject.test[: settings.reconstructions]
    arrays = {"inputs": inputs * np.uint8(255), "reconstructions": reconstructions(model, inputs, settings, device)}
    if model.architecture.latents == (2,):
        arrays["companions"] = companions(model, subject.train[: settings.posterior_images], settings, device)
    subject.write_rows("implicit.csv", rows)
    subject.write_arrays("implicit.npz", arrays)


@torch.inference_mode()
def measure(
    model: TrainedModel,
    x: np.ndarray,
    images: np.ndarray,
    k: int,
    settings: ImplicitSettings,
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> list[dict[str, object]]:
    """L_k and the two bounds of the ELBO of q_EW for binary images (n, 784) ``uint8``, a row each.

    Args:
        model: The model, on `device`.
        x: The images.
        images: Their indices in the test set, (n,), which seed their draws.
        k: Samples from which one is picked.
        settings: Reads ``sets``, ``groups`` and ``seed``.
        device: Where to compute.
        progress: Called with the number of images done since its last call.
    """
    samples = settings.sets * (k - 1) + settings.groups * k
    seeds = image_seeds(model.spec, settings.seed, f"implicit/{k}", images.tolist())
    draw = model_log_weights(model, x, seeds, samples, device, ROWS[device.type], progress)
    rows: list[dict[str, object]] = []
    for number, image in enumerate(images.tolist()):  # one at a time: all pairs of a sample and a set are held at once
        found = implicit_elbo(draw(number, number + 1).double(), k, settings.sets)
        values = {name: round(value.item(), 4) for name, value in found._asdict().items()}
        rows.append({"image": image, "k": k, **values})
    return rows


@torch.inference_mode()
def reconstructions(model: TrainedModel, x: np.ndarray, settings: ImplicitSettings, device: torch.device) -> np.ndarray:
    """Images decoded from one draw of q_EW, for each k and each of m images, as grey levels (len(ks), m, 784)."""
    architecture, parameters = model.architecture, model.parameters
    binary = as_tensor(x, device)
    encoded = encode(architecture, parameters, binary)
    found = []
    for k in settings.ks:
        seeds = image_seeds(model.spec, settings.seed, f"implicit/reconstruction/{k}", range(len(x)))
        noise = next(noise_chunks(seeds, k, k, architecture.latents, device))
        picks = torch.Generator(device).manual_seed(model.spec.random_seed(settings.seed, f"implicit/picks/{k}"))
        weights = torch.softmax(log_weights(architecture, parameters, binary, noise), 0)  # (k, m)
        picked = torch.multinomial(weights.T, 1, generator=picks).squeeze(1)
        one = [layer[picked, torch.arange(len(x), device=device)] for layer in noise]
        latents, _ = infer(architecture, parameters, encoded, one)
        found.append(pixel_means(architecture, parameters, latents, picks))
    return grey(torch.stack(found))


@torch.inference_mode()
def companions(model: TrainedModel, x: np.ndarray, settings: ImplicitSettings, device: torch.device) -> np.ndarray:
    """Log T of `sets` sums T of k - 1 weights for each k and image, (len(ks), sets, m) ``float32``; -inf for k = 1."""
    binary = as_tensor(x, device)
    found = np.full((len(settings.ks), settings.sets, len(x)), -np.inf, dtype=np.float32)
    for row, k in enumerate(settings.ks):
        if k == 1:
            continue
        seeds = image_seeds(model.spec, settings.seed, f"implicit/companions/{k}", range(len(x)))
        count = settings.sets * (k - 1)
        noise = next(noise_chunks(seeds, count, count, model.architecture.latents, device))
        log_w = log_weights(model.architecture, model.parameters, binary, noise)
        found[row] = torch.logsumexp(log_w.unflatten(0, (settings.sets, k - 1)), 1).cpu().numpy()
    return found
