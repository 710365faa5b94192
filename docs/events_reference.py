"""Write docs/events.md from the classes of events: ``make pages``."""

import dataclasses
import inspect
import json
import sys
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cnn_core.training.events import Event, event_name

HEAD = """\
# Events

<!-- Made by docs/events_reference.py from core/cnn_core/training/events.py; edit that. -->

What happens in a run, one JSON object a line: in the run's `events.jsonl`, and on stdout by
`cnn-tui run --json` and `resume --json`:

    {"event": "epoch_finished", "time": 1790000000.0, "epoch": 1, "train_loss": 2.31, ...}

Besides the fields below each has `event`, its name, and `time`, in Unix seconds. Accuracies are
fractions in 0..1; epochs count from 1; losses are in nats; learning rates are those of the first
group of weights. NaN and the infinities are the texts "NaN", "Infinity" and "-Infinity".

Lines are only ever appended. The last one of a stream is a `run_finished`; a run that was resumed
goes on with `run_started` after it, and tells epochs again that were not in its checkpoint: the
later line counts. A reader should pass over events and fields that it does not know, and over a
last line without its end.
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(line for event in get_args(Event) for line in _described(event))])


def _described(event: Any) -> Iterator[str]:
    yield f"## {event_name(event)}\n"
    yield f"{(inspect.getdoc(event) or '').replace('``', '`')}\n"
    if fields := dataclasses.fields(event):
        yield "| field | value | in logs without it |\n|---|---|---|"
        for field in fields:
            yield f"| `{field.name}` | {_values(field.type)} | {_default(field)} |"
        yield ""


def _values(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return " or ".join([*map(_values, parts), "null"])
    if get_origin(annotation) is tuple:
        return f"list of {_values(get_args(annotation)[0])}"
    names = {str: "text", int: "integer", float: "number", bool: "true, false"}
    return names[annotation]


def _default(field: Any) -> str:
    if field.default is dataclasses.MISSING:
        return ""
    return f"`{json.dumps(field.default)}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
