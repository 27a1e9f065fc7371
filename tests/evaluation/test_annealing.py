"""Annealed importance sampling: its limits, and a Gaussian posterior of which log p(x) is known."""

import math

import pytest
import torch
from torch.testing import assert_close

from iwae.bounds import importance_bound
from iwae.evaluation.annealing import (
    Chains,
    Moves,
    annealed_log_weights,
    find_steps,
    hamiltonian_move,
    leapfrog,
    reverse_log_weights,
)

B, D, LEAPFROGS = 3, 10, 5
LOG_P = torch.tensor([-90.0, -120.0, 5.0], dtype=torch.float64)
SHIFT, WIDTH = 0.5, 0.7  # of q, in deviations of the posterior


def posterior_of(noise):
    return SHIFT + WIDTH * noise


def log_weights(noise):
    """The posterior is N(0, I) and q = N(0.5, 0.7^2)."""
    z = posterior_of(noise)
    log_w = LOG_P + 0.5 * (noise.square() - z.square()).sum(-1) + D * math.log(WIDTH)
    return log_w, noise - WIDTH * z


def generators(first=0):
    return [torch.Generator().manual_seed(first + image) for image in range(B)]


def draws(chains, seed=9, images=B):
    return torch.randn(chains, images, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def betas(temperatures):
    return torch.linspace(0, 1, temperatures + 1, dtype=torch.float64)


def test_both_bounds_of_a_known_likelihood():
    chains, temperatures = 64, 400
    moves = find_steps(log_weights, draws(chains), betas(temperatures), LEAPFROGS, generators())
    forward, acceptance = annealed_log_weights(log_weights, draws(chains, 1), moves, generators(100))
    one = (draws(1, 2) - SHIFT) / WIDTH  # the noise of a draw of the posterior
    backward, _ = reverse_log_weights(log_weights, one.expand(chains, B, D), moves, generators(200))
    lower, upper = importance_bound(forward) - LOG_P, -importance_bound(-backward) - LOG_P
    assert (lower.abs() < 0.1).all()
    assert (upper.abs() < 0.3).all()  # one draw of the posterior for all chains: a larger error
    assert lower.mean() < upper.mean()
    assert ((acceptance > 0.5) & (acceptance < 0.8)).all()
    plain = importance_bound(log_weights(draws(5000))[0]) - LOG_P
    assert lower.abs().max() < plain.abs().max()


def test_weights_of_few_temperatures_average_to_the_likelihood_from_both_sides():
    """Fifteen thousand chains of five temperatures: E w = p(x), and E 1/w = 1/p(x) from the posterior."""
    chains = 15_000
    moves = Moves(betas(5), torch.full((4, B), 0.4, dtype=torch.float64), 2)
    forward, _ = annealed_log_weights(log_weights, draws(chains, 3), moves, generators())
    start = (draws(chains, 4) - SHIFT) / WIDTH
    backward, _ = reverse_log_weights(log_weights, start, moves, generators(50))
    for ratios in ((forward - LOG_P).exp(), (LOG_P - backward).exp()):
        assert ((ratios.mean(0) - 1).abs() < 5 * ratios.std(0) / chains**0.5).all()


@pytest.mark.parametrize("beta", [0.0, 0.6])
def test_moves_leave_their_distribution(beta):
    """Of N(e; 0, I) w^beta, which here is Gaussian, a move leaves mean and variance."""
    chains = 20_000
    precision = 1 - beta * (1 - WIDTH**2)
    mean = -beta * WIDTH * SHIFT / precision
    place = mean + draws(chains) / precision**0.5
    step = torch.full((B,), 0.6, dtype=torch.float64)
    there = Chains(place, *log_weights(place))
    moved, acceptance = hamiltonian_move(log_weights, there, torch.tensor(beta), step, 3, generators())
    assert 0.5 < acceptance.mean() < 0.999
    assert not (moved.noise == place).all(-1).all()
    assert_close(moved.log_w, log_weights(moved.noise)[0])
    error = 5 / (chains * B * D * precision) ** 0.5
    assert abs(moved.noise.mean() - mean) < error
    assert abs(moved.noise.var() * precision - 1) < 5 * (2 / (chains * B * D)) ** 0.5


def test_dynamics_lead_back():
    start = draws(6)
    chains, momentum = Chains(start, *log_weights(start)), draws(6, 1)
    step, beta = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64), torch.tensor(0.7)
    there, turned = leapfrog(log_weights, chains, momentum, beta, step, LEAPFROGS)
    back, end = leapfrog(log_weights, there, -turned, beta, step, LEAPFROGS)
    assert_close(back, chains)
    assert_close(end, -momentum)
    assert (there.noise - start).abs().min() > 1e-4


def test_a_move_to_where_nothing_is_a_number_is_refused():
    def broken(noise):
        log_w, gradient = log_weights(noise)
        return torch.full_like(log_w, math.nan), gradient

    start = draws(2)
    chains = Chains(start, *log_weights(start))
    kept, acceptance = hamiltonian_move(broken, chains, torch.tensor(0.5), torch.full((B,), 0.1), 2, generators())
    assert_close(kept, chains)
    assert (acceptance == 0).all()


def test_an_image_has_the_same_chains_whichever_are_beside_it():
    noise, moves = draws(4), Moves(betas(4), torch.full((3, B), 0.3, dtype=torch.float64), 2)
    together, _ = annealed_log_weights(log_weights, noise, moves, generators())

    def last(noise):
        return tuple(value[:, 2:] for value in log_weights(noise.expand(-1, B, -1)))

    alone, _ = annealed_log_weights(last, noise[:, 2:], Moves(moves.betas, moves.steps[:, 2:], 2), generators()[2:])
    assert_close(alone, together[:, 2:])
