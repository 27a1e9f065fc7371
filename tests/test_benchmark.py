"""The benchmark: eager code computes what the library does, ratios are right, every section runs. Nothing is timed."""

import csv
import itertools
import math
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iwae import device as devices
from iwae.__main__ import SECTIONS, main
from iwae.estimators import make_bound
from iwae.models.architecture import Architecture
from iwae.models.initialization import initialize
from iwae.models.model import log_weights
from iwae.study.protocol import Protocol
from iwae.study.registry import OBJECTIVES, implementation

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
K, B = 3, 5


@pytest.fixture(autouse=True)
def _modules(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


def _pair(layers):
    """The library's parameters and the eager model with the same weights, float64."""
    import eager
    from workload import synthetic_pixels

    parameters = initialize(Architecture.paper(layers), Protocol(initialization="independent"), 0, synthetic_pixels(50))
    parameters = {name: value.double().requires_grad_() for name, value in parameters.items()}
    model = eager.Model(layers).double()
    assert dict(model.named_parameters()).keys() == parameters.keys()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(parameters[name].T if name.endswith("weight") else parameters[name])
    return parameters, model


def _batch(layers):
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(B, 784, generator=generator) < 0.2).double()
    return x, torch.randn(K, B, sum(Architecture.paper(layers).latents), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("objective", ["vae", "iwae"])
def test_eager_code_has_the_library_s_bound_and_gradients(layers, objective):
    import eager

    parameters, model = _pair(layers)
    x, noise = _batch(layers)
    bounds = [implementation(OBJECTIVES[objective].bound)]
    expected = make_bound(Architecture.paper(layers), bounds)(parameters, x, noise, torch.tensor(0))
    expected.sum().backward()
    found = eager.bound(model.log_weights(x, K, noise.split(Architecture.paper(layers).latents, -1)), objective)
    found.sum().backward()
    torch.testing.assert_close(found, expected)
    for name, value in model.named_parameters():
        gradient = parameters[name].grad
        torch.testing.assert_close(value.grad, gradient.T if name.endswith("weight") else gradient)


@pytest.mark.parametrize("layers", [1, 2])
def test_eager_code_has_the_library_s_likelihood(layers, monkeypatch):
    import eager

    parameters, model = _pair(layers)
    x, noise = _batch(layers)
    splits = noise.split(Architecture.paper(layers).latents, -1)
    draws = {(image, layer): splits[layer][:, image : image + 1] for image in range(B) for layer in range(layers)}
    order = iter(draws.values())
    monkeypatch.setattr(torch, "randn", lambda *size, device: next(order))
    monkeypatch.setattr(torch, "randn_like", lambda tensor: next(order))
    log_w = log_weights(Architecture.paper(layers), parameters, x, splits)
    torch.testing.assert_close(eager.log_likelihood(model, x, K), torch.logsumexp(log_w, 0) - math.log(K))


def test_eager_training_learns():
    import eager
    from workload import synthetic_pixels

    torch.manual_seed(0)
    training = eager.Training(eager.Model(1), "iwae", 2, torch.from_numpy(synthetic_pixels(100)), 20)
    bounds = [training.run(5).item() for _ in range(10)]
    assert bounds[-1] > bounds[0] + 50


def test_contestants_take_turns_and_ratios_are_taken_within_rounds():
    from timing import Contestant, compete

    seen = []
    contestants = [Contestant(name, lambda name=name: seen.append(name), work) for name, work in (("a", 2), ("b", 10))]
    # A clock that runs slower and slower: round r takes the contestants r and 20 r seconds.
    readings = itertools.accumulate(itertools.chain(*([0, r, 0, 20 * r] for r in (1, 2, 4))))
    timings = compete(contestants, 3, warm_up=1, clock=lambda: next(readings))
    assert seen == ["a", "b"] * 4
    assert timings.seconds == {"a": [0.5, 1, 2], "b": [2, 4, 8]}
    assert timings.cost("a") == (1, 0.5, 2)
    assert timings.rate("b") == (0.25, 0.125, 0.5)
    assert timings.speedup("a", "b") == (4, 4, 4)
    with pytest.raises(ValueError, match="one name"):
        compete([contestants[0]] * 2, 1)


def test_the_exponent_of_a_power_is_its_own():
    from workload import exponent

    assert exponent([1, 2, 50], [3 * size**0.7 for size in (1, 2, 50)]) == pytest.approx(0.7)


def test_the_products_are_those_of_the_formula():
    from machine import products_of_update, runner

    k, models, batch = 5, 2, 20
    products = products_of_update(1, k, models, batch, torch.device("cpu"))
    encoder, decoder = 784 * 200 + 200 * 200 + 2 * 200 * 50, 50 * 200 + 200 * 200 + 200 * 784
    expected = 2 * models * batch * (3 * encoder - 784 * 200 + 3 * k * decoder)
    assert sum(product.flop for product in products) == expected
    runner(products, 1)()
    for a, b, out in products:
        torch.testing.assert_close(out, a @ b)


def _tiny(effort):
    tiny = {"rounds": 2, "updates": 2, "samples": 4, "images": 4, "eager_images": 2, "surgery_images": 30}
    return replace(effort, **tiny, surgery_draws=5, growth_samples=(2, 4))


@pytest.fixture
def run_tiny(tmp_path, monkeypatch):
    """A function that runs sections on next to nothing, uncompiled, in this process; the folder with the files."""
    import evaluation
    import training
    import workload
    from timing import Summary

    monkeypatch.setattr(workload, "QUICK", _tiny(workload.QUICK))
    monkeypatch.setattr(devices, "compile_function", lambda function, device: function)
    monkeypatch.setattr("iwae.device.fastest_matmul", lambda device, rows: "default")
    for module in (training, evaluation):
        monkeypatch.setattr(module, "peak_memory", lambda *arguments: Summary(1, 1, 1))
        monkeypatch.setattr(
            module, "together", lambda *arguments: [Summary(1, 1, 2), Summary(2, 2, 3), Summary(2, 1, 2)]
        )

    def run(*sections):
        arguments = ["benchmark", "--quick", "--device", "cpu", "--output", str(tmp_path), "--sections"]
        assert main([*arguments, *sections]) == 0
        return tmp_path

    return run


def test_every_section_writes_rows_tables_and_figure(run_tiny):
    from rows import COLUMNS

    folder = run_tiny("surgery", "evaluation")
    assert not (folder / "cpu-quick.png").exists()  # nothing to draw yet
    run_tiny("cores", "scaling", "training")
    with (folder / "cpu-quick.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert tuple(dict.fromkeys(row["section"] for row in rows)) == SECTIONS  # those of the first run are kept
    for row in rows:
        assert row["unit"] and row["date"] and row["machine"]
        assert float(row["lowest"]) <= float(row["value"]) <= float(row["highest"])
    page = (folder / "cpu-quick.md").read_text()
    for title in ("Where and when", "Training", "Memory", "Two processes", "Evaluation", "ELBO surgery", "Scaling"):
        assert f"### {title}" in page
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".md", ".png", ".pdf"}


@pytest.mark.slow
def test_processes_of_their_own_take_turns():
    from evaluation import make_likelihood
    from processes import peak_memory, together
    from workload import Place

    place = Place(torch.device("cpu"), 1)
    alone, total, ratio = together(make_likelihood, place, (1, 2, 4), 2, 1)
    assert ratio.median == pytest.approx(total.median / alone.median)
    assert peak_memory(None, place).median > 50  # MiB: PyTorch itself


def test_the_verb_knows_the_benchmark_s_sections():
    assert tuple(runpy.run_path(str(FOLDER), run_name="benchmark")["SECTIONS"]) == SECTIONS


def test_without_a_checkout_it_says_so(tmp_path, monkeypatch, caplog):
    import iwae.__main__ as command_line

    monkeypatch.setattr(command_line, "__file__", str(tmp_path / "lib/python/iwae/__main__.py"))
    assert main(["benchmark"]) == 2
    assert "the benchmark runs from a checkout" in caplog.text
