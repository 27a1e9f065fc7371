"""The schedule against the paper's numbers, and its blocks as a partition of the updates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.study.protocol import PRESETS
from iwae.training.schedule import Schedule, learning_rate, passes_before


def test_the_paper_has_3280_passes_and_9774400_updates():
    assert passes_before(8) == 3280
    assert Schedule(59_600 // 20, 8).updates == 9_774_400
    assert Schedule(23_000 // 20, 8).updates == 3_772_000


def test_rates_fall_from_1e_3_to_1e_4():
    rounded = [learning_rate(PRESETS["authors-code"], stage) for stage in range(8)]
    assert rounded == [1e-3, 7.2e-4, 5.2e-4, 3.7e-4, 2.7e-4, 1.9e-4, 1.4e-4, 1e-4]
    exact = [learning_rate(PRESETS["paper-text"], stage) for stage in range(8)]
    assert exact[0] == 1e-3
    assert exact[7] == pytest.approx(1e-4, rel=1e-12)
    assert exact[3] == pytest.approx(exact[2] * 10 ** (-1 / 7), rel=1e-12)


@pytest.mark.parametrize("stage", range(4))
def test_a_stage_has_3_to_the_i_passes(stage):
    schedule = Schedule(steps_per_pass=7, stages=4)
    positions = [u for u in range(schedule.updates) if schedule.stage_of(u) == stage]
    assert len(positions) == 3**stage * 7
    assert positions[0] == schedule.stage_start(positions[-1])
    assert schedule.ends_stage(positions[-1] + 1)
    assert not schedule.ends_stage(positions[-1])


def test_a_continued_training_is_the_last_stage_once_more():
    # Table 2: 3^7 passes over 59,600 images at 1e-4.
    schedule = Schedule(59_600 // 20, 8, first=7)
    assert schedule.updates == 6_517_260
    assert {schedule.stage_of(updates) for updates in (0, 1, schedule.updates - 1)} == {7}
    assert schedule.stage_start(schedule.updates - 1) == 0
    assert schedule.ends_stage(schedule.updates)
    assert not schedule.ends_stage(schedule.updates - 2980)


@given(steps=st.integers(1, 2000), stages=st.integers(1, 3))
def test_blocks_end_with_each_pass_and_are_nearly_equal(steps, stages):
    schedule, updates, lengths = Schedule(steps, stages), 0, []
    for _ in range(passes_before(stages)):
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
        Schedule(2980, 1).next_block(1)
