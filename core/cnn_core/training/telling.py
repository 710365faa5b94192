"""Slow work between steps, told as events."""

import time
from collections.abc import Generator
from typing import TypeVar

from cnn_core.progress import Progress, Remark
from cnn_core.training.control import Control
from cnn_core.training.events import Event, Notice, Preparing
from cnn_core.training.ranks import Ranks

# Seconds between events of one piece of work.
_INTERVAL_S = 0.25

Result = TypeVar("Result")


def told_together(
    work: Generator[Progress | Remark, None, Result], control: Control, ranks: Ranks
) -> Generator[Event, None, Result | None]:
    """Do the work in each process and return its result; None where a stop is asked for meanwhile.

    On each machine one process does it first, so that the others find in its cache what it made.
    """
    result: Result | None = None
    for first_here in (True, False):
        if ranks.first_here == first_here:
            result = yield from told(work, control)
        for item in ranks.meeting():
            yield Preparing(what=item.what, done=item.done, total=item.total)
        if not ranks.alone and ranks.any(control.stopping):
            return None
    return result


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
        if control.asked_to_stop():
            work.close()
            return None
