"""A small finished study to be damaged and the problems that its audit finds."""

import shutil

import pytest

from iwae.data import mnist
from iwae.reporting.audit import audit
from iwae.reporting.figures import figures_of, write_figure
from iwae.reporting.study import StudyResults
from iwae.reporting.summary import write_summary
from iwae.reporting.tables import tables_of, write_table
from iwae.reporting.verify import integrity, rebuild, seal
from iwae.study import manifest


@pytest.fixture(scope="session")
def sealed(tmp_path_factory, synthetic):
    """A small study with all that a finished one has, below a folder ``results`` beside ``figures``."""
    root = tmp_path_factory.mktemp("audited")
    models = synthetic.grid(layers=(1,), objectives=("vae",))
    results, figures = synthetic.study(root / "results/small", models), root / "figures/small"

    def name_data(content):
        for section in content.keys() & set(manifest.SECTIONS):
            content[section]["provenance"] |= {"data_sha256": mnist.SHA256}

    for spec in models:
        synthetic.edit(results / spec.name / manifest.NAME, name_data)
    study = StudyResults.open(results)
    for name in tables_of(study):
        write_table(name, StudyResults.open(results))
    for name in figures_of(study):
        write_figure(name, StudyResults.open(results), figures)
    write_summary(StudyResults.open(results), figures)
    return root


@pytest.fixture
def study(sealed, tmp_path):
    """A copy of it, to be damaged: the study's folder and that of its figures."""
    shutil.copytree(sealed, tmp_path / "copy")
    return tmp_path / "copy/results/small", tmp_path / "copy/figures/small"


class Problems(list):
    """The problems that an audit found."""

    def naming(self, *words):
        """Those in which all the words stand."""
        return [problem for problem in self if all(str(word) in problem for word in words)]


@pytest.fixture
def problems(study):
    """A function that looks at one part of the copy as it stands, or audits all of it where no part is named."""
    results, figures = study

    def find(part=""):
        if not part:
            return Problems(audit(results, figures))
        parts = {
            "seal": lambda: seal.check(results),
            "models": lambda: integrity.model_problems(results, integrity.configured(results)),
            "numbers": lambda: rebuild.problems(results, figures, integrity.configured(results)),
        }
        return Problems(parts[part]())

    return find
