"""What a block's graph on CUDA needs: where it is captured, and updates that can be. Most of it runs without a GPU."""

import weakref
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import pytest
import torch

from iwae.bounds import elbo, importance_bound
from iwae.models.architecture import Architecture
from iwae.study.protocol import PRESETS
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.training import state as training_states
from iwae.training.concurrency import run_side_by_side
from iwae.training.engine import captured, make_step
from iwae.training.loop import StackTraining


class Stream:
    """A stand-in for a CUDA stream."""

    def wait_stream(self, other):
        pass

    def synchronize(self):
        pass


@pytest.mark.parametrize("on_default", [True, False])
def test_warmed_up_and_captured_on_one_stream_other_than_the_default(monkeypatch, on_default):
    default, own, events = Stream(), Stream(), []
    current = [default if on_default else own]

    @contextmanager
    def using(stream):
        current.append(stream)
        yield
        current.pop()

    @contextmanager
    def graph(graph, stream):
        with using(stream):
            yield
        graph.replay = lambda: events.append(("replayed", current[-1]))

    fakes = {"Stream": Stream, "stream": using, "graph": graph, "CUDAGraph": Stream}
    fakes |= {"current_stream": lambda: current[-1], "default_stream": lambda: default}
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    captured(*(partial(lambda name: events.append((name, current[-1])), name) for name in ("captured", "warm")))()
    assert [name for name, _ in events] == ["warm", "captured", "replayed"]
    warmed_on, captured_on, replayed_on = (stream for _, stream in events)
    assert warmed_on is captured_on is not default
    assert replayed_on is current[0]
    assert (captured_on is own) is not on_default


def test_no_graph_is_deleted_while_another_is_captured(monkeypatch):
    """CUDA forbids it, and the garbage collector may come at any time for those of a training that has ended."""
    for name in ("Stream", "CUDAGraph", "current_stream", "default_stream"):
        monkeypatch.setattr(torch.cuda, name, Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, stream: nullcontext())
    monkeypatch.setattr(Stream, "replay", lambda: None, raising=False)
    left = Stream()
    left.itself, left = left, weakref.ref(left)
    found = []
    captured(lambda: found.append(left()), lambda: None)
    assert found == [None]


@pytest.mark.parametrize("layers", [1, 2])
def test_an_update_looks_at_no_value_and_mixes_no_devices(layers):
    """A capture allows neither. On the device ``meta`` tensors have no values, and others do not mix with them."""
    architecture, models, k, batch = Architecture.paper(layers), 2, 3, 5
    empty = partial(torch.empty, device="meta")
    groups = [{name: empty(models, *s) for name, s in architecture.parameter_shapes.items()} for _ in range(3)]
    bound = make_step(architecture, PRESETS["authors-code"], [elbo, importance_bound], "standard")(
        *groups,
        empty(40, 784, dtype=torch.uint8),
        empty(models, batch, dtype=torch.int64),
        empty(models, batch, 784, dtype=torch.int16),
        empty(models, k, batch, sum(architecture.latents)),
        empty(models, dtype=torch.int64),
        empty(2),
    )
    assert bound.device.type == "meta" and bound.shape == (models,)


def test_a_block_makes_the_updates_that_calls_make(build_stack, images, device):
    """Replayed, on CUDA; in the same order on the same draws, so the bits are the same."""
    names = ["mnist/l2-vae-k2/seed0", "mnist/l2-iwae-k2/seed0"]
    pixels = torch.from_numpy(images.train).to(device)
    index = torch.arange(40, device=device).view(8, 1, 5).expand(-1, 2, -1)
    replayed, called = (build_stack(names) for _ in range(2))
    found = replayed.block(pixels, 8, 5).run(index, 1, np.full(len(index), 1e-3))
    block = called.block(pixels, 8, 5)
    block._replay = None
    torch.testing.assert_close(block.run(index, 1, np.full(len(index), 1e-3)), found, rtol=1e-5, atol=1e-3)
    for name, value in called.parameters.items():
        torch.testing.assert_close(value, replayed.parameters[name], rtol=0, atol=1e-4)


def test_compiled_stacks_side_by_side_equal_each_alone(images, device):
    """On CUDA each on its stream, their graphs running at the same time."""
    if device.type != "cuda":
        pytest.skip("on the CPU models are trained one by one")
    settings = TrainingSettings(stages=2, batch_size=5)
    specs = [ModelSpec("mnist", layers, "iwae", k, 0) for layers in (1, 2) for k in (1, 2)]

    def trained(at_once):
        stacks = [{spec: training_states.fresh(spec, settings, images.train, device)} for spec in specs]
        trainings = [StackTraining(stack, settings, images, device) for stack in stacks]
        run_side_by_side(trainings, lambda training: None, lambda training: None, 1e9, at_once)
        return [training.states()[spec].parameters for training, spec in zip(trainings, specs, strict=True)]

    for alone, together in zip(trained(1), trained(len(specs)), strict=True):
        assert all(torch.equal(value, together[name]) for name, value in alone.items())
