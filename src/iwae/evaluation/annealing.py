"""log p(x) by annealed importance sampling with Hamiltonian Monte Carlo, in the space of the noise.

A draw of q(h|x) is a function of standard Gaussian noise e, so the posterior is N(e; 0, I) w(e) / p(x). Chains go from
N(0, I) to it by way of N(e; 0, I) w(e)^beta and need nothing of a model but its log weights and their gradient. With
one temperature there is no move, and the estimate is L_k of as many samples as there are chains. As in the work that
brought the method to such models (Wu, Burda, Salakhutdinov & Grosse 2017), chains that go back from a draw of the
posterior, which is known for images that the model drew itself, bound log p(x) from the other side.

The steps of the moves are found by chains of their own and then fixed: if adapted on the way, they would bias the
estimate.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from iwae.evaluation.noise import draw_each
from iwae.evaluation.noise_space import LogWeights

_FIRST_STEP = 0.5
_ACCEPTANCE = 0.65  # wanted; in high dimension the cheapest (Neal 2011, section 5.4.4)
_GAIN = 0.3  # of the logarithm of the step, by how far the acceptance is off


class Chains(NamedTuple):
    """Where C chains for each of B images stand.

    Attributes:
        noise: (C, B, D).
        log_w: Log importance weights there, (C, B).
        gradient: Of `log_w` by the noise, (C, B, D).
    """

    noise: Tensor
    log_w: Tensor
    gradient: Tensor


class Moves(NamedTuple):
    """How chains move between temperatures.

    Attributes:
        betas: The temperatures' inverses, T + 1 of them from 0 to 1.
        steps: Step of the leapfrogs at each inverse temperature between the first and the last, for each image,
            (T - 1, B).
        leapfrogs: Steps of one move.
    """

    betas: Tensor
    steps: Tensor
    leapfrogs: int


def annealed_log_weights(
    log_weights: LogWeights, start: Tensor, moves: Moves, generators: Sequence[Generator]
) -> tuple[Tensor, Tensor]:
    """The log weights of chains from N(0, I) to the posterior, and how likely their moves were to be accepted.

    Args:
        log_weights: The model, for B images.
        start: Draws of N(0, I), (C, B, D).
        moves: Temperatures and steps.
        generators: One for each image.

    Returns:
        Log weights (C, B), float64, of which `importance_bound` is a lower bound on log p(x) in expectation; and the
        mean probability of acceptance of each image's moves, (B,), NaN where there is none.
    """
    chains = Chains(start, *log_weights(start))
    total, accepted = torch.zeros_like(chains.log_w, dtype=torch.float64), []
    for number, (beta, following) in enumerate(pairwise(moves.betas)):
        total += (following - beta).abs() * chains.log_w
        if number < len(moves.steps):
            step = moves.steps[number]
            chains, acceptance = hamiltonian_move(log_weights, chains, following, step, moves.leapfrogs, generators)
            accepted.append(acceptance.mean(0))
    return total, torch.stack(accepted).mean(0) if accepted else torch.full_like(start[0, :, 0], math.nan)


def reverse_log_weights(
    log_weights: LogWeights, start: Tensor, moves: Moves, generators: Sequence[Generator]
) -> tuple[Tensor, Tensor]:
    """The log weights of chains from the posterior back to N(0, I): minus `importance_bound` of minus these is above.

    Arguments and results as of `annealed_log_weights`, but for `start`: a draw of each image's posterior, from which
    all its chains set out.
    """
    back = Moves(moves.betas.flip(0), moves.steps.flip(0), moves.leapfrogs)
    return annealed_log_weights(log_weights, start, back, generators)


def find_steps(
    log_weights: LogWeights, start: Tensor, betas: Tensor, leapfrogs: int, generators: Sequence[Generator]
) -> Moves:
    """Moves of which some two thirds are accepted, by chains that adapt their steps on the way.

    Arguments as of `annealed_log_weights` and `Moves`.
    """
    chains = Chains(start, *log_weights(start))
    step, steps = torch.full_like(start[0, :, 0], _FIRST_STEP), [start.new_empty(0, start.shape[1])]
    for beta in betas[1:-1]:
        steps.append(step[None])
        chains, acceptance = hamiltonian_move(log_weights, chains, beta, step, leapfrogs, generators)
        step = step * torch.exp(_GAIN * (acceptance.mean(0) - _ACCEPTANCE))
    return Moves(betas, torch.cat(steps), leapfrogs)


def hamiltonian_move(
    log_weights: LogWeights,
    chains: Chains,
    beta: Tensor,
    step: Tensor,
    leapfrogs: int,
    generators: Sequence[Generator],
) -> tuple[Chains, Tensor]:
    """One move that leaves N(e; 0, I) w(e)^beta as it is (Neal 2011): the chains and their probabilities of acceptance.

    Args:
        log_weights: The model, for B images.
        chains: Where they stand.
        beta: Inverse temperature.
        step: Step of the leapfrogs for each image, (B,).
        leapfrogs: Number of steps.
        generators: One for each image.
    """
    count, _, units = chains.noise.shape
    drawn = draw_each(generators, count, units + 1, chains.noise.dtype)
    momentum, threshold = drawn[..., :-1], torch.special.log_ndtr(drawn[..., -1])  # the logarithm of a uniform draw
    moved, end = leapfrog(log_weights, chains, momentum, beta, step, leapfrogs)
    gain = _log_density(moved, end, beta) - _log_density(chains, momentum, beta)
    accepted = threshold < gain  # never where it is not a number
    each = accepted[..., None]
    kept = Chains(*map(torch.where, (each, accepted, each), moved, chains))
    return kept, torch.nan_to_num(torch.exp(gain.clamp(max=0)), nan=0.0)


def leapfrog(
    log_weights: LogWeights, chains: Chains, momentum: Tensor, beta: Tensor, step: Tensor, leapfrogs: int
) -> tuple[Chains, Tensor]:
    """Where the Hamiltonian dynamics of -log N(e; 0, I) w(e)^beta lead, with the momentum (C, B, D) there.

    Arguments as for `hamiltonian_move`. With the momentum turned round they lead back.
    """
    step = step[:, None]
    for _ in range(leapfrogs):
        momentum = momentum + 0.5 * step * (beta * chains.gradient - chains.noise)
        noise = chains.noise + step * momentum
        chains = Chains(noise, *log_weights(noise))
        momentum = momentum + 0.5 * step * (beta * chains.gradient - chains.noise)
    return chains, momentum


def _log_density(chains: Chains, momentum: Tensor, beta: Tensor) -> Tensor:
    """Of place and momentum, but for a constant, (C, B)."""
    return beta * chains.log_w - 0.5 * (chains.noise.square() + momentum.square()).sum(-1)
