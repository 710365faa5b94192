"""Runs made by hand for tests of the app, and waiting for what it shall show."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.runs.directory import create_run
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import (
    EpochFinished,
    Event,
    RunFinished,
    RunStarted,
    StepsDone,
    TestEvaluated,
)

STEPS = 10


async def until(
    pilot: Pilot[Any], holds: Callable[[], object], timeout_s: float = 20.0, what: str = ""
) -> None:
    """Wait until the condition holds; the test fails if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what or holds}"
        await pilot.pause()
        await asyncio.sleep(0.02)


def started(epochs: int, classes: tuple[str, ...] = ("cat", "dog")) -> RunStarted:
    """Return the event of a run on few images."""
    return RunStarted(
        device="cpu",
        threads=1,
        precision="fp32",
        batch_size=8,
        epochs=epochs,
        steps_per_epoch=STEPS,
        params_total=1000,
        params_trainable=900,
        train=80,
        val=20,
        test=20,
        classes=classes,
        dataset_fingerprint="x",
    )


def steps(epoch: int, step: int, loss: float) -> StepsDone:
    """Return the progress inside an epoch."""
    return StepsDone(
        epoch=epoch,
        step=step,
        steps_per_epoch=STEPS,
        global_step=(epoch - 1) * STEPS + step,
        loss=loss,
        lr=0.1,
        images_per_s=1000.0,
    )


def epoch_finished(epoch: int, val_acc: float, *, best: bool = True) -> EpochFinished:
    """Return the end of an epoch."""
    return EpochFinished(
        epoch=epoch,
        train_loss=2.0 / epoch,
        train_acc=val_acc + 0.01,
        val_loss=2.1 / epoch,
        val_acc=val_acc,
        lr=0.1,
        seconds=2.0,
        images_per_s=1000.0,
        best=best,
    )


class Folder:
    """A folder of runs, and how to put runs in it."""

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir

    def new(self, name: str = "digits", *overrides: str, tags: tuple[str, ...] = ()) -> Path:
        """Make a queued run of the digits preset."""
        experiment = load_experiment("digits", overrides, name=name, tags=tags)
        return create_run(self.runs_dir, name, to_toml(experiment), {"host": "here"})

    def write(self, run_dir: Path, *events: Event) -> None:
        """Let a writer add events to a run, which ends or is interrupted after them."""
        with self.writing(run_dir) as writer:
            for event in events:
                writer.write(event)

    @contextmanager
    def writing(self, run_dir: Path) -> Iterator[RunWriter]:
        """Hold the run like a training, so that it is live meanwhile."""
        with RunWriter(run_dir) as writer:
            yield writer

    def finished(
        self, name: str = "digits", *overrides: str, accs: tuple[float, ...] = (0.5, 0.6, 0.7)
    ) -> Path:
        """Make a run that has trained and been tested."""
        run_dir = self.new(name, *overrides)
        epochs: list[Event] = []
        for number, acc in enumerate(accs, 1):
            epochs += [steps(number, STEPS, 2.0 / number), epoch_finished(number, acc)]
        test = TestEvaluated(checkpoint="best", epoch=len(accs), acc=accs[-1], top5=None, loss=0.5)
        end = RunFinished(status="finished", epoch=len(accs), seconds=6.0)
        self.write(run_dir, started(len(accs)), *epochs, test, end)
        return run_dir
