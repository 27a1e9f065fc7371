"""Where the ELBO is lost: the encoder's q(h|x) against the best Gaussian of each image, diagonal or of full covariance.

The Gaussians stand in the space of the noise of `infer`, where the encoder's q is N(0, I). With one stochastic layer
they are the Gaussians of h; with two they are a family around the encoder's q that has it as a member.

log p(x) less the ELBO of the best diagonal one is the approximation gap, the rest, up to the encoder's ELBO, is the
amortisation gap (Cremer, Li & Duvenaud 2018).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from iwae.data import splits
from iwae.evaluation.noise import draw_each, image_generators, image_seeds
from iwae.evaluation.noise_space import LogWeights, batches, log_weights_at
from iwae.evaluation.subject import ROWS, Subject
from iwae.models.store import TrainedModel
from iwae.progress import progress_bar
from iwae.study.measurements import InferenceSettings

_RATE = 0.05  # of Adam, falling to zero along the steps
# Units up to which it is that of L below its diagonal too. The entries of a row of L move the noise together: with 150
# units this rate ends hundreds of nats below the diagonal Gaussian that it starts from.
_UNITS = 50


class LocalGaussian(NamedTuple):
    """Gaussians N(mean, L L^T) of the noise, one for each of B images.

    Attributes:
        mean: (B, D).
        log_scale: Logarithm of the diagonal of L, (B, D).
        below: L below its diagonal, zeros elsewhere, (B, D, D); None for a diagonal L.
    """

    mean: Tensor
    log_scale: Tensor
    below: Tensor | None = None

    @property
    def factor(self) -> Tensor:
        """L, (B, D, D)."""
        diagonal = torch.diag_embed(self.log_scale.exp())
        return diagonal if self.below is None else diagonal + self.below

    def sample(self, draws: Tensor) -> Tensor:
        """Mean + L u of standard Gaussian draws u, (S, B, D)."""
        if self.below is None:
            return self.mean + self.log_scale.exp() * draws
        return self.mean + torch.einsum("bij,sbj->sbi", self.factor, draws)

    def slopes(self, draws: Tensor) -> Tensor:
        """Minus the derivative of the log-density by its argument at `sample(draws)`, L^-T u, (S, B, D)."""
        if self.below is None:
            return draws * torch.exp(-self.log_scale)
        solved = torch.linalg.solve_triangular(self.factor.mT, draws.permute(1, 2, 0), upper=True)
        return solved.permute(2, 0, 1)


def elbo_terms(log_w: Tensor, noise: Tensor, gaussian: LocalGaussian, draws: Tensor) -> Tensor:
    """Log p(x, h) - log q(h), where q draws the noise from `gaussian`, (S, B), in nats."""
    return log_w + 0.5 * (draws.square() - noise.square()).sum(-1) + gaussian.log_scale.sum(-1)


def fit(
    log_weights: LogWeights, start: LocalGaussian, steps: int, samples: int, generators: Sequence[Generator]
) -> LocalGaussian:
    """The Gaussian of the highest ELBO, from a given one, by Adam on gradients without the score (STL).

    Args:
        log_weights: The model, for B images.
        start: Where to start; a diagonal one stays diagonal.
        steps: Steps of Adam.
        samples: Draws of each image at each step.
        generators: One for each image.
    """
    parts = [part.clone() for part in start if part is not None]
    rates = [_RATE, _RATE, _RATE * min(1.0, _UNITS / start.mean.shape[1])]
    optimizer = torch.optim.Adam([{"params": [part]} for part in parts])
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=False):
            group["lr"] = rate * (1 - step / steps)
        gaussian = LocalGaussian(*parts)
        draws = draw_each(generators, samples, start.mean.shape[1], start.mean.dtype)
        noise = gaussian.sample(draws)
        slopes = log_weights(noise)[1] - noise + gaussian.slopes(draws)
        gradients = [slopes, slopes * draws * gaussian.log_scale.exp()]
        for part, gradient in zip(parts, gradients, strict=False):
            part.grad = -gradient.mean(0)
        if gaussian.below is not None:
            parts[2].grad = -torch.einsum("sbi,sbj->bij", slopes, draws).tril(-1) / samples
        optimizer.step()
    return LocalGaussian(*parts)


def elbo(
    log_weights: LogWeights, gaussian: LocalGaussian, rounds: int, samples: int, generators: Sequence[Generator]
) -> Tensor:
    """The ELBO of a Gaussian, (B,) float64, from `rounds` times `samples` draws."""
    total = torch.zeros(len(gaussian.mean), dtype=torch.float64, device=gaussian.mean.device)
    for _ in range(rounds):
        draws = draw_each(generators, samples, gaussian.mean.shape[1], gaussian.mean.dtype)
        noise = gaussian.sample(draws)
        total += elbo_terms(log_weights(noise)[0], noise, gaussian, draws).double().mean(0)
    return total / rounds


def fitted_elbos(
    log_weights: LogWeights, units: int, settings: InferenceSettings, generators: Sequence[Generator]
) -> list[Tensor]:
    """The ELBO of the encoder's q, of the best diagonal and of the best Gaussian of each image, (B,) each."""
    zeros = torch.zeros(len(generators), units, device=generators[0].device)
    encoder = LocalGaussian(zeros, zeros)
    diagonal = fit(log_weights, encoder, settings.diagonal_steps, settings.samples, generators)
    correlated = diagonal._replace(below=torch.zeros(*zeros.shape, units, device=zeros.device))
    full = fit(log_weights, correlated, settings.full_steps, settings.samples, generators)
    rounds = settings.elbo_samples // settings.samples
    return [elbo(log_weights, each, rounds, settings.samples, generators) for each in (encoder, diagonal, full)]


@torch.no_grad()
def measure(
    model: TrainedModel,
    x: np.ndarray,
    images: np.ndarray,
    settings: InferenceSettings,
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> list[dict[str, object]]:
    """The rows of ``inference.csv``.

    Args:
        model: The model, on `device`.
        x: Binary test images, (n, 784) ``uint8``.
        images: Their indices in the test set, (n,).
        settings: How the Gaussians are fitted.
        device: Where to compute.
        progress: Called with the number of images done since its last call.
    """
    units = sum(model.architecture.latents)
    steps = settings.diagonal_steps + settings.full_steps
    at = log_weights_at(model, len(images) * settings.samples * steps, device)
    seeds = image_seeds(model.spec, settings.seed, "inference", images.tolist())
    rows: list[dict[str, object]] = []
    for some, new in batches(len(images), max(1, ROWS[device.type] // settings.samples)):
        generators = image_generators([seeds[image] for image in some], device)
        found = torch.stack(fitted_elbos(at(x[some]), units, settings, generators), 1)
        for image, values in zip(images[some[:new]], found.tolist(), strict=False):
            bounds = dict(zip(("encoder", "diagonal", "full"), (round(value, 4) for value in values), strict=True))
            rows.append({"image": int(image), **bounds})
        progress(new)
    return rows


def write(subject: Subject, settings: InferenceSettings) -> None:
    """Measure the ELBO of each image by its encoder and by Gaussians of its own: ``inference.csv``."""
    chosen = splits.evenly_spaced(settings.images, len(subject.test))
    with progress_bar(len(chosen), f"{subject.model.spec.name} inference", "image") as bar:
        rows = measure(subject.model, subject.test[chosen], chosen, settings, subject.device, bar.update)
    subject.write_rows("inference.csv", rows)
