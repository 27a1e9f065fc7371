"""The loop: learning curves, divergence, extension of a schedule, and stopping in the middle."""

import math
import os
import signal
import weakref
from types import SimpleNamespace

import pytest
import torch

from iwae.errors import DivergenceError, InputError, InterruptedTraining
from iwae.study.protocol import PRESETS
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import run as job_module
from iwae.training import state as training_states
from iwae.training.concurrency import run_side_by_side
from iwae.training.loop import StackTraining

SPECS = [ModelSpec("mnist", 1, "vae", 2, 0), ModelSpec("mnist", 1, "iwae", 2, 0)]


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    monkeypatch.setattr("iwae.training.loop.compile_function", lambda step, device: step)


def start(images, device, settings):
    states = {spec: training_states.fresh(spec, settings, images.train, device) for spec in SPECS}
    return StackTraining(states, settings, images, device)


def finish(training, save=lambda training: None):
    run_side_by_side([training], save, lambda training: None, 1e9, at_once=1)
    return training.states()


def settings(stages=2, **overrides):
    return TrainingSettings(PRESETS["authors-code"].with_overrides(overrides), stages=stages, batch_size=5)


def test_the_curve_has_a_row_a_pass(images, device):
    states = finish(start(images, device, settings()))
    for state in states.values():
        assert [row["pass"] for row in state.curve] == [1, 2, 3, 4]
        assert [row["stage"] for row in state.curve] == [0, 1, 1, 1]
        assert [row["updates"] for row in state.curve] == [8, 16, 24, 32]
        assert [row["learning_rate"] for row in state.curve] == [1e-3, 7.2e-4, 7.2e-4, 7.2e-4]
        assert all(-700 < row["validation_bound"] < 0 for row in state.curve)
        assert state.curve[-1]["train_bound"] > state.curve[0]["train_bound"]


def test_a_trained_stack_keeps_no_buffers_of_draws(images, device):
    """Those of a model with k = 50 take 91 MB, and a process may train dozens, one after the other."""
    training = start(images, device, settings(stages=1))
    training.start_block()
    (block,) = training._blocks.values()
    noise = weakref.ref(block._draws.noise)
    del block
    training.finish_block()
    assert training.done and noise() is None


def test_without_held_out_images_there_is_no_validation_bound(images, device):
    nothing_held_out = type(images)(images.train, images.validation[:0], images.test, images.sha256)
    states = finish(start(nothing_held_out, device, settings(stages=1)))
    assert all(state.curve[0]["validation_bound"] is None for state in states.values())


@pytest.mark.parametrize("optimizer_state", ["carried", "reset"])
def test_a_model_is_continued_from_another(images, device, optimizer_state):
    """Table 2: the last stage once more. With the same objective and draws it is the next stage of one training."""
    chosen, origin = settings(optimizer_state=optimizer_state), ModelSpec("mnist", 1, "vae", 1, 0)
    spec = ModelSpec("mnist", 1, "iwae", 2, 0, "from-vae-k1")
    states = {origin: training_states.fresh(origin, chosen, images.train, device)}
    first = StackTraining(states, chosen, images, device)
    trained = finish(first)[origin]
    begun = training_states.warm_start(spec, chosen, trained, device, "default")
    assert begun.steps == (32 if optimizer_state == "carried" else 0)
    assert begun.updates == 0 and begun.curve == []
    assert all(torch.equal(begun.parameters[name], value) for name, value in trained.parameters.items())
    second = all(torch.equal(begun.second[name], value) for name, value in trained.second.items())
    assert second == (optimizer_state == "carried")
    before = {name: value.clone() for name, value in trained.parameters.items()}
    (state,) = finish(StackTraining({spec: begun}, chosen, images, device)).values()
    assert [row["stage"] for row in state.curve] == [1, 1, 1]
    assert [row["updates"] for row in state.curve] == [8, 16, 24]
    assert [row["learning_rate"] for row in state.curve] == [7.2e-4] * 3
    assert all(torch.equal(before[name], value) for name, value in trained.parameters.items())


def test_adam_counts_on_in_a_continued_model(images, device):
    """Its first step uses the bias correction of the step after the origin's last, not that of a first step."""
    spec = ModelSpec("mnist", 1, "iwae", 2, 0, "from-vae-k1")
    numbers = []

    class Recorded(StackTraining):
        def start_block(self):
            self.stack.block = lambda pixels, steps, batch: self
            super().start_block()

        def run(self, index, first_step, *rates_and_weights):
            numbers.append(first_step)
            return torch.zeros(len(index), 1)

    state = training_states.fresh(spec, settings(), images.train, device)
    state.steps = 100
    training = Recorded({spec: state}, settings(), images, device)
    for _ in range(2):
        training.start_block()
        training.finish_block()
    assert numbers == [101, 109]


@pytest.mark.parametrize(("shuffle", "optimizer_state"), [(False, "reset"), (True, "carried")])
def test_an_extended_schedule_equals_a_longer_one(images, device, shuffle, optimizer_state):
    fields = {"shuffle": shuffle, "optimizer_state": optimizer_state}
    whole = finish(start(images, device, settings(stages=3, **fields)))
    short = finish(start(images, device, settings(stages=2, **fields)))
    longer = finish(StackTraining(short, settings(stages=3, **fields), images, device))
    for spec, state in whole.items():
        assert all(torch.equal(value, longer[spec].parameters[name]) for name, value in state.parameters.items())
        assert [row["train_bound"] for row in state.curve] == [row["train_bound"] for row in longer[spec].curve]


OTHER = {"shuffle": True, "binarization": "once", "learning_rates": "exact", "loss": "mean", "optimizer_state": "reset"}


@pytest.mark.parametrize(("field", "value"), OTHER.items())
def test_each_field_changes_the_result(images, device, field, value):
    usual, other = (finish(start(images, device, settings(**fields))) for fields in ({}, {field: value}))
    for spec in SPECS:
        name = "px.logits.weight"
        assert not torch.equal(usual[spec].parameters[name], other[spec].parameters[name])


def test_binarized_once_every_pass_has_the_same_bits(images, device):
    """With the learning rate's effect left out, the same minibatch has the same pixels in each pass."""
    training = start(images, device, settings(binarization="once"))
    assert set(training._pixels.unique().tolist()) == {0, 255}


def test_divergence_names_the_model_and_the_update(images, device):
    training = start(images, device, settings())
    training.stack.parameters["px.logits.bias"][1, 3] = math.nan
    message = r"mnist/l1-iwae-k2/seed0 diverged at update 1 .*bound is nan.*last good state is that after update 0"
    with pytest.raises(DivergenceError, match=message):
        finish(training)


def test_a_weight_that_is_not_finite_is_never_saved(images, device):
    training = start(images, device, settings())
    training.stack.second["px.logits.bias"][0, 3] = math.inf
    with pytest.raises(DivergenceError, match=r"l1-vae-k2/seed0 diverged before update 0: a weight is not finite"):
        training.states()


def test_one_divergence_does_not_stop_the_others(images, device):
    spec, finished = ModelSpec("mnist", 2, "vae", 1, 0), []
    other = {spec: training_states.fresh(spec, settings(), images.train, device)}
    broken = start(images, device, settings())
    trainings = [broken, StackTraining(other, settings(), images, device)]

    def break_weights(training):
        if training is broken:
            training.stack.parameters["px.logits.bias"][1, 3] = math.nan

    with pytest.raises(DivergenceError, match="l1-iwae-k2"):
        run_side_by_side(trainings, break_weights, finished.append, 1e9, at_once=2)
    assert finished == [trainings[1]] and finished[0].done


def test_a_signal_saves_and_stops(images, device):
    saved = []
    training = start(images, device, settings(stages=3))
    start_block = training.start_block

    def interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
        start_block()

    training.start_block = interrupted
    with pytest.raises(InterruptedTraining, match=r"mnist/l1-k2 x2 after update 8 of 104; the same command goes on"):
        finish(training, lambda training: saved.append(training.updates))
    assert saved == [0, 8]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_between_two_blocks_stops_where_it_has_saved(images, device):
    saved, training = [], start(images, device, settings(stages=3))
    finish_block = training.finish_block

    def interrupted():
        if training.updates == 8:  # in the middle of a stage, whose end saves whatever comes
            os.kill(os.getpid(), signal.SIGTERM)
        return finish_block()

    training.finish_block = interrupted
    with pytest.raises(InterruptedTraining):
        finish(training, lambda training: saved.append(training.updates))
    assert 8 < saved[-1] == training.updates < 104


def test_a_stop_tells_of_what_diverged_before(images, device):
    broken, other = (start(images, device, settings(stages=3)) for _ in range(2))
    start_block = other.start_block

    def save(training):
        if training is broken:
            broken.stack.parameters["px.logits.bias"][1, 3] = math.nan

    def interrupted():
        if other.updates == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        start_block()

    other.start_block = interrupted
    stopped = "^Training stopped, mnist/l1-k2 x2 after update 16 of 104; .* mnist/l1-iwae-k2/seed0 diverged at update 1"
    with pytest.raises(InterruptedTraining, match=stopped):
        run_side_by_side([broken, other], save, lambda training: None, 1e9, at_once=2)


@pytest.mark.parametrize("at_once", [2, 3])
def test_side_by_side_equals_one_after_the_other(images, device, at_once):
    expected = finish(start(images, device, settings()))
    other = {ModelSpec("mnist", 2, "vae", 1, 0): None}
    other = {spec: training_states.fresh(spec, settings(), images.train, device) for spec in other}
    trainings = [StackTraining(other, settings(), images, device), start(images, device, settings())]
    finished = []
    run_side_by_side(trainings, lambda training: None, finished.append, 1e9, at_once)
    assert {training.label for training in finished} == {training.label for training in trainings}
    assert all(training.done for training in trainings)
    for spec, state in trainings[1].states().items():
        assert all(torch.equal(value, expected[spec].parameters[name]) for name, value in state.parameters.items())


def test_a_stop_at_the_very_end_is_a_stop(images, device):
    """Else the caller would go on with whatever comes next, for hours perhaps."""
    training, finished = start(images, device, settings(stages=1)), []

    def save(training):
        if training.done:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedTraining, match="at the end of a schedule"):
        run_side_by_side([training], save, finished.append, 1e9, at_once=1)
    assert finished == [training]


def test_what_diverged_is_not_continued_but_all_else_is(monkeypatch, tmp_path):
    """Nor does it take those with it that were trained as one batched computation with it."""
    kinds = ("l1-vae-k1", "l1-iwae-k2-from-vae-k1")
    first, second, from_first, from_second = (f"mnist/{kind}/seed{seed}" for kind in kinds for seed in (0, 1))
    calls = []

    def train(specs, _):
        calls.append([spec.name for spec in specs])
        if first in calls[-1]:
            raise DivergenceError("the first diverged", [first])

    job = SimpleNamespace(train=train, is_trained=lambda spec: [spec.name] in calls)
    monkeypatch.setattr(job_module, "_Job", lambda *_: job)
    paths, names = job_module.Paths(tmp_path, tmp_path, tmp_path), (first, second, from_first, from_second)
    with pytest.raises(DivergenceError, match="the first diverged"):
        job_module.train([ModelSpec.parse(name) for name in names], paths, settings(), "cpu")
    assert calls == [[first, second], [second], [from_second]]


def test_a_gpu_without_memory_is_one_sentence(monkeypatch, tmp_path):
    def train(specs, _):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore.")

    monkeypatch.setattr(job_module, "_Job", lambda *_: SimpleNamespace(train=train))
    paths = job_module.Paths(tmp_path, tmp_path, tmp_path)
    with pytest.raises(InputError, match=r"too little free memory to train 2 models at once: .*allocate 2 GiB\.\)$"):
        job_module.train(SPECS, paths, settings(), "cpu")


def test_an_update_that_no_memory_holds_is_refused_before_the_data_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr(job_module, "memory", lambda device: 10**9)
    paths = job_module.Paths(tmp_path, tmp_path, tmp_path)
    small, large = (ModelSpec.parse(f"mnist/l2-iwae-k{k}-pixelhvae64/seed0") for k in (5, 500))
    with pytest.raises(InputError, match="seed0 is impossible here: an update of 5 images takes some 16 GB of memory"):
        job_module.train([large], paths, settings(), "cpu")
    with pytest.raises(InputError, match="fetch the data first"):
        job_module.train([small], paths, settings(), "cpu")
