"""Slow work between steps, told as events."""

import time
from collections.abc import Generator
from typing import TypeVar

from cnn_core.progress import Progress, Remark
from cnn_core.training.control import Control
from cnn_core.training.events import Event, Notice, Preparing

# Seconds between events of one piece of work.
_INTERVAL_S = 0.25

Result = TypeVar("Result")


def told(
    work: Generator[Progress | Remark, None, Result], control: Control
) -> Generator[Event, None, Result | None]:
    """Do the work and return its result; None where a stop is asked for meanwhile."""
    shown, due = "", 0.0
    while True:
        try:
            item = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        match item:
            case Progress(what, done, total):
                # Work on a million images tells of itself thousands of times a second.
                if what != shown or done == total > 0 or time.monotonic() >= due:
                    shown, due = what, time.monotonic() + _INTERVAL_S
                    yield Preparing(what=what, done=done, total=total)
            case Remark(text, warning):
                yield Notice(level="warning" if warning else "info", text=text)
        if control.stopping:
            work.close()
            return None
