"""Our engine as a user runs it: checkpoints, events and all."""

import tempfile
from pathlib import Path

from cnn_core.config import Experiment
from cnn_core.training.control import Control
from cnn_core.training.device import Precision
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import EpochFinished, RunFinished, RunStarted
from peers.task import Task

_EPOCHS = 1_000_000  # the benchmark ends before


class EngineRun:
    """A run that waits between its epochs; ``told`` are the images/s that its events tell.

    The events leave checkpoints out; a round by the clock has that of the epoch before.
    """

    def __init__(self, task: Task, precision: Precision) -> None:
        run_dir = Path(tempfile.mkdtemp(dir=task.runs_dir))
        (run_dir / "checkpoints").mkdir()
        experiment = _endless(task.experiment, precision)
        places = Places(run_dir=run_dir, data_dir=task.data_dir, cache_dir=task.cache_dir)
        self.told: list[float] = []
        self._images = task.images
        self._events = stream(experiment, Control(), places, device=str(task.device))
        self._until(RunStarted)

    def __call__(self) -> int:
        """Train an epoch."""
        self.told.append(self._until(EpochFinished).images_per_s)
        return self._images

    def _until(self, kind: type) -> object:
        for event in self._events:
            if isinstance(event, kind):
                return event
            if isinstance(event, RunFinished):
                raise SystemExit(f"the engine's run ended early: {event.status}, {event.error}")
        raise AssertionError("a stream ends in RunFinished")


def prepare(task: Task, *, precision: Precision) -> EngineRun:
    """Return the run, its data and network ready."""
    return EngineRun(task, precision)


def _endless(experiment: Experiment, precision: Precision) -> Experiment:
    train = experiment.train.model_copy(update={"epochs": _EPOCHS, "precision": precision})
    return experiment.model_copy(update={"train": train})
