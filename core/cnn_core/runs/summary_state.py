"""A run's summary, folded from its events: the document of ``show --json``."""

from typing import Any

from cnn_core.runs.clock import RunClock
from cnn_core.training.events import (
    CheckpointSaved,
    EpochFinished,
    Event,
    Paused,
    Preparing,
    RunFinished,
    RunStarted,
    Status,
    TestEvaluated,
    Unpaused,
)

# What a run is called and described by: it changes nothing in the training, and may change later.
LABELS = ("name", "notes", "tags")


def labels_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return those labels that a preset holds, and that are what they should be."""
    fits = {"name": _is_text, "notes": _is_text, "tags": _are_texts}
    return {key: config[key] for key in LABELS if key in config and fits[key](config[key])}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_TEST = ("acc", "top5", "loss", "checkpoint", "epoch")


class RunSummary:
    """What is known of a run after the events folded so far.

    The document has the same keys from the first event to the last; what is not known is None.
    Accuracies are fractions, epochs count from 1, durations are seconds, ``created`` is Unix
    seconds. Folding the same timed events always gives the same document. Without ``history`` that
    of the document is empty, and memory does not grow with the epochs.
    """

    def __init__(
        self,
        run_id: str,
        config: dict[str, Any],
        created: float | None,
        *,
        history: bool = True,
    ) -> None:
        self._id = run_id
        self._config = config
        self._created = created
        self._status: Status = "queued"
        self._error: str | None = None
        self._started: RunStarted | None = None
        self._history = history
        self._settled = _Settled()
        self._epochs: list[EpochFinished] = []
        self._tests: dict[str, TestEvaluated] = {}
        self._clock = RunClock()

    @property
    def status(self) -> Status:
        """The status that the events tell; whether the process lives is not known here."""
        return self._status

    def fold(self, time: float, event: Event) -> None:
        """Take in the next event, which happened at ``time`` (Unix seconds)."""
        self._clock.fold(time, event)
        match event:
            case Preparing() | Unpaused():
                self._status, self._error = "running", None
            case Paused():
                self._status = "paused"
            case RunStarted():
                self._status, self._error, self._started = "running", None, event
                self._forget_after(event.resumed_epoch or 0)
            case EpochFinished():
                while self._epochs and self._epochs[-1].epoch >= event.epoch:
                    self._epochs.pop()  # trained again
                self._epochs.append(event)
            case CheckpointSaved(name="last") if not self._history:
                self._settle_before(event.epoch)
            case TestEvaluated():
                self._tests[event.checkpoint] = event
            case RunFinished():
                self._status, self._error = event.status, event.error

    def relabel(self, labels: dict[str, Any]) -> None:
        """Take name, notes and tags from a newer config; the settings trained with stay."""
        self._config = self._config | labels

    def document(self) -> dict[str, Any]:
        """Return the summary as plain dicts, lists and scalars."""
        start = self._started
        last = self._epochs[-1] if self._epochs else None
        best = next((epoch for epoch in reversed(self._epochs) if epoch.best), self._settled.best)
        labels = labels_of(self._config)
        return {
            "id": self._id,
            "name": labels.get("name", self._id),
            "status": self._status,
            "error": self._error,
            "created": self._created,
            "tags": labels.get("tags", []),
            "notes": labels.get("notes", ""),
            "epoch": last.epoch if last else 0,
            "epochs": start.epochs if start else _planned_epochs(self._config),
            "best": _fields(best, "epoch", "val_acc", "val_loss"),
            "last": _fields(last, "epoch", "train_loss", "train_acc", "val_loss", "val_acc"),
            "test": _fields(self._tests.get("best"), *_TEST),
            "test_last": _fields(self._tests.get("last"), *_TEST),
            "params": {
                "total": start.params_total if start else None,
                "trainable": start.params_trainable if start else None,
            },
            "split": _fields(start, "train", "val", "test")
            | {"classes": len(start.classes) if start else None},
            "timing": {"total_s": self._clock.total_s(), **self._settled.speed_with(self._epochs)},
            "device": start.device if start else None,
            "config": self._config,
            "history": [
                _fields(
                    epoch,
                    *("epoch", "train_loss", "train_acc", "val_loss", "val_acc"),
                    *("lr", "seconds", "images_per_s"),
                )
                for epoch in self._epochs
                if self._history
            ],
        }

    def _settle_before(self, epoch: int) -> None:
        """Keep only sums of the epochs that training can't go back to with a checkpoint in this."""
        while len(self._epochs) > 1 and self._epochs[1].epoch < epoch:
            self._settled.add(self._epochs.pop(0))

    def _forget_after(self, epoch: int) -> None:
        """Drop what was measured after the epoch that training goes on from."""
        self._epochs = [old for old in self._epochs if old.epoch <= epoch]
        self._tests = {name: test for name, test in self._tests.items() if test.epoch <= epoch}


class _Settled:
    """What is told of epochs that are kept no longer: the best, and time and images in sum."""

    def __init__(self) -> None:
        self.best: EpochFinished | None = None
        self._seconds = 0.0
        self._images = 0.0

    def add(self, epoch: EpochFinished) -> None:
        self.best = epoch if epoch.best else self.best
        self._seconds += epoch.seconds
        self._images += epoch.images_per_s * epoch.seconds

    def speed_with(self, epochs: list[EpochFinished]) -> dict[str, float | None]:
        """Return the seconds of these and the given epochs, and the images per second in them."""
        seconds = self._seconds + sum(epoch.seconds for epoch in epochs)
        images = self._images + sum(epoch.images_per_s * epoch.seconds for epoch in epochs)
        return {"train_s": seconds, "images_per_s": images / seconds if seconds else None}


def _fields(event: object, *names: str) -> dict[str, Any]:
    return {name: getattr(event, name, None) for name in names}


def _planned_epochs(config: dict[str, Any]) -> int | None:
    train = config.get("train")
    epochs = train.get("epochs") if isinstance(train, dict) else None
    return epochs if type(epochs) is int else None
