"""Models measured afresh: small random ones pass, and whatever was changed in their results is named."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from iwae.bounds import elbo
from iwae.data import splits
from iwae.data.binarization import binarize
from iwae.errors import InputError
from iwae.evaluation import run
from iwae.evaluation.activity import PosteriorMeans, unbiased_variance
from iwae.files import write_json, write_rows
from iwae.models import store
from iwae.models.architecture import PIXELS, Architecture
from iwae.models.initialization import initialize
from iwae.models.model import log_weights
from iwae.reporting.audit import Recomputation, audit
from iwae.reporting.verify.recompute import activity_error, differing_images, differing_terms, recompute
from iwae.study import manifest
from iwae.study.measurements import ActivitySettings, LikelihoodSettings, SurgerySettings
from iwae.study.protocol import Protocol
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

SPECS = (ModelSpec("mnist", 1, "vae", 1, 0), ModelSpec("mnist", 2, "vae", 1, 0))
SETTINGS = {
    "likelihood": LikelihoodSettings(samples=200, test_images=30, train_images=10),
    "activity": ActivitySettings(samples=20, authors_images=20),
    "surgery": SurgerySettings(samples=50, sizes=()),
}
NAMES = [spec.name for spec in SPECS]


@pytest.fixture
def images(monkeypatch):
    pixels = np.random.default_rng(2).integers(0, 256, (100, PIXELS), dtype=np.uint8)
    found = splits.Images(pixels[:60], pixels[:0], pixels[60:], {"file": "hash"})
    monkeypatch.setattr(splits, "load", lambda dataset, data, held_out, train_images=None: found)
    return found


def weights(layers, seed):
    """Random parameters of a model whose importance weights are of about one size."""
    grey = np.random.default_rng(seed).integers(0, 256, (2, PIXELS), dtype=np.uint8)
    parameters = initialize(Architecture.paper(layers), Protocol(initialization="independent"), seed, grey)
    for name in parameters.keys() & {"px.logits.weight", *(f"{net}.scale.weight" for net in ("q1", "q2", "p1"))}:
        parameters[name] *= 0.02
    for name in parameters.keys() & {f"{net}.mean.weight" for net in ("q1", "q2", "p1")}:
        parameters[name] *= 0.3
    return {name: value.contiguous() for name, value in parameters.items()}


@pytest.fixture
def study(tmp_path, images, synthetic, device):
    """A study of a model with one layer and one with two, random and measured."""
    results = tmp_path / "results/tiny"
    protocol = Protocol(initialization="independent")
    for spec in SPECS:
        folder = results / spec.name
        folder.mkdir(parents=True)
        save_file(weights(spec.layers, 0), folder / manifest.WEIGHTS)
        settings = TrainingSettings(protocol).for_model(spec).as_dict()
        manifest.record(folder, spec, "training", settings, [manifest.WEIGHTS], {})
        for section, asked in SETTINGS.items():
            run.measure(folder, tmp_path, {section: asked}, device.type, 1)
    write_json(results / "configuration.json", synthetic.configuration("tiny", list(SPECS)))
    return results


def afresh(study, device, images=20):
    return recompute(study, Recomputation(images, study, device.type, 1))


def test_what_was_measured_is_measured_again(study, device):
    found = afresh(study, device)
    assert found.problems == ()
    assert "20 test images" in found.compared and "2 models" in found.compared


def test_models_that_are_still_to_be_run_are_left_out(study, device):
    shutil.rmtree(study / NAMES[1])
    found = recompute(study, Recomputation(20, study, device.type, 1), missing=[SPECS[1]])
    assert found.problems == () and "of the 1 of 1 models" in found.compared
    lost = afresh(study, device).problems  # where nobody says that it is still to be run
    assert len(lost) == 1 and f"{NAMES[1]} cannot be measured afresh" in lost[0]


def test_an_audit_tells_of_it(study, device):
    audit(study, study.parent / "figures", Recomputation(20, study, device.type, 1))
    titles = [part["title"] for part in json.loads((study / "audit.json").read_text())["inspections"]]
    assert titles[-1] == "Measured afresh" and "20 test images" in (study / "audit.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_other_weights_give_other_numbers(study, device, name):
    folder = study / name
    save_file(weights(1 if "l1" in name else 2, 7), folder / manifest.WEIGHTS)
    content = manifest.read(folder)
    manifest.record(
        folder, ModelSpec(**content["model"]), "training", content["training"]["settings"], [manifest.WEIGHTS], {}
    )
    problems = afresh(study, device).problems
    for file in ("likelihood.npz", "activity.csv"):
        assert any(f"{name}/{file}" in problem for problem in problems)
    assert not any(problem.startswith(str(study / other)) for problem in problems for other in NAMES if other != name)


def test_one_changed_image_is_named(study, synthetic, device):
    def edit(arrays):
        arrays["test"][3] += 60.0

    synthetic.rewrite(study / NAMES[0] / "likelihood.npz", edit)
    problems = afresh(study, device, images=30).problems
    assert any("test image 3 has" in problem or "test image 4 has" in problem for problem in problems)
    assert any("from the same draws" in problem for problem in problems)


def test_a_shift_of_all_images_is_found_by_their_mean(study, synthetic, device):
    def edit(arrays):
        arrays["test"] += 3.0

    synthetic.rewrite(study / NAMES[1] / "likelihood.npz", edit)
    problems = afresh(study, device).problems
    assert any("the mean over 20 test images measured afresh differs by -3" in problem for problem in problems)


@pytest.mark.parametrize(("name", "layer"), [(NAMES[0], 1), (NAMES[1], 1), (NAMES[1], 2)])
def test_a_changed_activity_is_named(study, synthetic, device, name, layer):
    def edit(table):
        unit = table[table.layer == layer].index[7]
        table.loc[unit, "activity"] = 2 * table.loc[unit, "activity"] + 0.1

    synthetic.rewrite(study / name / "activity.csv", edit)
    problems = afresh(study, device).problems
    assert [f"unit 7 of layer {layer}" in problem for problem in problems] == [True]


def test_a_term_that_few_draws_carry_is_not_called_another(tmp_path):
    """Of 2000 draws one in twenty carries the term; among 50 others may be none, which then show no error."""
    draws = np.where(np.arange(2000) % 20 == 0, 4.0, 0.0)

    def terms(values):
        se = values.std(ddof=1) / len(values) ** 0.5
        return pd.DataFrame([{"images": 60, "term": "index_gap", "value": values.mean(), "se": se}])

    def problems(shift):
        return list(differing_terms(tmp_path, terms(draws + shift), terms(np.zeros(50)), times=2000 / 50))

    assert problems(shift=0.0) == []
    assert len(problems(shift=1.0)) == 1


def test_a_changed_term_of_the_surgery_is_named(study, synthetic, device):
    def edit(table):
        table.loc[table.term == "marginal_kl", "value"] += 20.0

    synthetic.rewrite(study / NAMES[0] / "surgery.csv", edit)
    assert [f"{NAMES[0]}/surgery.csv: marginal_kl" in one for one in afresh(study, device).problems] == [True]


def test_a_damaged_folder_is_named_and_the_others_are_measured(study, device):
    (study / NAMES[0] / manifest.WEIGHTS).write_bytes(b"damaged")
    (problem,) = afresh(study, device).problems
    assert f"{NAMES[0]} cannot be measured afresh" in problem and manifest.WEIGHTS in problem


def test_results_of_another_device_are_not_compared_draw_by_draw(study, synthetic, device):
    folder = study / NAMES[0]
    synthetic.edit(folder / manifest.NAME, lambda found: found["likelihood"]["provenance"].update(device="tpu: none"))

    def edit(arrays):
        arrays["test"] += 0.01  # within the error of other draws, not of the same

    synthetic.rewrite(folder / "likelihood.npz", edit)
    assert afresh(study, device).problems == ()


def test_what_is_no_fault_of_the_study_is_refused(study, monkeypatch):
    def missing(*arguments, **options):
        raise InputError("data/mnist is missing: fetch the data first.")

    monkeypatch.setattr(splits, "load", missing)
    with pytest.raises(InputError, match="fetch the data first"):
        recompute(study, Recomputation(20, study, "cpu", 1))
    with pytest.raises(InputError, match="images = 1 is impossible"):
        Recomputation(1, study)


def test_a_lost_configuration_leaves_nothing_to_measure(study, device):
    (study / "configuration.json").unlink()
    assert afresh(study, device).compared.startswith("nothing")


def test_images_are_compared_within_the_spread_of_their_weights():
    n, ess = 400, 50.0
    generator = np.random.default_rng(0)
    stored = {"test": np.full(n, -90.0), "test_images": np.arange(n), "test_ess": np.full(n, ess)}
    fresh = stored["test"] + generator.normal(0, (2 / ess) ** 0.5, n)
    assert list(differing_images("f", stored, fresh, np.full(n, ess))) == []
    assert "differs by" in next(differing_images("f", stored, fresh + 0.06, np.full(n, ess)))  # six errors of the mean
    fresh[9] += 3.0
    assert "test image 9" in next(differing_images("f", stored, fresh, np.full(n, ess)))
    fresh[9] = np.nan
    assert len(list(differing_images("f", stored, fresh, np.full(n, ess)))) == 2


def test_the_error_of_an_activity_is_its_spread_over_draws():
    n, samples, draws = 300, 10, 400
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(n, 2, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 0.0])
    found, errors = [], []
    for _ in range(draws):
        noise = torch.randn(samples, n, 2, generator=generator, dtype=torch.float64)
        means = PosteriorMeans((centres + noise).mean(0), noise.var(0))
        found.append(unbiased_variance(means, samples).numpy())
        errors.append(activity_error(means, samples))
    np.testing.assert_allclose(np.mean(errors, 0), np.std(found, axis=0), rtol=0.2)


def test_the_last_bound_on_held_out_images_follows_from_the_weights_and_the_models_name(study, images, device):
    object.__setattr__(images, "validation", images.test)
    spec, settings = SPECS[1], TrainingSettings(Protocol(initialization="independent"))
    model, x = store.load(study / spec.name, device), torch.from_numpy(binarize(images.test, 0)).float().to(device)
    generator = torch.Generator(device).manual_seed(spec.random_seed(0, "validation"))
    noise = torch.randn(1, len(x), 150, generator=generator, device=device).split((100, 50), -1)
    bound = elbo(log_weights(model.architecture, model.parameters, x, noise)).double().mean().item()
    for shift, expected in ((0.0, 0), (0.01, 1)):
        for each in SPECS:
            write_rows(study / each.name / "training.csv", [{"validation_bound": bound + shift}])
            files, provenance = [manifest.WEIGHTS, "training.csv"], {"device": f"{device.type}: this one"}
            asked = settings.for_model(each).as_dict()
            manifest.record(study / each.name, each, "training", asked, files, provenance)
        found = [line for line in afresh(study, device).problems if "held-out images" in line and spec.name in line]
        assert len(found) == expected
