"""The ELBO of q_EW by sampled weights against distributions where it can be computed exactly."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from iwae.bounds import implicit_elbo, importance_bound

Q = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
JOINT = torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)  # p(x, z)
LOG_P = math.log(0.7)
EXACT = {2: (-0.608416, -0.529749), 5: (-0.460171, -0.388900)}  # L_k and ELBO[q_EW], by enumeration
ROUNDING = 1e-6  # of the values above


def every_draw(samples):
    """Log weights of all draws of `samples` values from Q, (samples, B), and their probabilities, (B,)."""
    draws = torch.tensor(list(itertools.product(range(3), repeat=samples))).T
    return (JOINT / Q).log()[draws], Q[draws].prod(0)


def implicit_distribution(k):
    """q_EW of JOINT and Q by its definition."""
    log_w, probability = every_draw(k - 1)
    companions = log_w.exp().sum(0)
    return JOINT * torch.stack([(probability * k / (w + companions)).sum() for w in JOINT / Q])


@pytest.mark.parametrize("k", EXACT)
def test_elbo_of_the_implicit_distribution_lies_between_the_importance_bound_and_log_p(k):
    """It is not L_k, as is often said: the exact values differ by 0.07 nats."""
    log_w, probability = every_draw(k)
    bound = (probability * importance_bound(log_w)).sum().item()
    implicit = implicit_distribution(k)
    assert_close(implicit.sum().item(), 1.0)
    elbo = (implicit * (JOINT / implicit).log()).sum().item()
    assert (bound, elbo) == pytest.approx(EXACT[k], abs=ROUNDING)
    assert bound < elbo < LOG_P


def test_sandwich_holds_exactly_and_narrows_with_more_companions():
    lower, upper = [EXACT[2][0]], [LOG_P + 1]
    for sets in (1, 2, 4, 8):
        log_w, probability = every_draw(sets + 2)
        found = [(probability * value).sum().item() for value in implicit_elbo(log_w, 2, sets)]
        assert found[0] == pytest.approx(EXACT[2][0], abs=ROUNDING)
        assert lower[-1] < found[1] < EXACT[2][1] < found[2] < upper[-1]
        lower.append(found[1])
        upper.append(found[2])
    assert upper[-1] - lower[-1] < 0.02


@pytest.mark.parametrize(("k", "bound", "elbo"), [(2, -0.991623, -0.821862), (3, -0.770400, -0.586170)])
def test_sandwich_of_a_posterior_with_two_modes(k, bound, elbo):
    """p(x, z) = 0.7 (N(-1.5, 0.5) + N(1.5, 0.5)) / 2 and q = N(0, 1); the exact values by quadrature."""
    images, sets, groups = 4000, 50, 20
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(sets * (k - 1) + groups * k, images, generator=generator, dtype=torch.float64)
    modes = [torch.distributions.Normal(mean, 0.5).log_prob(z) for mean in (-1.5, 1.5)]
    log_w = LOG_P + torch.logaddexp(*modes) - math.log(2) - torch.distributions.Normal(0.0, 1.0).log_prob(z)
    found = implicit_elbo(log_w, k, sets)
    error = [4 * value.std().item() / images**0.5 for value in found]
    means = [value.mean().item() for value in found]
    assert abs(means[0] - bound) < error[0]
    assert means[1] - error[1] < elbo < means[2] + error[2]
    assert 0 < means[2] - means[1] < 0.03


def test_one_sample_has_the_elbo_of_q():
    log_w = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for value in implicit_elbo(log_w, 1, 3):
        assert_close(value, log_w.mean(0))


def test_implicit_elbo_refuses_samples_that_make_no_groups():
    with pytest.raises(ValueError, match="5 samples are not 2 sets of 1 companions and groups of 2"):
        implicit_elbo(torch.zeros(5, 1), 2, 2)
