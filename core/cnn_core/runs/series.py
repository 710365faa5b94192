"""The curves of a run, folded from its events: for live charts, previews and comparisons."""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from cnn_core.runs.clock import RunClock
from cnn_core.training.events import (
    CheckpointSaved,
    ClassesValidated,
    EpochFinished,
    Event,
    RunStarted,
    StepsDone,
)

Metric = Literal["loss", "lr", "images_per_s", "train_loss", "train_acc", "val_loss", "val_acc"]
XAxis = Literal["step", "epoch", "time"]

_STEP_METRICS = ("loss", "lr", "images_per_s")
_EPOCH_METRICS = ("train_loss", "train_acc", "val_loss", "val_acc", "lr", "images_per_s")


class RunSeries:
    """The curves after the events folded so far.

    A resumed run drops the points after the position that it goes on from, and an epoch that is
    trained again replaces the old one. ``version`` grows with every change, so that nothing needs
    drawing while it stays. ``classes`` are the data set's, none before RunStarted.
    """

    def __init__(self) -> None:
        self.version = 0
        self.classes: tuple[str, ...] = ()
        self._steps_per_epoch = 0
        self._clock = RunClock()
        self._steps = _Points(_STEP_METRICS)
        self._epochs = _Points(_EPOCH_METRICS)
        self._best_epochs: list[int] = []
        self._class_accuracies: list[ClassesValidated] = []

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best weights so far."""
        return self._best_epochs[-1] if self._best_epochs else None

    @property
    def class_accuracy(self) -> ClassesValidated | None:
        """The latest validation by class."""
        return self._class_accuracies[-1] if self._class_accuracies else None

    def fold(self, time: float, event: Event) -> None:
        """Take in the next event, which happened at ``time`` (Unix seconds)."""
        self._clock.fold(time, event)
        match event:
            case StepsDone():
                epoch = _epochs_done(event.epoch - 1, event.step, event.steps_per_epoch)
                self._steps.drop_from(epoch)
                x = (epoch, event.global_step, self._clock.total_s())
                self._steps.append(*x, event.loss, event.lr, event.images_per_s)
            case EpochFinished():
                self._drop_epochs_after(event.epoch - 1)
                step = event.global_step
                if step is None:
                    step = event.epoch * self._steps_per_epoch
                metrics = (getattr(event, name) for name in _EPOCH_METRICS)
                self._epochs.append(event.epoch, step, self._clock.total_s(), *metrics)
                if event.best:
                    self._best_epochs.append(event.epoch)
            case ClassesValidated():
                self._class_accuracies.append(event)
            case CheckpointSaved(name="last"):
                # Nothing goes back to before it: of the validations up to it the latest is enough.
                epochs = [validated.epoch for validated in self._class_accuracies]
                del self._class_accuracies[: max(0, bisect_right(epochs, event.epoch - 1) - 1)]
                return
            case RunStarted():
                self.classes, self._steps_per_epoch = event.classes, event.steps_per_epoch
                whole, steps = event.resumed_epoch or 0, event.resumed_step or 0
                self._steps.drop_after(_epochs_done(whole, steps, event.steps_per_epoch))
                self._drop_epochs_after(whole)
            case _:
                return
        self.version += 1

    def points(
        self, metric: Metric, x: XAxis
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return copies of a curve's positions and its values, (N,) each; unknown values are NaN.

        loss, lr and images_per_s have a point for each StepsDone, the others one for each epoch;
        lr and images_per_s too, where epochs are so short that they have more of them than steps.
        A step is one of the optimizer, counted from the start of the run; epochs are real
        numbers: 2.5 after step 5 of 10 in epoch 3, 3.0 at its end; time is in seconds of running,
        without the gaps between the sittings of a resumed run.
        """
        points = self._steps if metric in _STEP_METRICS else self._epochs
        if metric in _EPOCH_METRICS and len(self._epochs) > len(points):
            points = self._epochs
        return np.array(points.x[x]), np.array(points.y[metric])

    def _drop_epochs_after(self, epoch: int) -> None:
        self._epochs.drop_after(epoch)
        del self._best_epochs[bisect_right(self._best_epochs, epoch) :]
        while self._class_accuracies and self._class_accuracies[-1].epoch > epoch:
            self._class_accuracies.pop()


class _Points:
    """Growing columns of float64, each point further on than the one before."""

    def __init__(self, metrics: Iterable[str]) -> None:
        self.x = {axis: array("d") for axis in get_args(XAxis)}
        self.y = {metric: array("d") for metric in metrics}
        self._columns = [self.x["epoch"], self.x["step"], self.x["time"], *self.y.values()]

    def __len__(self) -> int:
        return len(self.x["epoch"])

    def append(self, *values: float | None) -> None:
        """Add a point: epoch, step, time, and its metrics in their order."""
        for column, value in zip(self._columns, values, strict=True):
            column.append(math.nan if value is None else value)

    def drop_from(self, epoch: float) -> None:
        """Forget the points at this position and after it."""
        self._keep(bisect_left(self.x["epoch"], epoch))

    def drop_after(self, epoch: float) -> None:
        """Forget the points after this position."""
        self._keep(bisect_right(self.x["epoch"], epoch))

    def _keep(self, count: int) -> None:
        if count < len(self):
            for column in self._columns:
                del column[count:]


def _epochs_done(whole: int, steps: int, steps_per_epoch: int) -> float:
    return whole + steps / max(1, steps_per_epoch)  # a damaged log may hold a 0
