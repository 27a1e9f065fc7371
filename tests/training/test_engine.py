"""The batched update: against autograd and the textbook's optimiser, members alone, and its compiled self."""

from functools import partial

import numpy as np
import pytest
import torch

from iwae.bounds import elbo, importance_bound
from iwae.data.binarization import bernoulli_pixels
from iwae.device import compile_function
from iwae.models.architecture import Architecture
from iwae.models.model import log_weights
from iwae.study.protocol import PRESETS
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import state as training_states
from iwae.training.draws import BlockDraws


def assert_alike(actual, expected):
    """Parameters equal but for float32 sums in another order.

    Adam divides by the gradient's own size, so where a gradient is nearly zero its rounding moves the parameter by a
    good part of a step: the whole tensor is compared with the distance that sixteen steps may cover, not each element.
    """
    assert actual.shape == expected.shape
    assert (actual - expected).square().mean().sqrt().item() < 1e-3 * 16e-3


@pytest.mark.parametrize(
    ("layers", "objective", "clip"),
    [(1, "vae", None), (1, "iwae", None), (2, "vae", None), (2, "iwae", None), (1, "iwae", 2.0)],
)
def test_updates_against_a_plain_loop(layers, objective, clip, images, device, build_stack, run_blocks):
    """`paper-text` without shuffling is torch.optim.Adam on the mean bound: the plainest code there is."""
    protocol = PRESETS["paper-text"].with_overrides({"shuffle": False, "gradient_clip": clip})
    settings = TrainingSettings(protocol=protocol, batch_size=5)
    spec = ModelSpec("mnist", layers, objective, 3, 0)
    stack = build_stack([spec.name], settings)
    bounds = run_blocks(stack)

    architecture = Architecture.paper(layers, protocol.scale)
    start = training_states.fresh(spec, settings, images.train, device)
    parameters = {name: value.double().to(device).requires_grad_() for name, value in start.parameters.items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-4)
    generator = torch.Generator(device)
    generator.set_state(start.generator)
    draws = BlockDraws(architecture, [generator], 3, 5, 8)
    expected = []
    for update in range(16):
        t = update % 8
        if t == 0:
            draws.refill()
        pixels = torch.from_numpy(images.train[5 * t : 5 * t + 5]).to(device)
        x = bernoulli_pixels(pixels, draws.bits[t, 0]).double()
        noise = draws.noise[t, 0].double().split(architecture.latents, -1)
        log_w = log_weights(architecture, parameters, x, noise)
        bound = (importance_bound(log_w) if objective == "iwae" else elbo(log_w)).mean()
        optimizer.zero_grad()
        (-bound).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(parameters.values(), clip)
        optimizer.step()
        expected.append(bound.item())
    torch.testing.assert_close(bounds[:, 0].cpu(), torch.tensor(expected), rtol=1e-4, atol=1e-2)
    for name, value in parameters.items():
        assert_alike(stack.parameters[name][0], value.detach().float())


@pytest.mark.parametrize(("layers", "clip"), [(1, 2.0), (2, None)])
def test_a_stack_equals_its_members_trained_alone(layers, clip, build_stack, run_blocks):
    names = [f"mnist/l{layers}-{objective}-k3/seed{seed}" for objective in ("vae", "iwae") for seed in (0, 1)]
    settings = TrainingSettings(PRESETS["authors-code"].with_overrides({"gradient_clip": clip}), batch_size=5)
    together = build_stack(names, settings)
    bounds = run_blocks(together)
    for model, name in enumerate(names):
        alone = build_stack([name], settings)
        torch.testing.assert_close(run_blocks(alone)[:, 0], bounds[:, model], rtol=1e-5, atol=1e-3)
        for parameter, value in alone.parameters.items():
            assert_alike(value[0], together.parameters[parameter][model])


@pytest.mark.parametrize(
    "kind",
    [
        "l2-{}-k2",
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("l1-{}-k2-mog4", "l2-{}-k2-pixelhvae-vamp4")),
    ],
)
def test_compiled_equals_uncompiled(kind, device, build_stack, run_blocks):
    names = [f"mnist/{kind.format(objective)}/seed0" for objective in ("vae", "iwae")]
    plain, compiled = build_stack(names), build_stack(names, compile_step=partial(compile_function, device=device))
    torch.testing.assert_close(run_blocks(plain), run_blocks(compiled), rtol=1e-5, atol=1e-3)
    for name, value in plain.parameters.items():
        assert_alike(value, compiled.parameters[name])


def settings_of(**fields):
    return TrainingSettings(PRESETS["efficient"].with_overrides(fields), passes=2, batch_size=5)


@pytest.mark.parametrize("name", ["mnist/l1-vae-k2-mog4/seed0", "mnist/l1-iwae-k2-vamp4/seed0"])
def test_priors_are_trained_with_the_rest(name, build_stack, run_blocks):
    stack = build_stack([name], settings_of())
    before = {parameter: value.clone() for parameter, value in stack.parameters.items()}
    run_blocks(stack)
    own = [parameter for parameter in before if parameter.startswith("prior.")]
    assert own and all((stack.parameters[parameter] != before[parameter]).any() for parameter in own)


def test_weight_of_the_kl(build_stack, run_blocks):
    """Of 1 it changes nothing; of 0 p(z) learns nothing, and the bounds of the first update are the true ones."""
    name = "mnist/l1-iwae-k2-mog4/seed0"
    plain = build_stack([name], settings_of())
    whole, none = (build_stack([name], settings_of(kl_warm_up=1)) for _ in range(2))
    before = none.parameters["prior.mean"].clone()
    bounds = run_blocks(plain)
    torch.testing.assert_close(run_blocks(whole, kl_weights=np.ones(8)), bounds, rtol=1e-5, atol=1e-3)
    found = run_blocks(none, kl_weights=np.zeros(8))
    assert torch.equal(none.parameters["prior.mean"], before)
    torch.testing.assert_close(found[0], bounds[0], rtol=1e-5, atol=1e-3)
    for parameter, value in plain.parameters.items():
        assert_alike(value, whole.parameters[parameter])


def test_warming_up_leaves_the_stack_and_its_draws_alone(build_stack, images, device):
    """What a capture on CUDA does first must not show in the results."""
    index = torch.arange(40, device=device).view(8, 1, 5)
    warmed, cold = build_stack(["mnist/l1-iwae-k2/seed0"]), build_stack(["mnist/l1-iwae-k2/seed0"])
    pixels = torch.from_numpy(images.train).to(device)
    block = warmed.block(pixels, 8, 5)
    block._warm_up()
    torch.testing.assert_close(
        block.run(index, 1, np.full(len(index), 1e-3)),
        cold.block(pixels, 8, 5).run(index, 1, np.full(len(index), 1e-3)),
        rtol=0,
        atol=0,
    )
    assert all(torch.equal(value, cold.parameters[name]) for name, value in warmed.parameters.items())


def test_a_summed_loss_has_batch_times_the_gradient(build_stack, run_blocks):
    moments = {}
    for loss in ("sum", "mean"):
        protocol = PRESETS["authors-code"].with_overrides({"loss": loss})
        stack = build_stack(["mnist/l1-iwae-k2/seed0"], TrainingSettings(protocol=protocol, batch_size=5))
        run_blocks(stack, steps=1, blocks=1)
        moments[loss] = stack.first["q1.hidden1.weight"]
    torch.testing.assert_close(moments["sum"], 5 * moments["mean"], rtol=1e-4, atol=1e-6)


def test_bounds_on_given_images_are_each_model_s(build_stack, device):
    stack = build_stack(["mnist/l2-vae-k3/seed0", "mnist/l2-iwae-k3/seed1"])
    x = (torch.rand(7, 784, device=device) < 0.3).float()
    noise = torch.randn(2, 3, 7, 150, device=device)
    bounds = stack.bounds_on(x, noise)
    for model, bound in enumerate((elbo, importance_bound)):
        parameters = {name: value[model] for name, value in stack.parameters.items()}
        log_w = log_weights(stack.architecture, parameters, x, noise[model].split((100, 50), -1))
        torch.testing.assert_close(bounds[model], bound(log_w), rtol=1e-5, atol=1e-3)
