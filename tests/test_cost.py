"""The estimate of what training costs on a CPU."""

from pathlib import Path

import pytest
import yaml

from iwae.study.configuration import read_study
from iwae.study.cost import core_hours
from iwae.study.specification import ModelSpec

PAPER = Path(__file__).resolve().parents[1] / "config.yaml"


@pytest.mark.parametrize(
    ("kind", "hours"),
    [  # as benchmarks/results/cpu.md has them; a continued model has the last of the schedule's stages once more
        *(("l1-vae-k1", 2.74), ("l1-vae-k5", 5.89), ("l1-vae-k50", 46.2)),
        *(("l2-vae-k1", 3.63), ("l2-vae-k5", 8.68), ("l2-vae-k50", 67.2)),
        ("l1-vae-k1-from-iwae-k50", 2.74 * 2187 / 3280),
    ],
)
def test_the_cost_is_what_the_benchmark_measured(kind, hours):
    study = read_study(yaml.safe_load(PAPER.read_text()))
    assert core_hours(study, [ModelSpec.parse(f"mnist/{kind}/seed0")]) == pytest.approx(hours, rel=0.15)
