"""Figures as files: the same bytes again and from anywhere, mixed schedules, and what is refused."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from iwae.errors import InputError
from iwae.reporting import figures
from iwae.reporting.collect import write_results
from iwae.reporting.contents import FIGURES
from iwae.reporting.figures import style, write_figure
from iwae.reporting.study import StudyResults
from iwae.study.specification import ModelSpec

OWN = ("capacity", "protocols", "schedules", "posterior", "implicit")  # figures of models that are not of the grid
QUICK = ("nll", "gradients", "samples")  # by seaborn, by matplotlib, of images
PRIORS = ("prior_samples", "pseudo_inputs", "plane")  # of models with priors and a plane
IMAGES = ("samples", "reconstructions", "picked", "weights", "posterior", "implicit", *PRIORS)  # without numbers


@pytest.fixture(scope="module")
def planes(synthetic, tmp_path_factory):
    names = [f"mnist/l1-vae-k1-{kind}/seed0" for kind in ("z2", "z2-mog9", "z2-vamp9")]
    folder = tmp_path_factory.mktemp("results") / "planes"
    for name in names:
        synthetic.model(folder, ModelSpec.parse(name))
    write_results(folder, names)
    return folder


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in (*QUICK, *PRIORS) else pytest.mark.slow) for name in FIGURES]
)
def test_every_figure_is_written_and_is_the_same_bytes_again(cut, varied, planes, tmp_path, name):
    study = planes if name in PRIORS else varied if name in OWN else cut
    for folder in ("first", "second"):
        write_figure(name, StudyResults.open(study), tmp_path / folder)
    kinds = ("pdf", "png") if name in IMAGES else ("pdf", "png", "csv")
    for suffix in kinds:
        first, second = ((tmp_path / folder / f"{name}.{suffix}").read_bytes() for folder in ("first", "second"))
        assert first == second and len(first) > 500
    assert {path.name for path in (tmp_path / "first").iterdir()} == {f"{name}.{suffix}" for suffix in kinds}


def test_figures_of_priors_have_a_panel_for_each(planes):
    panels = {name: list(figures.plotted(name, StudyResults.open(planes))) for name in PRIORS}
    priors, model = ("N(0, I)", "MoG 9", "VampPrior 9"), "VAE k=1, 2 units"
    assert panels == {
        "prior_samples": [(model, prior) for prior in priors],
        "pseudo_inputs": [f"{model}, VampPrior 9"],
        "plane": [f"{model}, {prior}" for prior in priors],
    }


def test_figures_are_the_same_bytes_from_any_directory(cut, tmp_path, monkeypatch):
    write_figure("surgery", StudyResults.open(cut), tmp_path / "here")
    (tmp_path / "matplotlibrc").write_text("font.size: 20\n")
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context(fname="matplotlibrc"):  # as if matplotlib had been imported here
        write_figure("surgery", StudyResults.open(cut), tmp_path / "there")
        assert mpl.rcParams["font.size"] == 20
    for suffix in ("pdf", "png"):
        first, second = ((tmp_path / folder / f"surgery.{suffix}").read_bytes() for folder in ("here", "there"))
        assert first == second


def test_a_package_without_its_repository_says_which_style_it_takes(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(style, "STYLE", tmp_path / "matplotlibrc")
    with style.project_style():
        pass
    (record,) = caplog.records
    assert mpl.matplotlib_fname() in record.getMessage() and "set MATPLOTLIBRC" in record.getMessage()


def test_a_cut_schedule_is_said_above_every_figure(cut, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(figures, "remark", lambda figure, lines: said.append(lines))
    write_figure("weights", StudyResults.open(cut), tmp_path)
    assert said == [["Schedule: cut after 2 of 8 stages (4 of 3280 passes)."]]
    assert plt.get_fignums() == []  # seaborn makes figures with pyplot, which must not keep them


def test_a_missing_file_is_refused_and_nothing_is_written(tmp_path, synthetic):
    study = synthetic.study(tmp_path / "study", [ModelSpec("mnist", 1, "vae", 1, 0)], stages=2)
    path = study / "mnist/l1-vae-k1/seed0/pictures.npz"
    path.unlink()
    with pytest.raises(InputError, match=f"{path} is missing"):
        write_figure("samples", StudyResults.open(study), tmp_path / "figures")
    assert not (tmp_path / "figures").exists()
