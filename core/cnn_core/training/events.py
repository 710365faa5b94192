"""What happens in a run: a closed union of frozen events, and their JSON form.

A line of ``events.jsonl`` is ``{"event": "epoch_finished", "time": 1700000000.0, ...}``.
NaN and the infinities are the strings "NaN", "Infinity" and "-Infinity".
"""

import dataclasses
import json
import math
import re
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cnn_core.files import to_json

Status = Literal[
    "queued", "running", "paused", "finished", "stopped", "failed", "diverged", "interrupted"
]
EndStatus = Literal["finished", "stopped", "failed", "diverged"]
CheckpointName = Literal["best", "last"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """Data and network are ready: training starts, or goes on with a run.

    A resumed run has ``resumed_epoch`` whole epochs and ``resumed_step`` steps of the next.
    ``world_size`` is the number of processes; device and threads are those of the first one.
    """

    device: str
    threads: int
    precision: str
    batch_size: int
    epochs: int
    steps_per_epoch: int
    params_total: int
    params_trainable: int
    train: int
    val: int
    test: int
    classes: tuple[str, ...]
    dataset_fingerprint: str
    resumed_epoch: int | None = None
    resumed_step: int | None = None
    world_size: int = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """Work before the first step: ``done`` of ``total`` items (total 0: not known)."""

    what: str
    done: int = 0
    total: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the user should know; "error": training waits until it is mended."""

    level: Literal["info", "warning", "error"]
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepsDone:
    """Progress inside an epoch, at most twice a second: means over the steps since the last one."""

    epoch: int
    step: int
    steps_per_epoch: int
    global_step: int
    loss: float
    lr: float
    images_per_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochFinished:
    """Metrics over an epoch, each image weighing the same; losses are means.

    An epoch cut short by request tells of the images seen. ``global_step`` counts the optimizer
    steps done since the start of the run (None: written before that was told).
    """

    epoch: int
    train_loss: float
    train_acc: float
    val_loss: float | None
    val_acc: float | None
    lr: float
    seconds: float
    images_per_s: float
    best: bool
    global_step: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClassesValidated:
    """Validation images of each class in the order of ``RunStarted.classes``, and hits among them.

    Follows the EpochFinished of an epoch that was validated.
    """

    epoch: int
    images: tuple[int, ...]
    correct: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved:
    """A checkpoint is whole on the disk; ``step`` counts inside ``epoch`` (0: at its start)."""

    name: CheckpointName
    epoch: int
    step: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Training waits."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unpaused:
    """Training goes on."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LearningRateSet:
    """The base learning rate was changed by request."""

    lr: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TestEvaluated:
    """Metrics of a checkpoint on the test images at the end of a run; ``epoch`` is its epoch.

    First those of the last weights, then those of the best by validation.
    """

    __test__ = False  # not a pytest class

    checkpoint: CheckpointName
    epoch: int
    acc: float
    top5: float | None
    loss: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The last event of a stream, exactly once; ``mistake``: the user can mend the error."""

    status: EndStatus
    error: str | None = None
    mistake: bool = False
    epoch: int = 0
    seconds: float = 0.0


Event = (
    RunStarted
    | Preparing
    | Notice
    | StepsDone
    | EpochFinished
    | ClassesValidated
    | CheckpointSaved
    | Paused
    | Unpaused
    | LearningRateSet
    | TestEvaluated
    | RunFinished
)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


_CLASSES: dict[str, type[Any]] = {_snake(cls.__name__): cls for cls in get_args(Event)}
_NAMES = {cls: name for name, cls in _CLASSES.items()}
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FIELDS = {cls: [(f.name, f.type) for f in dataclasses.fields(cls)] for cls in _NAMES}
_UNFIT = object()


def event_name(kind: type[Event]) -> str:
    """Return what a class of events is called in the log, such as ``epoch_finished``."""
    return _NAMES[kind]


def encode(event: Event, time: float) -> str:
    """Return the event as one line of JSON, without the newline; ``time`` is Unix seconds."""
    body = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    return to_json({"event": event_name(type(event)), "time": time, **body})


def decode(line: str | bytes) -> tuple[float, Event]:
    """Return the time and the event of a line; raise ValueError where it is not one.

    Keys that this version does not know are ignored, so that newer runs can be read.
    """
    record = json.loads(line)
    if not isinstance(record, dict) or str(record.get("event")) not in _CLASSES:
        raise ValueError(f"not an event: {line[:80]!r}")
    cls = _CLASSES[record["event"]]
    known: dict[str, Any] = {}
    for name, kind in _FIELDS[cls]:
        if name in record:
            value = record[name]
            # Floats and text, most of a long log, need no second look.
            fitting = value if type(value) is kind is not int else _converted(value, kind)
            if fitting is _UNFIT:
                raise ValueError(f"not a {record['event']} event: {name} is {value!r:.80}")
            known[name] = fitting
    try:
        return float(record["time"]), cls(**known)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not a {record['event']} event: {error}") from error


def _converted(value: Any, kind: Any) -> Any:
    """Return a value from JSON as the type that a field is annotated with, or ``_UNFIT``."""
    if type(value) is int and kind in (int, float):
        return kind(value) if abs(value) < 2**53 else _UNFIT  # so that every float holds it
    if type(value) is kind:
        return value
    if kind is float:
        return _NON_FINITE.get(value, _UNFIT) if isinstance(value, str) else _UNFIT
    if get_origin(kind) is Literal:
        return value if value in get_args(kind) else _UNFIT
    if get_origin(kind) is tuple and isinstance(value, list):
        items = tuple(_converted(item, get_args(kind)[0]) for item in value)
        return items if _UNFIT not in items else _UNFIT
    if get_origin(kind) in (Union, UnionType):
        tried = (_converted(value, part) for part in get_args(kind))
        return next((found for found in tried if found is not _UNFIT), _UNFIT)
    return _UNFIT
