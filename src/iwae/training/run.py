"""Training from names to model folders: stacks, checkpoints, learning curves, and going on after any interruption."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from iwae.data.splits import Images, load
from iwae.device import can_compile, choose_device, configure, describe, memory, require_exact
from iwae.errors import DivergenceError, InputError
from iwae.files import locked, remove_leftovers, write_rows
from iwae.models.architecture import Architecture
from iwae.study import manifest
from iwae.study.registry import OBJECTIVES, implementation
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec
from iwae.study.status import require_extensible
from iwae.training.concurrency import run_side_by_side
from iwae.training.loop import StackTraining
from iwae.training.state import ModelState, write_tensors
from iwae.training.task import Task

_log = logging.getLogger(__name__)
_BYTES_PER_VALUE = 16  # of memory for one update and hidden value: measured 19 to 28
_LOCK_SECONDS = 15  # a process that was told to end saves its state first, which takes some seconds


@dataclass(frozen=True)
class Paths:
    """Where training reads and writes.

    Attributes:
        data: Folder of the data sets.
        results: Folder of the study; a model's folder is its name below it.
        checkpoints: Folder of the training states, laid out likewise.
    """

    data: Path
    results: Path
    checkpoints: Path

    def checkpoint(self, spec: ModelSpec, settings: TrainingSettings) -> Path:
        """The file of a model's training state."""
        return self.checkpoints / settings.state_file(spec)


def train(
    specs: Sequence[ModelSpec],
    paths: Paths,
    settings: TrainingSettings,
    device_name: str = "auto",
    threads: int = 1,
    checkpoint_minutes: float = 5.0,
) -> None:
    """Train models and write their folders, going on from their checkpoints where there are any.

    On CUDA the models of one stack that stand at the same update are trained together, and all stacks side by side. On
    the CPU the models are trained one by one: there the moments of several would only crowd the cache. Models that are
    continued from others come last.

    Args:
        specs: The models.
        paths: Where to read and write.
        settings: What to train them with, as the study has it (`TrainingSettings.for_model`).
        device_name: ``cpu``, ``cuda`` or ``auto``.
        threads: CPU threads.
        checkpoint_minutes: Longest time between two writings of the training states.

    Raises:
        InputError: Data or checkpoints do not fit, another process is training one of the models, or the memory is too
            small for one of them or, on a GPU, for all.
        DivergenceError: A model's bound or weights were not finite; the other models are trained nevertheless.
        InterruptedTraining: SIGINT or SIGTERM came; the states have been saved.
    """
    device = choose_device(device_name)
    configure(device, threads)
    wanted = _unfinished(specs, paths, settings)
    for spec in wanted:
        _require_bound(spec)
        _require_memory(spec, settings, device)
    job = _Job(paths, settings, device, threads)
    diverged: list[DivergenceError] = []
    for warm_start in (False, True):
        group = [spec for spec in wanted if bool(spec.origin) == warm_start]
        if diverged:  # of these models nothing can start
            group = [spec for spec in group if spec.origin and job.is_trained(spec.origin)]
        while group:
            try:
                job.train(group, checkpoint_minutes)
                break
            except DivergenceError as error:
                diverged.append(error)
                # Those that were trained as one batched computation with it go on without it.
                group = [spec for spec in group if spec.name not in error.models and not job.is_trained(spec)]
            except torch.OutOfMemoryError as error:
                raise InputError(
                    f"The GPU has too little free memory to train {len(group)} models at once: end what else runs on "
                    "it or name fewer models in one command, which goes on from what was saved. "
                    f"({str(error).splitlines()[0]})"
                ) from error
    if diverged:
        raise DivergenceError.of_all(diverged)


class _Job:
    """Models that are trained by one process."""

    def __init__(self, paths: Paths, settings: TrainingSettings, device: torch.device, threads: int) -> None:
        self._paths, self._settings, self._device = paths, settings, device
        self._tasks: dict[ModelSpec, Task] = {}
        self._images: dict[tuple[str, int | None], Images] = {}
        self._provenance = {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            **describe(device, threads),
            "compiled": can_compile(device),
            **manifest.code_provenance(),
        }

    def train(self, specs: Sequence[ModelSpec], checkpoint_minutes: float) -> None:
        """Train the models and write each one's folder as soon as it is trained."""
        tasks = [self._task(spec) for spec in specs]
        with ExitStack() as locks:
            for task in tasks:
                locks.enter_context(locked(task.checkpoint.with_suffix(".lock"), _LOCK_SECONDS))
                for path in (task.checkpoint, task.weights):
                    remove_leftovers(path)
            # Another process may have finished some while this one waited for its locks: theirs is the provenance.
            left = [task for task in tasks if not manifest.is_current(task.folder, "training", task.settings.as_dict())]
            trainings, states = [], {task: task.start() for task in left}
            for task in [task for task, state in states.items() if task.is_at_end(state)]:
                self._write(task, states.pop(task), [task.spec.name])
            for group in self._groups(states):
                first = self._task(next(iter(group)))
                trainings.append(StackTraining(group, first.settings, first.images, self._device))
            if trainings:
                _log.info("Training on %s", self._provenance["device"])
            on_gpu = self._device.type == "cuda"
            run_side_by_side(
                trainings,
                save=self._save,
                finish=self._finish,
                save_every=60 * checkpoint_minutes,
                at_once=len(trainings) if on_gpu else 1,
            )

    def is_trained(self, spec: ModelSpec) -> bool:
        """Whether a model has a training state, and at its schedule's end."""
        return self._task(spec).is_trained

    def _task(self, spec: ModelSpec) -> Task:
        """A model's task, made once."""
        if spec not in self._tasks:
            settings = self._settings.for_model(spec)
            self._tasks[spec] = Task(
                spec=spec,
                settings=settings,
                images=self._read(spec.dataset, settings),
                device=self._device,
                checkpoint=self._paths.checkpoint(spec, self._settings),
                folder=self._paths.results / spec.name,
                origin=self._task(spec.origin) if spec.origin else None,
            )
        return self._tasks[spec]

    def _read(self, dataset: str, settings: TrainingSettings) -> Images:
        """The images that a model is trained on, read once for all models that share them."""
        key = dataset, settings.protocol.held_out
        if key not in self._images:
            images = load(dataset, self._paths.data, key[1], settings.train_images)
            if len(images.train) < settings.batch_size:
                raise InputError(
                    f"batch_size = {settings.batch_size} is impossible: there are {len(images.train)} training images."
                )
            self._images[key] = images
        return self._images[key]

    def _groups(self, states: Mapping[Task, ModelState]) -> list[dict[ModelSpec, ModelState]]:
        """The models with their states, grouped into stacks."""
        groups: dict[object, dict[ModelSpec, ModelState]] = defaultdict(dict)
        for task, state in states.items():
            require_exact(state.matmul_backend)
            together = task.spec.stack if self._device.type == "cuda" else task.spec.name
            groups[together, state.updates, state.steps][task.spec] = state
        return list(groups.values())

    def _save(self, training: StackTraining) -> None:
        for spec, state in training.states().items():
            self._task(spec).save(state)

    def _finish(self, training: StackTraining) -> None:
        """Write the folders of the models of a stack."""
        for spec, state in training.states().items():
            self._write(self._task(spec), state, [each.name for each in training.specs])

    def _write(self, task: Task, state: ModelState, stack: list[str]) -> None:
        """Write the folder of a model that is trained, and was in a stack of models of these names."""
        write_tensors(task.weights, state.parameters)
        write_rows(task.folder / "training.csv", state.curve)
        provenance = {
            **self._provenance,
            **({"device": state.device} if state.device != self._device.type else {}),  # at its end when it came here
            "data_sha256": task.images.sha256,
            "wall_seconds": round(state.seconds, 1),
            "updates": state.updates,
            "products": state.matmul_backend,
            "stack": stack,
            **({"moves": state.moves} if state.moves else {}),
        }
        files = [manifest.WEIGHTS, "training.csv"]
        manifest.record(task.folder, task.spec, "training", task.settings.as_dict(), files, provenance)
        task.save_moments(state)
        _log.info("%s is trained: %s", task.spec.name, task.folder)


def _unfinished(specs: Sequence[ModelSpec], paths: Paths, settings: TrainingSettings) -> list[ModelSpec]:
    """The models that are not trained yet, each once; a model of other settings is not overwritten."""
    wanted = []
    for spec in dict.fromkeys(specs):
        folder, asked = paths.results / spec.name, settings.for_model(spec).as_dict()
        if manifest.is_current(folder, "training", asked):
            _log.info("%s is trained already: %s", spec.name, folder)
            continue
        wanted.append(spec)
        if (folder / manifest.NAME).is_file():
            checkpoint = paths.checkpoint(spec.origin or spec, settings)
            require_extensible(folder, manifest.read(folder)["training"]["settings"], asked, checkpoint)
    return wanted


def _require_bound(spec: ModelSpec) -> None:
    """Refuse an objective that is not a bound for each image, or does not rise with its weights, as a loss does not.

    A mean over images would train, too, to something else.
    """
    given = torch.zeros(spec.k, 3, requires_grad=True)
    bounds = implementation(OBJECTIVES[spec.objective].bound)(given)
    if bounds.shape != (3,):
        raise InputError(
            f"objective {spec.objective} gives {tuple(bounds.shape)} for log weights {tuple(given.shape)}: it must be "
            "(3,), a bound for each image."
        )
    slopes = torch.autograd.grad(bounds.sum(), given)[0].sum(0) if bounds.requires_grad else torch.zeros(3)
    if not (slopes > 0).all():
        raise InputError(
            f"objective {spec.objective} does not rise with the log weights: it must be a bound on log p(x), which "
            "training maximises."
        )


def _require_memory(spec: ModelSpec, settings: TrainingSettings, device: torch.device) -> None:
    """Refuse a model of which one update surely takes more memory than there is."""
    networks = Architecture.of(spec, settings.for_model(spec).protocol).networks
    needed = _BYTES_PER_VALUE * sum(network.units for network in networks) * spec.k * settings.batch_size
    if needed > (there := memory(device)):
        raise InputError(
            f"{spec.name} is impossible here: an update of {settings.batch_size} images takes some "
            f"{needed / 1e9:.0f} GB of memory and there are {there / 1e9:.0f}: take a smaller k, smaller networks or a "
            "smaller batch_size."
        )
