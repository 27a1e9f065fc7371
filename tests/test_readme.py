"""The code in README and docs does what it says, their commands and links exist."""

import ast
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from iwae.bounds import importance_bound
from iwae.models import store
from iwae.models.model import log_weights

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(), re.DOTALL)


FOLDER = "results/efficient/mnist/l1-iwae-k50/seed0"  # that of both blocks
SPREAD = 2.0  # nats: a few weights decide L_5000 of this image


def run(block, monkeypatch, capsys):
    """Run a block in the repository: its names, and how far the number that it prints is from the stored one."""
    monkeypatch.chdir(ROOT)
    names = {}
    exec(block, names)
    printed = float(re.search(r"-\d+\.\d+", capsys.readouterr().out)[0])
    return names, abs(printed - np.load(f"{FOLDER}/likelihood.npz")["test"][0])


def test_the_lines_for_images_of_one_s_own_train_and_measure(capsys):
    names = {}
    exec(BLOCKS[0], names)
    lines = [line.rsplit(" ", 1) for line in capsys.readouterr().out.splitlines()]
    first, *_, last = (float(value) for name, value in lines if name == "bound")
    found = dict(lines)
    assert last > first + 20 and float(found["L_100"]) > first and 0 < int(found["active units"]) <= 50
    assert names["samples"].shape == (16, 784)


def test_the_lines_for_a_module_of_one_s_own_print_three_estimates_of_one_gradient(capsys):
    names = {}
    exec(BLOCKS[1], names)
    printed = (line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    found = {estimator: ast.literal_eval(norms) for estimator, norms in printed}
    decoder = {"decoder.weight", "decoder.bias"}
    assert len({tuple(norms[name] for name in decoder) for norms in found.values()}) == 1
    assert found["standard"].keys() > decoder and len({norms["encoder.bias"] for norms in found.values()}) == 3
    net = names["net"]
    z = net.draw()
    bound = importance_bound(net.log_joint(z) - net.log_posterior(z)).sum()
    expected = torch.autograd.grad(bound, list(net.parameters()))
    norms = {name: value.norm().item() for (name, _), value in zip(net.named_parameters(), expected, strict=True)}
    assert found["standard"] == pytest.approx(norms, rel=1e-4)


def test_the_lines_for_a_trained_model_measure_its_stored_likelihood(mnist, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names = {}
    exec(BLOCKS[2], names)
    stored = np.load(names["s"].folder / "likelihood.npz")["test"][:20]
    assert np.abs(names["found"].log_likelihood.mean() - stored.mean()) < 0.5


def test_the_library_s_lines_find_the_likelihood_that_is_stored(monkeypatch, capsys):
    names, difference = run(BLOCKS[3], monkeypatch, capsys)
    assert names["folder"] == FOLDER and difference < SPREAD


def test_numpy_s_lines_are_the_library_s_log_weights(monkeypatch, capsys):
    names, difference = run(BLOCKS[4], monkeypatch, capsys)
    assert names["folder"] == FOLDER and difference < SPREAD
    model, x, noise = store.load(Path(FOLDER)), torch.from_numpy(names["x"])[None], torch.from_numpy(names["eps"])
    expected = log_weights(model.architecture, model.parameters, x, [noise[:, None]])[:, 0]
    np.testing.assert_allclose(names["log_w"], expected.numpy(), rtol=1e-4)


def test_the_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_a_study_that_is_not_there_is_told_before_anything_is_installed():
    command = ["make", "-n", "--no-print-directory", "study", "STUDY=nosuch"]  # as `make test` runs these tests
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no config/nosuch.yaml: STUDY is one of paper efficient" in done.stderr


@pytest.mark.parametrize(("target", "overlay"), [("quick", " --configfile config/quick.yaml"), ("paper", "")])
def test_quick_and_paper_are_their_own_study_whatever_is_named(target, overlay):
    done = subprocess.run(["make", "-n", target, "STUDY=priors", "CORES=2"], cwd=ROOT, capture_output=True, text=True)
    runs = [line.split("gpu=1")[1].rstrip() for line in done.stdout.splitlines() if "snakemake --cores" in line]
    assert [run.removeprefix(" --logger iwae") for run in runs] == [overlay]


def anchors(text):
    """What a link can name behind #, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_it_links_to_exists(document):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", document.read_text()) if "://" not in link]
    for path, _, anchor in (link.partition("#") for link in links):
        target = document.parent / path if path else document
        assert target.exists(), path
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), anchor
