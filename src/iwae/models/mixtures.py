"""Densities of a latent variable that are more than one diagonal Gaussian, in nats; each is a tuple of tensors."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from iwae.errors import InputError
from iwae.models.densities import Gaussian


class Mixture(NamedTuple):
    """A mixture of K diagonal Gaussians, such as the aggregate posterior of K images.

    log N(z; m, s) = [z^2, z, 1] . [-1 / (2 s^2), m / s^2, log N(0; m, s)]: one matrix product for all pairs of z and
    component. The squares cancel: in float32 the error is below 1e-3 nats where means are within 50 deviations of 0, as
    in the models here, but 0.2 at 300.

    Attributes:
        components: The Gaussians, (K, D).
        log_weights: Logarithms of their weights, which sum to 1, (K,).
        coefficients: The second factor above, (2 D + 1, K).
    """

    components: Gaussian
    log_weights: Tensor
    coefficients: Tensor

    @classmethod
    def of(cls, components: Gaussian, log_weights: Tensor | None = None) -> "Mixture":
        """The mixture of Gaussians (K, D), with equal weights if there are none."""
        mean, log_std = components
        precision = torch.exp(-2 * log_std)
        each = -0.5 * (mean.square() * precision + math.log(2 * math.pi)) - log_std
        # Summed by a product too: derivatives of sums over K or D are fused with Adam's update and then fail to compile
        # for a CPU (KeyError in the inductor of PyTorch 2.15).
        at_zero = each @ torch.ones_like(mean[0])[:, None]
        if log_weights is None:
            log_weights = torch.full_like(mean[:, 0], -math.log(len(mean)))
        return cls(components, log_weights, torch.cat([-0.5 * precision, mean * precision, at_zero], dim=1).T)

    def component_log_probs(self, z: Tensor) -> Tensor:
        """The log-densities N(z; m, s) of each component: (Q, D) -> (Q, K)."""
        return torch.cat([z.square(), z, torch.ones_like(z[:, :1])], dim=1) @ self.coefficients

    def log_prob(self, z: Tensor) -> Tensor:
        """The mixture's log-density: (..., D) -> (...)."""
        components = self.component_log_probs(z.reshape(-1, z.shape[-1]))
        return torch.logsumexp(components + self.log_weights, 1).reshape(z.shape[:-1])

    def responsibilities(self, z: Tensor) -> Tensor:
        """The probability of each component given a draw: (Q, D) -> (Q, K)."""
        return torch.softmax(self.component_log_probs(z) + self.log_weights, 1)

    def sample(self, noise: Tensor, generator: Generator | None = None) -> Tensor:
        """Draws from standard Gaussian noise (n, D), the component of each drawn by `generator`: (n, D)."""
        if noise.dim() != 2:
            raise InputError(f"noise {tuple(noise.shape)} is impossible: a mixture draws from (n, D).")
        chosen = torch.multinomial(self.log_weights.exp(), len(noise), replacement=True, generator=generator)
        return Gaussian(*(part[chosen] for part in self.components)).sample(noise)


class CorrelatedGaussian(NamedTuple):
    """One Gaussian with a full covariance.

    Attributes:
        mean: (D,).
        factor: The lower Cholesky factor of the covariance, (D, D).
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def nearest(cls, components: Gaussian) -> "CorrelatedGaussian":
        """The P of the least KL(q || P), q an evenly weighted mixture of Gaussians (K, D): that of its moments."""
        within = torch.diag(torch.exp(2 * components.log_std).mean(0))
        between = torch.cov(components.mean.T, correction=0)
        return cls(components.mean.mean(0), torch.linalg.cholesky(between + within))

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density: (..., D) -> (...)."""
        return torch.distributions.MultivariateNormal(self.mean, scale_tril=self.factor).log_prob(z)

    def sample(self, noise: Tensor, generator: Generator | None = None) -> Tensor:
        """Draws from standard Gaussian noise, (n, D) -> (n, D)."""
        return self.mean + noise @ self.factor.T
