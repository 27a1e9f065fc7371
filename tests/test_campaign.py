"""The short form of the campaign of faults: a kill of each kind, and some faults of each other kind."""

import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

campaign = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("campaign.py"))))
pytestmark = pytest.mark.slow
root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root's rights")


@pytest.fixture(scope="module")
def study(mnist, tmp_path_factory):
    """The study, trained and measured, that nothing is done to."""
    return campaign.undisturbed(tmp_path_factory.mktemp("campaign") / "undisturbed", mnist, "evaluate")


def test_kills(study):
    outcome = campaign.kills(study, 2, ("train", "snakemake", "measure", "all at once"))
    assert outcome.tried >= 2 and not outcome.lost


def test_two_commands_at_once(study):
    outcome = campaign.pairs(study, [("train", "train"), ("snakemake", "measure")])
    assert outcome.tried == 2 and not outcome.lost


@root
def test_a_full_disk(study):
    outcome = campaign.full(study, [6])
    assert outcome.tried == 1 and not outcome.lost


@root
def test_results_that_cannot_be_written(study):
    outcome = campaign.frozen(study)
    assert outcome.tried >= 4 and not outcome.lost


def test_the_clock_set_back(study):
    outcome = campaign.clock(study)
    assert outcome.tried == 1 and not outcome.lost
