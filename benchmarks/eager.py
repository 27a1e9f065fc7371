"""The yardstick: the model and its training as one writes them in PyTorch from the paper, without the library.

Written with care, so that the comparison is fair: each image is encoded once and k latents are drawn from the result,
Adam is PyTorch's fused one, the training images lie ready as probabilities, and no update waits for its loss to be
printed. What it does not do is what the library does: compile, or train several models at once. Sums, constants and
numbers of units are those of the protocol ``authors-code`` as far as the textbook's Adam allows: it has no initial
second moment of one and no delayed moments.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

LATENTS = {1: (50,), 2: (100, 50)}


class Gaussian(nn.Module):
    """A diagonal Gaussian: mean and log-deviation from two tanh layers."""

    def __init__(self, n_in: int, n_hidden: int, n_out: int) -> None:
        super().__init__()
        self.hidden1, self.hidden2 = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_hidden)
        self.mean, self.scale = nn.Linear(n_hidden, n_out), nn.Linear(n_hidden, n_out)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(..., n_in) -> two tensors (..., n_out)."""
        hidden = torch.tanh(self.hidden2(torch.tanh(self.hidden1(x))))
        return self.mean(hidden), self.scale(hidden)


class Pixels(nn.Module):
    """Independent Bernoulli pixels: their logits from two tanh layers."""

    def __init__(self, n_in: int, n_hidden: int, n_out: int) -> None:
        super().__init__()
        self.hidden1, self.hidden2 = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_hidden)
        self.logits = nn.Linear(n_hidden, n_out)

    def forward(self, h: Tensor) -> Tensor:
        """(..., n_in) -> (..., n_out)."""
        return self.logits(torch.tanh(self.hidden2(torch.tanh(self.hidden1(h)))))


class Model(nn.Module):
    """The VAE or IWAE of the paper with one or two stochastic layers; the two differ in `bound` alone."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers, h1 = layers, LATENTS[layers][0]
        self.q1, self.px = Gaussian(784, 200, h1), Pixels(h1, 200, 784)
        if layers == 2:
            h2 = LATENTS[2][1]
            self.q2, self.p1 = Gaussian(h1, 100, h2), Gaussian(h2, 100, h1)

    def log_weights(self, x: Tensor, k: int, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Log p(x, h) - log q(h|x) of k draws for each binary image (B, 784), in nats: (k, B)."""
        mean, log_std = self.q1(x)
        eps = torch.randn(k, *mean.shape, device=x.device) if noise is None else noise[0]
        h1 = mean + torch.exp(log_std) * eps
        log_q = log_gaussian(h1, mean, log_std)
        if self.layers == 1:
            return log_standard_gaussian(h1) + log_bernoulli(x, self.px(h1)) - log_q
        mean, log_std = self.q2(h1)
        eps = torch.randn_like(mean) if noise is None else noise[1]
        h2 = mean + torch.exp(log_std) * eps
        log_q = log_q + log_gaussian(h2, mean, log_std)
        log_p = log_standard_gaussian(h2) + log_gaussian(h1, *self.p1(h2))
        return log_p + log_bernoulli(x, self.px(h1)) - log_q


def log_standard_gaussian(z: Tensor) -> Tensor:
    """Log-density of N(0, I): (..., D) -> (...)."""
    return -0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)


def log_gaussian(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log-density of a diagonal Gaussian: (..., D) -> (...)."""
    standardized = (z - mean) / torch.exp(log_std)
    return -0.5 * (standardized**2 + 2 * log_std + math.log(2 * math.pi)).sum(-1)


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """Log-probability of binary x: (..., D) -> (...). Of the ways to write it, the fastest uncompiled on a CPU."""
    entropies = functional.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return -entropies.sum(-1)


def bound(log_w: Tensor, objective: str) -> Tensor:
    """The bound of each image that training maximises: (k, B) -> (B,)."""
    if objective == "vae":
        return log_w.mean(0)
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


class Training:
    """The training loop.

    Args:
        model: The model, on its device.
        objective: ``vae`` or ``iwae``.
        k: Importance samples.
        pixels: Training images, uint8 (N, 784).
        batch: Images of a minibatch.
    """

    def __init__(self, model: Model, objective: str, k: int, pixels: Tensor, batch: int) -> None:
        self.model, self.objective, self.k, self.batch = model, objective, k, batch
        self._probabilities = pixels.to(next(model.parameters()).device) / 255.0
        self._optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.99, 0.999), eps=1e-4, fused=True)

    def run(self, updates: int) -> Tensor:
        """Make some updates from the first image on; the mean bound over them, in nats per image, ()."""
        total = torch.zeros((), device=self._probabilities.device)
        for probabilities in self._probabilities[: updates * self.batch].split(self.batch):
            x = torch.bernoulli(probabilities)
            bounds = bound(self.model.log_weights(x, self.k), self.objective)
            self._optimizer.zero_grad()
            (-bounds.sum()).backward()
            self._optimizer.step()
            total += bounds.detach().mean()
        return total / updates


@torch.inference_mode()
def log_likelihood(model: Model, x: Tensor, samples: int, chunk: int = 5000) -> Tensor:
    """L_S of binary images (n, 784), one image and `chunk` draws at a time, the last perhaps fewer: (n,), in nats."""
    found = []
    for image in x.split(1):
        parts = [model.log_weights(image, min(chunk, samples - done)) for done in range(0, samples, chunk)]
        found.append(bound(torch.cat(parts), "iwae"))
    return torch.cat(found)
