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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """Work before the first step: ``done`` of ``total`` items (total 0: not known)."""

    what: str
    done: int = 0
    total: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the user should know."""

    level: Literal["info", "warning"]
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepsDone:
    """Progress inside an epoch: means over the steps since the last such event."""

    epoch: int
    step: int
    steps_per_epoch: int
    global_step: int
    loss: float
    lr: float
    images_per_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochFinished:
    """Metrics over a whole epoch, each image weighing the same; losses are means."""

    epoch: int
    train_loss: float
    train_acc: float
    val_loss: float | None
    val_acc: float | None
    lr: float
    seconds: float
    images_per_s: float
    best: bool


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
    """Metrics of a checkpoint on the test images; ``epoch`` is the checkpoint's."""

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
_FLOATS = {
    cls: frozenset(f.name for f in dataclasses.fields(cls) if f.type in (float, float | None))
    for cls in _NAMES
}


def encode(event: Event, time: float) -> str:
    """Return the event as one line of JSON, without the newline; ``time`` is Unix seconds."""
    body = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    return to_json({"event": _NAMES[type(event)], "time": time, **body})


def decode(line: str | bytes) -> tuple[float, Event]:
    """Return the time and the event of a line; raise ValueError where it is not one.

    Keys that this version does not know are ignored, so that newer runs can be read.
    """
    record = json.loads(line)
    if not isinstance(record, dict) or str(record.get("event")) not in _CLASSES:
        raise ValueError(f"not an event: {line[:80]!r}")
    cls = _CLASSES[record["event"]]
    known: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.name in record:
            value = record[field.name]
            if field.name in _FLOATS[cls] and isinstance(value, str):
                value = _NON_FINITE.get(value, value)
            value = tuple(value) if isinstance(value, list) else value
            if not _fits(value, field.type):
                raise ValueError(f"not a {record['event']} event: {field.name} is {value!r:.80}")
            known[field.name] = value
    try:
        return float(record["time"]), cls(**known)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not a {record['event']} event: {error}") from error


def _fits(value: Any, kind: Any) -> bool:
    """Return whether a decoded value is of the type that a field is annotated with."""
    if type(value) is kind:
        return True
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if get_origin(kind) in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(kind))
    return kind is float and type(value) is int and abs(value) < 2**53
