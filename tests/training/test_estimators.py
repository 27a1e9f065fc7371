"""Estimators of the gradient: what they are in expectation, by quadrature, and the same for models."""

import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iwae import estimators
from iwae.bounds import elbo, grouped_bound, importance_bound
from iwae.estimators import standard, weighted_gradient
from iwae.models.architecture import Architecture
from iwae.models.densities import Gaussian
from iwae.models.model import encode, infer, joint_log_prob, posterior_log_prob
from iwae.study.registry import ESTIMATORS, implementation

RELATIVE = estimators.RELATIVE | {"wake, doubly reparametrised": lambda weights: (1 - weights, 0.0)}
X = torch.tensor([0.7], dtype=torch.float64)
ROUNDING = 1e-11  # of the values below, which have twelve digits
L_2, GRADIENT = -1.344420432297, (0.280423945098, -0.010623828665)
WAKE = (0.261006028028, -0.086231463568)


def nodes(draws, points):
    """Points of a Gauss-Hermite rule for `draws` independent standard Gaussians, (n, draws), and their weights."""
    at, weight = np.polynomial.hermite_e.hermegauss(points)
    weight = weight / weight.sum()
    places = torch.tensor(list(itertools.product(at, repeat=draws)), dtype=torch.float64)
    return places, torch.tensor(list(itertools.product(weight, repeat=draws)), dtype=torch.float64).prod(1)


def normal(mean, log_std):
    return Gaussian(*torch.broadcast_tensors(*(torch.as_tensor(part, dtype=X.dtype) for part in (mean, log_std))))


def test_latents_that_are_no_list_are_refused(refused):
    model = OneLayer()
    arguments = model.log_joint, model.log_posterior, elbo, RELATIVE["standard"], model.parameters
    said = refused(weighted_gradient, lambda p: model.draw(p, torch.zeros(2, 1, dtype=X.dtype))[0], *arguments)
    assert said == "draw gives a tensor (2, 1): it must give a list with one for each layer."


class OneLayer:
    """p(z) = N(0.3, 1), p(x|z) = N(0.8 z, e^0.1) at x = 0.7, q = N(0.1, e^-0.1): means and deviations."""

    draws, points, error = 1, 40, ROUNDING
    parameters = {"mean": torch.tensor([0.1], dtype=X.dtype), "log_std": torch.tensor([-0.1], dtype=X.dtype)}

    def draw(self, p, noise):
        return [Gaussian(p["mean"], p["log_std"]).sample(noise)]

    def log_joint(self, p, latents):
        (z,) = latents
        return normal(0.3, 0.0).log_prob(z) + normal(0.8 * z, 0.1).log_prob(X)

    def log_posterior(self, p, latents):
        return Gaussian(p["mean"], p["log_std"]).log_prob(latents[0])


class TwoLayers:
    """q(h1) and q(h2|h1) Gaussian, the mean and deviation of the latter linear in h1; p likewise, from h2 down."""

    draws, points, error = 2, 14, 1e-5  # of the quadrature, with some 40,000 nodes
    parameters = {
        name: torch.tensor([value], dtype=torch.float64)
        for name, value in {"mean1": 0.3, "log_std1": -0.2, "slope": 0.7, "mean2": -0.1, "log_std2": -0.3}.items()
    }

    def above(self, p, h1):
        return Gaussian(p["slope"] * h1 + p["mean2"], p["log_std2"] + 0.1 * p["slope"] * h1)

    def draw(self, p, noise):
        h1 = Gaussian(p["mean1"], p["log_std1"]).sample(noise[..., :1])
        return [h1, self.above(p, h1).sample(noise[..., 1:])]

    def log_joint(self, p, latents):
        h1, h2 = latents
        return normal(0.0, 0.0).log_prob(h2) + normal(0.6 * h2, -0.2).log_prob(h1) + normal(1.1 * h1, -0.1).log_prob(X)

    def log_posterior(self, p, latents):
        h1, h2 = latents
        return Gaussian(p["mean1"], p["log_std1"]).log_prob(h1) + self.above(p, h1).log_prob(h2)


def each(case, relative, k, bound=importance_bound):
    """The estimate at each node of a quadrature over k samples, by parameter, and the nodes' weights."""
    places, weights = nodes(case.draws * k, case.points)

    def at(noise):
        return weighted_gradient(
            lambda p: case.draw(p, noise), case.log_joint, case.log_posterior, bound, relative, case.parameters
        )[0]

    return torch.vmap(at)(places.view(-1, k, 1, case.draws)), weights


def expected(case, relative, k, bound=importance_bound):
    values, weights = each(case, relative, k, bound)
    return torch.stack([(weights * value.squeeze(1)).sum() for value in values.values()])


def exact(case, k, bound=importance_bound):
    """The bound's expectation and its gradient, by autograd through the quadrature."""
    places, weights = nodes(case.draws * k, case.points)
    parameters = {name: value.clone().requires_grad_() for name, value in case.parameters.items()}
    latents = case.draw(parameters, places.view(-1, k, case.draws).transpose(0, 1))
    log_w = case.log_joint(parameters, latents) - case.log_posterior(parameters, latents)
    value = (weights * bound(log_w)).sum()
    return value.item(), torch.cat(torch.autograd.grad(value, list(parameters.values())))


def test_known_values_of_the_example():
    value, gradient = exact(OneLayer(), 2)
    assert value == pytest.approx(L_2, abs=ROUNDING)
    assert gradient.tolist() == pytest.approx(GRADIENT, abs=ROUNDING)
    assert expected(OneLayer(), RELATIVE["wake"], 2).tolist() == pytest.approx(WAKE, abs=ROUNDING)


@pytest.mark.parametrize("case", [OneLayer(), TwoLayers()], ids=["one layer", "two layers"])
def test_doubly_reparametrised_is_unbiased_and_sticking_the_landing_is_off_by_the_wake_phase(case):
    """With two layers this fails if the distributions that depend on h1, not the parameters, are held fixed."""
    _, gradient = exact(case, 2)
    wake = expected(case, RELATIVE["wake"], 2)
    assert wake.abs().max() > 0.01
    assert_close(expected(case, RELATIVE["standard"], 2), gradient, atol=case.error, rtol=0)
    assert_close(expected(case, RELATIVE["dreg"], 2), gradient, atol=case.error, rtol=0)
    assert_close(expected(case, RELATIVE["stl"], 2), gradient + wake, atol=case.error, rtol=0)
    assert_close(expected(case, RELATIVE["wake, doubly reparametrised"], 2), wake, atol=case.error, rtol=0)


@pytest.mark.parametrize("case", [OneLayer(), TwoLayers()], ids=["one layer", "two layers"])
def test_sticking_the_landing_is_unbiased_for_the_elbo(case):
    _, gradient = exact(case, 1, elbo)
    assert_close(expected(case, RELATIVE["stl"], 1, elbo), gradient, atol=case.error, rtol=0)
    assert expected(case, RELATIVE["wake"], 1).abs().max() < case.error  # so there is no wake phase at k = 1


def test_no_variance_where_q_is_the_posterior():
    """The posterior of `OneLayer` is Gaussian: its encoder's gradient vanishes for every draw, if without the score."""
    precision = 1 + 0.64 * np.exp(-0.2)
    exactly = OneLayer()
    exactly.parameters = {
        "mean": torch.tensor([(0.3 + 0.8 * 0.7 * np.exp(-0.2)) / precision]),
        "log_std": torch.tensor([-0.5 * np.log(precision)]),
    }
    for name in ("stl", "dreg"):
        assert max(value.abs().max() for value in each(exactly, RELATIVE[name], 2)[0].values()) < 1e-12
    assert max(value.abs().max() for value in each(exactly, RELATIVE["standard"], 2)[0].values()) > 0.1


K, B = 3, 5


@pytest.fixture(params=[1, 2], ids=["one layer", "two layers"])
def model(request, images, device):
    """A model in float64 with noise and images: architecture, parameters, x, noise."""
    architecture, generator = Architecture.paper(request.param), torch.Generator().manual_seed(0)
    shapes = architecture.parameter_shapes.items()
    parameters = {name: 0.1 * torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes}
    noise = torch.randn(K, B, sum(architecture.latents), generator=generator, dtype=torch.float64)
    x = torch.from_numpy(images.train[:B] > 127).double()
    return architecture, {name: value.to(device) for name, value in parameters.items()}, x.to(device), noise.to(device)


@pytest.mark.parametrize("loss", ["sum", "mean"])
@pytest.mark.parametrize("objective", [0, 1])
def test_standard_is_the_estimator_with_the_whole_score(model, objective, loss):
    architecture, *arguments = model
    bounds, index = [elbo, importance_bound], torch.tensor(objective)
    expected, value = standard(architecture, bounds, loss)(*arguments, index)
    whole = estimators._of_models(RELATIVE["standard"], architecture, bounds, loss)
    found, same = whole(*arguments, index)
    assert_close(same, value)
    for name, gradient in expected.items():
        assert_close(found[name], gradient, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(("name", "path"), [("stl", lambda a: a), ("dreg", lambda a: a.square())])
def test_estimators_of_models_against_a_surrogate(model, name, path):
    """Weights and the parameters of log q detached, and the parameters of p from the plain estimator."""
    architecture, parameters, x, noise = model
    index, layers = torch.tensor(0), noise.split(architecture.latents, -1)
    found, _ = implementation(ESTIMATORS[name].gradient)(architecture, [importance_bound], "sum")(*model[1:], index)
    plain, _ = standard(architecture, [importance_bound], "sum")(*model[1:], index)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    latents, _ = infer(architecture, leaves, encode(architecture, leaves, x), layers)
    log_p = sum(joint_log_prob(architecture, parameters, x, latents))
    log_w = log_p - posterior_log_prob(architecture, parameters, encode(architecture, parameters, x), latents)
    (-(path(torch.softmax(log_w.detach(), 0)) * log_w).sum()).backward()
    for parameter, gradient in found.items():
        expected = leaves[parameter].grad if parameter.startswith("q") else plain[parameter]
        assert_close(gradient, expected, atol=1e-9, rtol=1e-9)


def test_piwae_is_two_bounds(images):
    """The model's part of the gradient of L_k, the encoder's of MIWAE's bound; the bound reported is L_k."""
    architecture, generator = Architecture.paper(1), torch.Generator().manual_seed(0)
    shapes = architecture.parameter_shapes.items()
    parameters = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes}
    arguments = parameters, torch.from_numpy(images.train[:B] > 127).float(), torch.randn(16, B, 50), torch.tensor(0)
    found, value = estimators.piwae(architecture, [importance_bound], "mean")(*arguments)
    of_p, bound = standard(architecture, [importance_bound], "mean")(*arguments)
    of_q, _ = standard(architecture, [grouped_bound], "mean")(*arguments)
    assert value == bound
    for name, gradient in found.items():
        assert_close(gradient, (of_q if name.startswith("q1.") else of_p)[name])
        assert not torch.equal(of_q[name], of_p[name])


# The wake phase raises q where the weights say that the posterior is, so it needs more than a few of them.
@pytest.mark.parametrize(
    "kind",
    [f"l1-{kind}" for kind in ("vae-k3-by-stl", "iwae-k50-by-wake", "iwae-k16-by-piwae")]
    + ["l2-iwae-k3-by-stl", "l2-iwae-k3-by-dreg"],
)
def test_updates_of_a_stack_lower_its_loss(kind, images, device, build_stack, run_blocks):
    """Of images of two kinds, there being nothing to learn of random ones, with the same noise before and after."""
    images.train[::2] = 255 * (np.arange(784) < 392)
    images.train[1::2] = 255 - images.train[0]
    stack = build_stack([f"mnist/{kind}/seed{seed}" for seed in (0, 1)])
    x, units = torch.from_numpy(images.train / np.float32(255)).to(device), sum(stack.architecture.latents)
    noise = torch.randn(2, stack.specs[0].k, len(x), units, generator=torch.Generator().manual_seed(0)).to(device)
    before = stack.bounds_on(x, noise).mean(1)
    bounds = run_blocks(stack)
    assert (stack.bounds_on(x, noise).mean(1) > before + 1).all()
    assert (bounds[:, 0] != bounds[:, 1]).all()
