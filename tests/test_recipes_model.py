"""The recipes of docs/extending.md for a prior and an objective, followed: entries, train, measure, tabulate."""

import json
import sys
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from iwae import device as devices
from iwae.__main__ import main
from iwae.bounds import elbo, importance_bound
from iwae.data import splits
from iwae.data.binarization import binarize
from iwae.errors import InputError
from iwae.models import store
from iwae.models.densities import standard_gaussian_log_prob
from iwae.models.model import log_weights
from iwae.models.priors import Prior
from iwae.study import registry
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import run

MODELS = ["mnist/l1-half-k2/seed0", "mnist/l1-half-k2-shift/seed0", "mnist/l2-half-k2-shift/seed0"]
PIXELS = np.random.default_rng(0).integers(0, 256, (60, 784), dtype=np.uint8)
IMAGES = splits.Images(PIXELS[:40], PIXELS[40:45], PIXELS[45:], {"file": "hash"})


class Shifted(NamedTuple):
    mean: Tensor

    def log_prob(self, z):
        return standard_gaussian_log_prob(z - self.mean)

    def sample(self, noise, generator):
        return self.mean + noise


class ShiftedPrior(Prior):
    """N(mean, I), its mean trained."""

    unit_parameters = ("prior.mean",)

    def parameter_shapes(self, units):
        return {"prior.mean": (units,)}

    def initialize(self, units, random, train):
        return {"prior.mean": torch.from_numpy(random.normal(0, 0.1, units).astype(np.float32))}

    def density(self, parameters, posterior):
        return Shifted(parameters["prior.mean"])


def half(log_w):
    """Half the way from the VAE's bound to the IWAE's."""
    return (elbo(log_w) + importance_bound(log_w)) / 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study of models with both toys, which the real verbs trained, measured and tabulated."""
    toy = ModuleType("toy")
    toy.half, toy.ShiftedPrior = half, ShiftedPrior
    results, states = tmp_path_factory.mktemp("toys") / "toys", tmp_path_factory.mktemp("states")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "toy", toy)
        patch.setitem(registry.PRIORS, "shift", registry.PriorEntry("shifted", "toy:ShiftedPrior", False, (1, 2)))
        entry = registry.ObjectiveEntry("Half", "toy:half", "C2", "^", (1, 1), vae_at_one=True)
        patch.setitem(registry.OBJECTIVES, "half", entry)
        for module in (splits, run):
            patch.setattr(module, "load", lambda *_: IMAGES)
        patch.setattr(devices, "can_compile", lambda device=None: False)
        patch.setattr(run, "can_compile", lambda device=None: False)
        common, where = ["--device", "cpu"], ["--results", str(results)]
        steps = [["train", "--models", *MODELS, *where, "--checkpoints", str(states), "--stages", "1", *common]]
        quick = ["--likelihood-samples", "20", "--activity-samples", "2", "--chopped-samples", "20"]
        quick += ["--surgery-sizes", "20", "--sections", "likelihood", "activity", "chopped", "surgery", "pictures"]
        steps += [["measure", "--model", str(results / name), *quick, *common] for name in MODELS]
        steps += [["collect", *where, "--models", *MODELS], ["table", "table1", *where]]
        for step in steps:
            assert main(step) == 0, step
        yield results


def test_what_is_trained_is_the_objective_s_bound(study):
    """The learning curve ends with the bound of the stored model, on the same draws."""
    model = store.load(study / MODELS[0])
    x = torch.from_numpy(binarize(IMAGES.validation, 0)).float()
    generator = torch.Generator().manual_seed(model.spec.random_seed(0, "validation"))
    log_w = log_weights(model.architecture, model.parameters, x, [torch.randn(2, len(x), 50, generator=generator)])
    (row,) = pd.read_csv(study / MODELS[0] / "training.csv").itertuples()
    assert row.validation_bound == pytest.approx(half(log_w).mean().item(), rel=1e-5)
    assert abs(row.validation_bound - importance_bound(log_w).mean().item()) > 0.1


def test_what_is_no_bound_for_each_image_is_refused(monkeypatch, tmp_path):
    where, toy = run.Paths(tmp_path, tmp_path, tmp_path), ModuleType("toy")
    toy.loss, toy.fixed = lambda log_w: -half(log_w), lambda log_w: half(log_w.detach())
    monkeypatch.setitem(sys.modules, "toy", toy)
    for bound, said in (
        ("torch:mean", r"objective toy gives \(\) for log weights \(2, 3\): it must be \(3,\)"),
        ("toy:loss", "objective toy does not rise with the log weights: it must be a bound"),
        ("toy:fixed", "objective toy does not rise with the log weights: it must be a bound"),
        ("iwae.bounds:nothing", "iwae.bounds:nothing is not there"),
    ):
        entry = registry.ObjectiveEntry("Toy", bound, "C2", "^", (1, 1), vae_at_one=False)
        monkeypatch.setitem(registry.OBJECTIVES, "toy", entry)
        with pytest.raises(InputError, match=said):
            run.train([ModelSpec("mnist", 1, "toy", 2, 0)], where, TrainingSettings(), "cpu")
    monkeypatch.setitem(registry.OBJECTIVES, "two-words", entry)
    with pytest.raises(InputError, match="objective 'two-words' is impossible"):
        ModelSpec("mnist", 1, "two-words", 2, 0)


@pytest.mark.parametrize("name", MODELS[1:])
def test_the_prior_s_parameters_are_trained_and_stored(study, name):
    model = store.load(study / name)
    start = ShiftedPrior().initialize(50, np.random.default_rng((123, 1)), None)["prior.mean"]
    assert model.parameters["prior.mean"].shape == start.shape
    assert not torch.equal(model.parameters["prior.mean"], start)


@pytest.mark.parametrize("name", MODELS)
def test_every_section_was_measured_with_them(study, name):
    manifest = json.loads((study / name / "manifest.json").read_text())
    assert {"training", "likelihood", "activity", "chopped", "surgery", "pictures"} < set(manifest)
    surgery = pd.read_csv(study / name / "surgery.csv").set_index(["images", "term"]).value
    assert abs(surgery[40, "residual"]) < 1e-9


def test_the_table_has_the_objective_s_column(study):
    table = pd.read_csv(study / "table1.csv")
    assert set(table.objective) == {"half"}
    assert "Half: nll" in (study / "table1.md").read_text()
