"""A model's conditionals, log weights, samples and gradients."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal
from torch.testing import assert_close

from iwae.models.architecture import Architecture, Conditional
from iwae.models.model import encode, generate, infer, log_weights, reconstruct, standardize

K, B = 3, 5
SMALL = 1e-9  # rounding of float64 sums over 784 pixels
LAYERS = pytest.mark.parametrize("layers", [1, 2])


def hierarchical():
    """Two layers whose lower one, and whose pixels, see all above and the image."""
    rows = (("q2", "h2", ("x",)), ("q1", "h1", ("x", "h2")), ("p1", "h1", ("h2",)), ("px", "x", ("h1", "h2")))
    q2, q1, p1, px = (Conditional(name, drawn, given, (6, 4)) for name, drawn, given in rows)
    return Architecture((q2, q1), (p1,), px, latents=(3, 2))


# Networks in the order of drawing, with what each is given: of q, of p below the top, of the pixels.
MODELS = {
    "one layer": (Architecture.paper(1), {"q1": ("x",)}, {}, ("h1",)),
    "two layers": (Architecture.paper(2), {"q1": ("x",), "q2": ("h1",)}, {"p1": ("h2",)}, ("h1",)),
    "hierarchical": (hierarchical(), {"q2": ("x",), "q1": ("x", "h2")}, {"p1": ("h2",)}, ("h1", "h2")),
}


def by_hand(parameters, network, given, values, heads=("mean", "scale")):
    """A network in numpy, from the documented names and shapes alone."""
    p = {name: value.cpu().numpy() for name, value in parameters.items()}

    def layer(name, x):
        return x @ p[f"{network}.{name}.weight"] + p[f"{network}.{name}.bias"]

    names = ["hidden1"] if len(given) == 1 else [f"hidden1.{variable}" for variable in given]
    first = [np.tanh(layer(*pair)) for pair in zip(names, (values[variable] for variable in given), strict=True)]
    joint = np.concatenate([np.broadcast_to(part, (K, B, part.shape[-1])) for part in first], axis=-1)
    return [torch.from_numpy(layer(head, np.tanh(layer("hidden2", joint)))) for head in heads]


@pytest.mark.parametrize(("architecture", "recognition", "generation", "seen"), MODELS.values(), ids=MODELS)
def test_log_weights_are_the_ratio_of_the_densities(
    architecture, recognition, generation, seen, parameters_of, noise_of, images
):
    parameters, noise, x = parameters_of(architecture), noise_of(architecture), images()
    values, log_q, log_p = {"x": x.cpu().numpy()}, 0, 0
    for name, given in recognition.items():
        mean, log_std = by_hand(parameters, name, given, values)
        drawn = mean + log_std.exp() * noise[int(name[1]) - 1].cpu()
        log_q = log_q + Normal(mean, log_std.exp()).log_prob(drawn).sum(-1)
        values[f"h{name[1]}"] = drawn.numpy()
    for name, given in generation.items():
        mean, log_std = by_hand(parameters, name, given, values)
        log_p = log_p + Normal(mean, log_std.exp()).log_prob(torch.from_numpy(values[f"h{name[1]}"])).sum(-1)
    log_p = log_p + Normal(0.0, 1.0).log_prob(torch.from_numpy(values[f"h{architecture.layers}"])).sum(-1)
    (logits,) = by_hand(parameters, "px", seen, values, ("logits",))
    log_p = log_p + Bernoulli(logits=logits).log_prob(x.cpu().expand_as(logits)).sum(-1)
    found = log_weights(architecture, parameters, x, noise)
    assert found.shape == (K, B)
    assert_close(found.cpu(), log_p - log_q, atol=SMALL, rtol=SMALL)


def test_scale_head_predicts_log_variance_where_the_protocol_says_so(parameters_of, images):
    parameters = parameters_of(Architecture.paper(1))
    x = images()
    mean, deviation = encode(Architecture.paper(1), parameters, x).posteriors["q1"]
    same, half = encode(Architecture.paper(1, "log-variance"), parameters, x).posteriors["q1"]
    assert_close(same, mean)
    assert_close(half, deviation / 2)


def test_what_the_papers_networks_are_not_is_one_sentence(refused):
    expected = "scale = 'log_deviation' is unknown: use log-deviation or log-variance."
    assert refused(Architecture.paper, 1, "log_deviation") == expected
    assert refused(Architecture.paper, 3) == "layers = 3 is impossible: the paper's models have 1 or 2."


def test_what_would_compute_something_else_is_refused(parameters_of, images, refused):
    paper = Architecture.paper(1)
    parameters, good = parameters_of(paper), torch.zeros(2, B, 50)
    needed = f"is impossible: it must be a list of tensors (k, {B}, 50), k = 1 too."
    for noise, given in (
        ([torch.zeros(B, 50)], f"[({B}, 50)]"),
        ([torch.zeros(2, B, 1)], f"[(2, {B}, 1)]"),
        ([torch.zeros(2, 1, 50)], "[(2, 1, 50)]"),
        ([good, good], f"[(2, {B}, 50), (2, {B}, 50)]"),
        (good, f"(2, {B}, 50)"),
    ):
        assert refused(log_weights, paper, parameters, images(), noise) == f"noise {given} {needed}"
    for x, given in (
        (images().to(torch.uint8), f"({B}, 784) of torch.uint8"),
        (images().unflatten(1, (28, 28)), f"({B}, 28, 28) of torch.float64"),
    ):
        said = refused(log_weights, paper, parameters, x, [good])
        assert said.startswith(f"images {given} are impossible: they must be (B, 784), 0.0 and 1.0;")
    shallow = Conditional("q1", "h1", ("x", "h2"), (30,))
    said = refused(shallow.layer_shapes, {"x": 784, "h1": 50, "h2": 50})
    assert said.startswith("q1 with hidden layers (30,) is impossible: it needs one, and a second where several")


@pytest.mark.parametrize(("architecture", "recognition", "generation", "seen"), MODELS.values(), ids=MODELS)
def test_generated_and_reconstructed_means(
    architecture, recognition, generation, seen, parameters_of, noise_of, images
):
    parameters, x, noise = parameters_of(architecture), images(), noise_of(architecture)
    values = {f"h{architecture.layers}": noise[-1].cpu().numpy()}
    for name, given in generation.items():
        mean, log_std = by_hand(parameters, name, given, values)
        values[f"h{name[1]}"] = (mean + log_std.exp() * noise[int(name[1]) - 1].cpu()).numpy()
    (logits,) = by_hand(parameters, "px", seen, values, ("logits",))
    assert_close(generate(architecture, parameters, noise).cpu(), logits.sigmoid())
    values = {"x": x.cpu().numpy()}
    for name, given in recognition.items():
        values[f"h{name[1]}"] = by_hand(parameters, name, given, values)[0].numpy()
    (logits,) = by_hand(parameters, "px", seen, values, ("logits",))
    assert_close(reconstruct(architecture, parameters, x).cpu(), logits[0].sigmoid())


@LAYERS
def test_noise_of_latents_is_what_they_were_made_of(layers, parameters_of, noise_of, images):
    architecture = Architecture.paper(layers)
    parameters, noise = parameters_of(architecture), noise_of(architecture)
    encoded = encode(architecture, parameters, images())
    latents, posteriors = infer(architecture, parameters, encoded, noise)
    found, same = standardize(architecture, parameters, encoded, latents)
    for there, back in zip([*noise, *posteriors], [*found, *same], strict=True):
        assert_close(back, there)
