"""Training from names to model folders: stacks, checkpoints, learning curves, and going on after any interruption."""

import fcntl
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save_file

from iwae import manifest
from iwae.data.splits import Images, load
from iwae.device import can_compile, choose_device, configure, describe, fastest_products, use_products
from iwae.errors import InputError
from iwae.files import atomic_path, write_rows
from iwae.models.architecture import Architecture
from iwae.models.initialization import initialize
from iwae.settings import TrainingSettings
from iwae.specification import ModelSpec
from iwae.training import state as states
from iwae.training.adam import initial_second_moment
from iwae.training.concurrency import run_side_by_side
from iwae.training.loop import StackTraining
from iwae.training.state import ModelState

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Places:
    """Where training reads and writes.

    Attributes:
        data: Folder of the data sets.
        results: Folder of the study; a model's folder is its name below it.
        checkpoints: Folder of the training states, laid out likewise.
    """

    data: Path
    results: Path
    checkpoints: Path

    def checkpoint(self, spec: ModelSpec) -> Path:
        """The file of a model's training state."""
        return self.checkpoints / f"{spec.name}.safetensors"


def train(
    specs: Sequence[ModelSpec],
    places: Places,
    settings: TrainingSettings,
    device_name: str = "auto",
    threads: int = 1,
    checkpoint_minutes: float = 5.0,
) -> None:
    """Train models and write their folders, going on from their checkpoints where there are any.

    On CUDA the models of one stack that stand at the same update are trained together, and all stacks side by side. On
    the CPU the models are trained one by one: there the moments of several would only crowd the cache.

    Args:
        specs: The models.
        places: Where to read and write.
        settings: What to train them with.
        device_name: ``cpu``, ``cuda`` or ``auto``.
        threads: CPU threads.
        checkpoint_minutes: Longest time between two writings of the training states.

    Raises:
        InputError: Data or checkpoints do not fit, or another process is training one of the models.
        DivergenceError: A bound was not finite.
        InterruptedTraining: SIGINT or SIGTERM came; the states have been saved.
    """
    device = choose_device(device_name)
    configure(device, threads)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    wanted = _unfinished(specs, places, settings)
    for dataset in sorted({spec.dataset for spec in wanted}):
        images = load(dataset, places.data, settings.protocol.held_out, settings.train_images)
        members = [spec for spec in wanted if spec.dataset == dataset]
        keys = {spec: states.settings_key(spec, settings, images.sha256, device.type) for spec in members}

        def save(training: StackTraining, keys: dict[ModelSpec, str] = keys) -> None:
            for spec, state in training.states().items():
                states.save(places.checkpoint(spec), keys[spec], state)

        with ExitStack() as locks:
            for spec in members:
                locks.enter_context(_locked(places.checkpoint(spec)))
            groups = list(_groups(members, places, settings, images, device))
            _settle_products([state for group in groups for state in group.values()], device)
            trainings = [StackTraining(group, settings, images, device) for group in groups]
            at_once = len(trainings) if device.type == "cuda" else 1
            run_side_by_side(trainings, save, 60 * checkpoint_minutes, str(places.checkpoints), at_once)
            machine = {"data_sha256": images.sha256, **describe(device, threads), "compiled": can_compile()}
            provenance = {"started": started, **machine, **manifest.code_provenance()}
            for training in trainings:
                _write_models(training, places.results, settings, provenance)


def _unfinished(specs: Sequence[ModelSpec], places: Places, settings: TrainingSettings) -> list[ModelSpec]:
    """The models that are not trained yet, each once; a model of other settings is not overwritten."""
    wanted, asked = [], settings.as_dict()
    for spec in dict.fromkeys(specs):
        folder = places.results / spec.name
        if manifest.is_current(folder, "training", asked):
            _log.info("%s is trained already: %s", spec.name, folder)
            continue
        wanted.append(spec)
        if (folder / manifest.NAME).is_file():
            found = manifest.read(folder)["training"]["settings"]
            same = {**found, "stages": None} == {**asked, "stages": None}
            if not (same and found["stages"] <= asked["stages"] and places.checkpoint(spec).is_file()):
                raise InputError(
                    f"{folder} holds a model that was trained with other settings, or whose training state is gone: "
                    "name another folder for the results, or delete this one."
                )
    return wanted


def _groups(
    specs: Sequence[ModelSpec], places: Places, settings: TrainingSettings, images: Images, device: torch.device
) -> Iterator[dict[ModelSpec, ModelState]]:
    groups: dict[object, dict[ModelSpec, ModelState]] = defaultdict(dict)
    for spec in specs:
        key = states.settings_key(spec, settings, images.sha256, device.type)
        state = states.load(places.checkpoint(spec), key) or fresh_state(spec, settings, images, device)
        together = spec.stack if device.type == "cuda" else spec.name
        groups[together, state.updates][spec] = state
    yield from groups.values()


def _settle_products(members: Sequence[ModelState], device: torch.device) -> None:
    """Choose how to multiply matrices: as the states that are continued did, so that they end with the same bits."""
    products = next((state.products for state in members if state.products), "") or fastest_products(device)
    for state in members:
        state.products = products
    use_products(products)


def fresh_state(spec: ModelSpec, settings: TrainingSettings, images: Images, device: torch.device | str) -> ModelState:
    """A model's state before its first update."""
    protocol = settings.protocol
    architecture = Architecture(spec.layers, protocol.scale)
    parameters = initialize(architecture, protocol, spec.seed, images.train)
    generator = torch.Generator(device).manual_seed(spec.random_seed(settings.study_seed, "training"))
    return ModelState(
        parameters=parameters,
        first={name: torch.zeros_like(value) for name, value in parameters.items()},
        second={name: initial_second_moment(protocol, value) for name, value in parameters.items()},
        generator=states.generator_state(generator),
    )


def _write_models(
    training: StackTraining, results: Path, settings: TrainingSettings, provenance: dict[str, object]
) -> None:
    stack = [spec.name for spec in training.specs]
    for spec, state in training.states().items():
        folder, work = results / spec.name, {"wall_seconds": round(state.seconds, 1), "updates": state.updates}
        with atomic_path(folder / manifest.WEIGHTS) as temporary:
            save_file(state.parameters, temporary)
        write_rows(folder / "training.csv", state.curve)
        files = [manifest.WEIGHTS, "training.csv"]
        manifest.record(folder, spec, "training", settings.as_dict(), files, {**provenance, **work, "stack": stack})
        _log.info("%s is trained: %s", spec.name, folder)


@contextmanager
def _locked(checkpoint: Path) -> Iterator[None]:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with checkpoint.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{checkpoint} is in use: another process is training this model; wait for it or end it."
            ) from error
        yield
