"""The draws of training: uniform, normal, each model's own; the order of a pass."""

import torch

from iwae.models.architecture import Architecture
from iwae.training.draws import BlockDraws, pass_order

ARCHITECTURE = Architecture.paper(2)


def draws(seeds, device, steps=6, k=3, batch=5):
    block = BlockDraws(ARCHITECTURE, [torch.Generator(device).manual_seed(s) for s in seeds], k, batch, steps)
    block.refill()
    return block


def test_a_model_s_draws_do_not_depend_on_its_companions(device):
    alone, together = draws([2], device), draws([1, 2, 3], device)
    assert torch.equal(alone.bits[:, 0], together.bits[:, 1])
    assert torch.equal(alone.noise[:, 0], together.noise[:, 1])
    assert not torch.equal(together.noise[:, 0], together.noise[:, 1])


def test_the_bits_are_uniform_and_the_noise_standard(device):
    block = draws([7], device, steps=40, batch=20)
    bits = block.bits.double()  # 627,200 draws: the mean's standard deviation is 24, the variance's below 0.1 %
    assert abs(bits.mean().item() + 0.5) < 120
    assert abs(bits.var().item() / (2**32 / 12) - 1) < 0.01
    assert (block.bits.min().item(), block.bits.max().item()) == (-(2**15), 2**15 - 1)
    assert abs(block.noise.mean().item()) < 0.01
    assert abs(block.noise.var().item() - 1) < 0.02


def test_the_order_of_a_pass():
    assert torch.equal(pass_order(False, 5, 9), torch.arange(5))
    shuffled = pass_order(True, 1000, 9)
    assert torch.equal(shuffled.sort().values, torch.arange(1000))
    assert torch.equal(shuffled, pass_order(True, 1000, 9))
    assert not torch.equal(shuffled, pass_order(True, 1000, 10))
