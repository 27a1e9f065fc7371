"""Every kind of model, really trained and measured, in one process: all tables and figures are made of such a study."""

import pytest
import torch

from iwae.evaluation.run import measure
from iwae.reporting import contents
from iwae.reporting.audit import audit
from iwae.reporting.interim import write_interim
from iwae.training.run import Paths, train

# As few models as have every table and figure.
OVERLAY = {
    "grid": {"layers": [2], "objectives": ["iwae"], "k": [2]},
    "experiments": {
        "warm_starts": {"run": True, "models": ["iwae-k2-from-vae-k1"], "seeds": [0]},
        "two_latents": {"run": True, "models": ["vae-k1"]},
        "capacity": {"run": True, "models": ["vae-k1"], "seeds": [0], "latents": [5]},
        "other_datasets": {"run": True, "datasets": ["mnist-static"], "models": ["vae-k1"]},
        "protocols": {"run": True, "models": ["vae-k1"], "variants": ["paper-text"]},
        "estimators": {"run": True, "models": ["iwae-k2"], "seeds": [0], "estimators": ["dreg"]},
        "priors": {"run": True, "models": ["vae-k1-z2"], "seeds": [0], "priors": ["vamp2"]},
    },
}


@pytest.fixture
def uncompiled():
    with torch.compiler.set_stance("force_eager"):
        yield


def test_every_table_and_figure_is_made_and_the_audit_finds_no_fault(tiny_study, tiny, mnist, tmp_path, uncompiled):
    study, results, figures = tiny_study(**OVERLAY), tmp_path / "results/tiny", tmp_path / "figures/tiny"
    tables, drawings = (function(study.models, study.sections_of) for function in (contents.tables, contents.figures))
    assert set(tables) == set(contents.TABLES) and set(drawings) == set(contents.FIGURES)
    train(study.models, Paths(mnist, results, tmp_path / "states"), study.training, "cpu")
    for model in study.models:
        wanted = {name: study.measurements[name] for name in study.sections_of(model) if name != "training"}
        measure(results / model.name, mnist, wanted, "cpu")
    write_interim(results, figures, tiny(**OVERLAY))
    for name, item in drawings.items():
        for kind in item.kinds:
            assert (figures / f"{name}.{kind}").stat().st_size > 0
    for name in tables:
        for kind in ("csv", "md", "html", "tex"):
            assert (results / f"{name}.{kind}").stat().st_size > 0
    assert (results / "SHA256SUMS").is_file() and audit(results, figures) == []
