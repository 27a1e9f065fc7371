"""The schedule against the paper's numbers, and its blocks as a partition of the updates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.study.protocol import PRESETS
from iwae.study.settings import TrainingSettings
from iwae.training.schedule import Schedule, stage_rate

MNIST, OMNIGLOT = 59_600, 23_000
COSINE = PRESETS["efficient"]


def stages(count, images=MNIST, warm_start=False):
    return Schedule.of(TrainingSettings(stages=count), images, warm_start)


def cosine(passes, steps=50, warm_start=False, **fields):
    return Schedule.of(TrainingSettings(COSINE.with_overrides(fields), passes=passes), 20 * steps, warm_start)


def test_the_paper_has_3280_passes_and_9774400_updates():
    assert sum(stages(8).passes) == 3280
    assert stages(8).updates == 9_774_400
    assert stages(8, OMNIGLOT).updates == 3_772_000


def test_rates_fall_from_1e_3_to_1e_4():
    rounded = [stage_rate(PRESETS["authors-code"], stage) for stage in range(8)]
    assert rounded == [1e-3, 7.2e-4, 5.2e-4, 3.7e-4, 2.7e-4, 1.9e-4, 1.4e-4, 1e-4]
    exact = [stage_rate(PRESETS["paper-text"], stage) for stage in range(8)]
    assert exact[0] == 1e-3
    assert exact[7] == pytest.approx(1e-4, rel=1e-12)
    assert exact[3] == pytest.approx(exact[2] * 10 ** (-1 / 7), rel=1e-12)


@pytest.mark.parametrize("stage", range(4))
def test_a_stage_has_3_to_the_i_passes_at_one_rate(stage):
    schedule = stages(4, images=7 * 20)
    positions = [u for u in range(schedule.updates) if schedule.stage_of(u) == stage]
    assert len(positions) == 3**stage * 7
    assert positions[0] == schedule.stage_start(positions[-1])
    assert schedule.ends_stage(positions[-1] + 1)
    assert not schedule.ends_stage(positions[-1])
    assert set(schedule.learning_rates(positions[0], 7)) == {stage_rate(PRESETS["authors-code"], stage)}


def test_a_continued_training_is_the_last_stage_once_more():
    # Table 2: 3^7 passes over 59,600 images at 1e-4.
    schedule = stages(8, warm_start=True)
    assert schedule.updates == 6_517_260
    assert {schedule.stage_of(updates) for updates in (0, 1, schedule.updates - 1)} == {7}
    assert schedule.stage_start(schedule.updates - 1) == 0
    assert schedule.ends_stage(schedule.updates)
    assert not schedule.ends_stage(schedule.updates - 2980)


def test_a_cosine_is_one_stage_from_its_peak_to_its_end():
    schedule = cosine(12, peak_rate=2e-3, end_rate=1e-5)
    rates = schedule.learning_rates(0, schedule.updates)
    assert rates[0] == 2e-3
    assert rates[-1] == pytest.approx(1e-5, rel=1e-2)
    assert rates[300] == pytest.approx((2e-3 + 1e-5) / 2)  # half-way through 600 updates
    assert (rates[1:] < rates[:-1]).all()
    assert [schedule.ends_stage(u) for u in (50, 550, 600)] == [False, False, True]


def test_a_cosine_s_blocks_have_the_rates_of_the_whole():
    schedule = cosine(3)
    parts = [schedule.learning_rates(start, 50) for start in range(0, 150, 50)]
    assert (np.concatenate(parts) == schedule.learning_rates(0, 150)).all()


def test_the_rate_rises_in_proportion_during_warm_up():
    plain, warm = (cosine(10, rate_warm_up=passes).learning_rates(0, 500) for passes in (0, 2))
    assert warm[:100] / plain[:100] == pytest.approx(np.arange(1, 101) / 100)
    assert (warm[100:] == plain[100:]).all()


def test_the_weight_of_the_kl_rises_in_proportion_during_its_warm_up():
    weights = cosine(10, kl_warm_up=2).kl_weights(0, 500)
    assert weights[:100] == pytest.approx(np.arange(1, 101) / 100)
    assert (weights[100:] == 1).all()
    assert cosine(10, kl_warm_up=2).kl_weights(50, 2) == pytest.approx([0.51, 0.52])
    assert (cosine(10, kl_warm_up=2, warm_start=True).kl_weights(0, 50) == 1).all()


def test_a_continued_cosine_has_two_thirds_of_the_passes_from_a_tenth_of_the_peak():
    # As the paper's last stage: 2187 of 3280 passes, at 1e-4 of 1e-3.
    schedule = cosine(40, warm_start=True)
    assert schedule.updates == 27 * 50
    assert schedule.learning_rates(0, 1)[0] == pytest.approx(1e-4)


@given(steps=st.integers(1, 2000), count=st.integers(1, 3))
def test_blocks_end_with_each_pass_and_are_nearly_equal(steps, count):
    schedule, updates, lengths = stages(count, images=20 * steps), 0, []
    for _ in range(sum(schedule.passes)):
        start = updates
        while updates - start < steps:
            lengths.append(schedule.next_block(updates))
            updates += lengths[-1]
        assert schedule.ends_pass(updates)
    assert updates == schedule.updates
    assert max(lengths) - min(lengths) <= 1
    assert max(lengths) <= 150


def test_a_position_inside_a_block_is_refused():
    with pytest.raises(ValueError, match="1 is not in list"):
        stages(1).next_block(1)
