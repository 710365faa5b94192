"""The figures that events tell, as trackers know them: a name, a step, a value."""

import dataclasses
from collections.abc import Iterable

from cnn_core.training.events import (
    EpochFinished,
    Event,
    RunStarted,
    StepsDone,
    TestEvaluated,
)

Timed = tuple[float, Event]

_STEP = ("loss", "lr", "images_per_s")
_EPOCH = ("train_loss", "train_acc", "val_loss", "val_acc", "lr", "images_per_s")
_TEST = ("acc", "top5", "loss")


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """A value of a curve at ``time`` (Unix seconds); it may be NaN or infinite.

    ``step`` counts steps of the optimizer in curves ``step/…``, and epochs in all others.
    """

    name: str
    step: int
    value: float
    time: float


def points(time: float, event: Event) -> list[Point]:
    """Return the figures of an event, none of one that tells no figures."""
    names: tuple[str, ...]
    match event:
        case StepsDone():
            prefix, step, names = "step", event.global_step, _STEP
        case EpochFinished():
            prefix, step, names = "epoch", event.epoch, _EPOCH
        case TestEvaluated():
            prefix = "test" if event.checkpoint == "best" else "test_last"
            step, names = event.epoch, _TEST
        case _:
            return []
    values = [(name, getattr(event, name)) for name in names]
    return [
        Point(f"{prefix}/{name}", step, float(value), time)
        for name, value in values
        if value is not None
    ]


def counting(timed: Iterable[Timed]) -> list[Timed]:
    """Return a run's events without those that a later sitting took back by starting before them.

    Of tests of one checkpoint the last one counts.
    """
    kept: list[Timed] = []
    for time, event in timed:
        if isinstance(event, RunStarted):
            start = (event.resumed_epoch or 0, event.resumed_step or 0)
            kept = [one for one in kept if _position(one[1]) <= start]
        elif isinstance(event, TestEvaluated):
            kept = [
                one
                for one in kept
                if not isinstance(one[1], TestEvaluated) or one[1].checkpoint != event.checkpoint
            ]
        kept.append((time, event))
    return kept


def _position(event: Event) -> tuple[int, int]:
    """Return how many whole epochs were done, and how many steps of the next."""
    match event:
        case StepsDone():
            whole = event.step >= event.steps_per_epoch
            return (event.epoch, 0) if whole else (event.epoch - 1, event.step)
        case EpochFinished() | TestEvaluated():
            return event.epoch, 0
    return 0, 0
