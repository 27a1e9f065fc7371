"""What is finished and what is not, told from the manifests in a study's folder."""

import json
import os

import pytest
import torch

from iwae.errors import InputError
from iwae.files import write_text
from iwae.reporting.results import write_configuration
from iwae.study import manifest
from iwae.study.status import FILES, StudyStatus, study_status
from iwae.training import state as states
from iwae.training.state import ModelState


def unfinished(status):
    """How many models lack each section."""
    return {section: len(models) for section, models in status.unfinished.items() if models}


@pytest.fixture
def finished(tiny_study, finish, tmp_path):
    """The study, finished in the folder."""
    finish(tiny_study(), tmp_path)
    return tiny_study()


def test_nothing_is_finished_in_an_empty_folder(tiny_study, tmp_path):
    status = study_status(tiny_study(), tmp_path, tmp_path / "states")
    assert unfinished(status) == dict.fromkeys(manifest.SECTIONS, 6)
    assert status.outdated == {}
    every = ", ".join(tiny_study().sections)
    assert status.missing().startswith(f"{every} of 6 models (mnist/l1-iwae-k2/seed0, ")


def test_everything_is_finished_in_a_finished_study(finished, tmp_path):
    status = study_status(finished, tmp_path, tmp_path / "states")
    assert unfinished(status) == status.outdated == {}
    assert status.missing() == ""


def test_jobs_on_other_machines_get_the_same_status(tiny_study, finish, tmp_path):
    finish(tiny_study(), tmp_path, models=tiny_study().models[:4])
    (tmp_path / tiny_study().models[0].name / "likelihood.npz").unlink()
    status = study_status(tiny_study(), tmp_path, tmp_path / "states")
    status.stripped.append(tiny_study().models[0])
    assert status.outdated and status.unfinished
    assert StudyStatus.of_dict(json.loads(json.dumps(status.as_dict()))) == status


def test_a_lost_file_of_each_measurement_is_measured_again(finished, tmp_path):
    for section in manifest.SECTIONS[1:]:
        (tmp_path / finished.models[0].name / FILES[section][-1]).unlink()
    expected = dict.fromkeys(manifest.SECTIONS[1:], 1)
    assert unfinished(study_status(finished, tmp_path, tmp_path / "states")) == expected


def test_what_was_measured_otherwise_is_refused_until_it_is_deleted(tiny_study, finished, tmp_path):
    other = tiny_study(likelihood={"samples": 20})
    with pytest.raises(InputError, match=r"likelihood measured otherwise \(samples is 10, asked is 20\)") as refusal:
        study_status(other, tmp_path, tmp_path / "states")
    assert "3 more folders" in str(refusal.value)
    for model in other.models:
        (tmp_path / model.name / "likelihood.npz").unlink()
    status = study_status(other, tmp_path, tmp_path / "states")
    assert unfinished(status) == {"likelihood": 6}
    assert len(set(status.outdated.values())) == 6


def test_more_stages_continue_the_training_and_repeat_the_measurements(finished, tiny_study, finish, tmp_path):
    longer = tiny_study(training={"stages": 2})
    for model in longer.models:
        write_text(tmp_path / "states" / f"{model.name}.safetensors", "state")
    status = study_status(longer, tmp_path, tmp_path / "states")
    assert unfinished(status) == dict.fromkeys(manifest.SECTIONS, 6)
    assert {section for _, section in status.outdated} == {"training"}
    finish(longer, tmp_path, ["training"])  # killed before anything was measured; the weights are others
    for model in longer.models:
        folder = tmp_path / model.name
        (folder / manifest.WEIGHTS).write_text("longer")
        manifest.record(folder, model, "training", longer.settings("training", model), FILES["training"], {})
    status = study_status(longer, tmp_path, tmp_path / "states")
    assert unfinished(status) == dict.fromkeys(manifest.SECTIONS[1:], 6)
    assert len(status.outdated) == len(manifest.SECTIONS[1:]) * 6


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"batch_size": 10}, "batch_size is 20, asked is 10"),
        ({"train_images": None}, "train_images is 200, asked is None"),
        ({"seed": 7}, "study_seed is 0, asked is 7"),
        ({"overrides": {"adam_beta1": 0.9}}, "protocol.adam_beta1 is 0.99, asked is 0.9"),
        ({"overrides": {"adam_beta1": 0.9}, "stages": 3}, "(protocol.adam_beta1 is 0.99, asked is 0.9)"),
    ],
)
def test_a_model_trained_otherwise_is_refused(tiny_study, finished, tmp_path, change, difference):
    with pytest.raises(InputError, match="choose another `study`, which is another folder, or delete") as refusal:
        study_status(tiny_study(training=change), tmp_path, tmp_path / "states")
    assert difference in str(refusal.value)
    assert "3 more folders" in str(refusal.value)


def test_fewer_stages_are_refused(tiny_study, finish, tmp_path):
    finish(tiny_study(training={"stages": 2}), tmp_path)
    with pytest.raises(InputError, match="stages is 2, asked is 1"):
        study_status(tiny_study(), tmp_path, tmp_path / "states")


def test_a_training_without_its_state_is_not_begun_anew(tiny_study, finished, tmp_path):
    with pytest.raises(InputError, match=r"cannot be extended, since its training state .*states.* is gone"):
        study_status(tiny_study(training={"stages": 2}), tmp_path, tmp_path / "states")


def test_lost_weights_are_not_trained_again_silently(finished, tmp_path):
    (tmp_path / finished.models[0].name / manifest.WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"has lost model\.safetensors of a finished training"):
        study_status(finished, tmp_path, tmp_path / "states")


@pytest.mark.parametrize("sections", [["training"], manifest.SECTIONS])
def test_files_without_a_manifest_are_not_written_over(tiny_study, finish, tmp_path, sections):
    study = tiny_study()
    finish(study, tmp_path, sections)
    (tmp_path / study.models[0].name / manifest.NAME).unlink()
    with pytest.raises(InputError, match=r"has lost its manifest\.json: restore it, or delete the folder"):
        study_status(study, tmp_path, tmp_path / "states")
    for model in study.models:  # with the training states there it is a training that was interrupted
        (tmp_path / model.name / manifest.NAME).unlink(missing_ok=True)
        write_text(tmp_path / "states" / f"{model.name}.safetensors", "state")
    assert len(study_status(study, tmp_path, tmp_path / "states").unfinished["training"]) == 6
    trained = ModelState({}, {}, {}, torch.zeros(1, dtype=torch.uint8), "cpu", weights="of a trained model")
    states.save(tmp_path / "states" / f"{study.models[0].name}.safetensors", "key", trained)  # written after a manifest
    with pytest.raises(InputError, match=r"has lost its manifest\.json: restore it, or delete the folder"):
        study_status(study, tmp_path, tmp_path / "states")


@pytest.mark.parametrize("section", ["training", "likelihood"])
def test_other_bytes_than_the_manifest_describes_are_refused(finished, tmp_path, section):
    path = tmp_path / finished.models[0].name / FILES[section][-1]
    path.write_text(path.read_text().upper())
    remedy = "the folder to train" if section == "training" else "the file to measure"
    with pytest.raises(InputError, match=rf"is not the file .*; restore it, or delete {remedy} the model again\.$"):
        study_status(finished, tmp_path, tmp_path / "states")


def test_a_damaged_manifest_is_named(finished, tmp_path):
    path = tmp_path / finished.models[0].name / manifest.NAME
    whole = json.loads(path.read_text())
    settings_lost = {name: value for name, value in whole["likelihood"].items() if name != "settings"}
    changes = ({"likelihood": settings_lost}, {"surgery": []}, {"model": whole["model"] | {"seed": 5}})
    for damage in ("{", *(json.dumps(whole | change) for change in changes)):
        path.write_text(damage)
        with pytest.raises(InputError, match=r"manifest\.json"):
            study_status(finished, tmp_path, tmp_path / "states")


@pytest.mark.parametrize(
    ("change", "outdated"),
    [
        ({"threads": 2, "job_group": "model", "data": {"path": "elsewhere"}, "training": {"checkpoint_minutes": 1}}, 0),
        ({"experiments": {"capacity": {"latents": [7]}}}, 0),  # which is turned off
        ({"grid": {"k": [1]}}, 1),
        ({"chopped": {"run": False}}, 1),
    ],
)
def test_what_changes_results_outdates_the_collection(tiny, tiny_study, finished, tmp_path, change, outdated):
    write_configuration(tmp_path, tiny())
    write_text(tmp_path / "results.csv", "of all models")
    status = study_status(tiny_study(**change), tmp_path, tmp_path / "states")
    assert list(status.outdated) == [("", "results")] * outdated and unfinished(status) == {}


def test_a_collection_goes_back_and_forth_between_configurations(tiny, tiny_study, finished, tmp_path):
    marks = []
    for time in (1, 2):
        write_configuration(tmp_path, tiny())
        write_text(tmp_path / "results.csv", "the same bytes")
        os.utime(tmp_path / "results.csv", (time, time))
        marks += study_status(tiny_study(chopped={"run": False}), tmp_path, tmp_path / "states").outdated.values()
    assert len(set(marks)) == 2


def test_a_model_without_its_weights_is_finished_but_cannot_be_measured(tiny_study, finished, tmp_path):
    states = tmp_path / "states"
    manifest.strip(tmp_path / finished.models[0].name)
    status = study_status(finished, tmp_path, states)
    assert unfinished(status) == {} and status.stripped == [finished.models[0]]
    with pytest.raises(InputError, match="has lost its weights on purpose, so likelihood cannot be measured as asked"):
        study_status(tiny_study(likelihood={"samples": 20}), tmp_path, states)
    with pytest.raises(InputError, match="was trained for fewer stages and cannot be extended"):
        study_status(tiny_study(training={"stages": 3}), tmp_path, states)
    (tmp_path / finished.models[0].name / "likelihood.npz").unlink()
    with pytest.raises(
        InputError, match=r"has lost likelihood\.npz, and its weights on purpose, .*: restore what is lost"
    ):
        study_status(finished, tmp_path, states)
