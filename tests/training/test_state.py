"""Training states on disk: exact, keyed by their settings, refused when damaged or foreign."""

from dataclasses import replace

import pytest
import torch
from safetensors import SafetensorError

from iwae.errors import InputError
from iwae.study.protocol import PRESETS
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import state as states

SPEC = ModelSpec("mnist", 2, "iwae", 3, 1)
SETTINGS = TrainingSettings(batch_size=5)
KEYS = {"cpu": "key", "cuda": "another"}


@pytest.fixture
def state(images):
    state = states.fresh(SPEC, SETTINGS, images.train, "cpu")
    state.updates, state.bound_sum, state.seconds = 40, -1 / 3, 0.1
    state.curve = [{"pass": 1, "train_bound": -100.1, "validation_bound": None}]
    return state


def test_round_trip_is_exact(state, tmp_path):
    states.save(tmp_path / "s.safetensors", "key", state)
    read = states.load(tmp_path / "s.safetensors", KEYS)
    for group in ("parameters", "first", "second"):
        assert getattr(read, group).keys() == getattr(state, group).keys()
        assert all(torch.equal(value, getattr(read, group)[name]) for name, value in getattr(state, group).items())
    assert torch.equal(read.generator, state.generator)
    assert (read.updates, read.bound_sum, read.seconds, read.curve) == (40, -1 / 3, 0.1, state.curve)


def test_no_file_is_no_state(tmp_path):
    assert states.load(tmp_path / "none.safetensors", KEYS) is None


@pytest.mark.parametrize("keep", [0, 7, 5000])
def test_a_damaged_file_is_refused(state, tmp_path, keep):
    path = tmp_path / "s.safetensors"
    states.save(path, "key", state)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"s\.safetensors is damaged .* delete it"):
        states.load(path, KEYS)


def test_a_flipped_bit_is_noticed(state, tmp_path):
    path = tmp_path / "s.safetensors"
    states.save(path, "key", state)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    for place in (*range(0, header, 29), header, len(content) // 2, len(content) - 1):
        flipped = bytearray(content)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(InputError, match="is damaged .* delete it|was written with other settings"):
            states.load(path, KEYS)


def test_a_full_disk_is_one_sentence_and_the_old_state_stays(state, tmp_path, monkeypatch):
    path = tmp_path / "s.safetensors"
    states.save(path, "key", state)

    def save_file(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(states, "save_file", save_file)
    with pytest.raises(InputError, match=r"s\.safetensors cannot be written \(I/O error: No space left"):
        states.save(path, "key", replace(state, updates=80))
    assert states.load(path, KEYS).updates == 40
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_settings_never_resume(state, tmp_path):
    states.save(tmp_path / "s.safetensors", "key", state)
    with pytest.raises(InputError, match="written with other settings"):
        states.load(tmp_path / "s.safetensors", {"cpu": "other key"})


def test_the_key_holds_all_but_the_number_of_stages():
    def key(spec=SPEC, images="0", device="cpu", **settings):
        return states.settings_key(spec, replace(SETTINGS, **settings), {"images": images}, device)

    assert key(stages=3) == key()
    others = [key(replace(SPEC, seed=2)), key(protocol=PRESETS["paper-text"]), key(batch_size=4), key(study_seed=1)]
    assert len({key(), *others, key(images="1"), key(device="cuda")}) == 7
