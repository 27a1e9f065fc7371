"""Pictures of priors: their shapes, which pseudo-inputs they are, and densities that integrate to 1."""

import numpy as np
import pytest
import torch

from iwae.evaluation import prior_pictures, run
from iwae.study.measurements import PicturesSettings

PICTURES = PicturesSettings(samples=3, reconstructions=2, posterior_images=2, posterior_points=60)


@pytest.fixture
def with_pseudo_inputs(model_named, binary, device):
    """A function from a kind of model to that model, with a VampPrior of four pseudo-inputs."""

    def build(kind="iwae-k5"):
        model = model_named(f"mnist/l1-{kind}-vamp4/seed0")
        model.parameters["prior.inputs"] = 8 * torch.from_numpy(binary(4)).to(device).float() - 4
        return model

    return build


def test_images_of_a_pseudo_input_come_from_its_posterior(with_pseudo_inputs, binary, device):
    model = with_pseudo_inputs()
    drawn = prior_pictures.of_pseudo_inputs(model, PICTURES, device)
    assert drawn.inputs.shape == (2, 784) and drawn.samples.shape == (2, 9, 784)
    np.testing.assert_array_equal(drawn.inputs > 127, binary(4)[:2] > 0)
    model.parameters["q1.scale.bias"] -= 20  # posteriors without a spread give one image each
    drawn = prior_pictures.of_pseudo_inputs(model, PICTURES, device)
    assert all(len(np.unique(images, axis=0)) == 1 for images in drawn.samples)
    assert (drawn.samples[0] != drawn.samples[1]).any()


def test_densities_of_the_plane_integrate_to_one(with_pseudo_inputs, binary, device):
    model = with_pseudo_inputs("iwae-k5-z2")
    plane = prior_pictures.of_plane(model, binary(20), 200, device)
    for surface in (plane.log_prior, plane.log_aggregate):
        assert surface.shape == (200, 200)
        assert np.exp(surface).sum() * (plane.axis[1] - plane.axis[0]) ** 2 == pytest.approx(1, abs=0.05)
    assert plane.log_prior.argmax() != plane.log_aggregate.argmax()


def test_pictures_of_a_model_hold_what_there_is_to_see(tmp_path, with_pseudo_inputs, record_model, images, device):
    model = with_pseudo_inputs("iwae-k5-z2")
    record_model(tmp_path, model)
    run.measure(tmp_path, tmp_path / "data", {"pictures": PICTURES}, device.type, 1)
    arrays = np.load(tmp_path / "pictures.npz")
    assert {"pseudo_inputs", "pseudo_samples", "plane_axis", "plane_log_prior", "plane_log_aggregate"} < set(arrays)
