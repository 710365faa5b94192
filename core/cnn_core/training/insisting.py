"""Writing what must not be lost to a disk that takes nothing now: waited for, and told once."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from cnn_core.errors import CnnTuiError, disk_fault, printable
from cnn_core.training.control import Control
from cnn_core.training.events import Notice

# Seconds between two attempts: doubled each time, as a large file fills what others have freed.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
# How long a run that was asked to stop waits yet.
_GRACE_S = 30.0
_STEP_S = 0.1

Written = TypeVar("Written")


class NotWrittenError(CnnTuiError):
    """The disk took no more, and was waited for long enough."""


def insisted(
    attempt: Callable[[], Iterable[Written]], what: str, run_dir: Path, control: Control
) -> Iterator[Written | Notice]:
    """Yield what ``attempt()`` yields, trying again as long as it raises OSError.

    ``what`` is being written in the run's folder. Raises NotWrittenError where that is gone, and
    where it still takes nothing half a minute after a stop was asked for.
    """
    began, pause_s, why = time.monotonic(), _FIRST_PAUSE_S, ""
    stopped: float | None = None
    while True:
        try:
            yield from attempt()
            break
        except FileNotFoundError as error:
            raise NotWrittenError(
                f"the folder of the run is gone: {printable(run_dir)}: it was removed, or its disk "
                "is no longer there"
            ) from error
        except OSError as error:
            before, why = why, f"{what} can't be written: {disk_fault(error, run_dir)}"
            if stopped is not None and time.monotonic() - stopped >= _GRACE_S:
                raise NotWrittenError(
                    f"{why}; then `cnn-tui resume {printable(run_dir.name)}` goes on from the last "
                    "checkpoint"
                ) from error
        if why != before:
            yield Notice(level="error", text=f"{why}; training waits until it is")
        if control.asked_to_stop():
            stopped = stopped or time.monotonic()
            pause_s = _FIRST_PAUSE_S
        _pause(pause_s, control, stopped=stopped is not None)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    if why:
        text = f"{why}; after {time.monotonic() - began:.0f} s it is"
        yield Notice(level="warning", text=text)


def _pause(seconds: float, control: Control, *, stopped: bool) -> None:
    """Wait, but no longer once a stop is asked for."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and (stopped or not control.asked_to_stop()):
        time.sleep(_STEP_S)
