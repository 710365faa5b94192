"""``events.jsonl``: an append-only log in which a line counts once its newline is written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from cnn_core.regular_files import open_regular
from cnn_core.training.events import Event, decode

EVENTS = "events.jsonl"
_BLOCK = 1 << 16
# No event comes near it; what follows a line that is longer is not read.
_LONGEST = 1 << 25


class EventAppender:
    """The writing end, for the one process that holds the run's lock; a context manager.

    A torn last line, which only a crash leaves, is cut off on opening.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self._size = _end_of_whole_lines(self._descriptor)
        os.ftruncate(self._descriptor, self._size)
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._descriptor)

    def append(self, line: bytes) -> None:
        """Append a line (given without newline), or leave the log as it was and raise OSError."""
        rest = memoryview(line + b"\n")
        if self._torn:
            self._cut()
        try:
            while rest:  # one write, unless the disk fills up or a signal comes
                rest = rest[os.write(self._descriptor, rest) :]
        except BaseException:
            self._torn = True
            with contextlib.suppress(OSError):  # then before the next line
                self._cut()
            raise
        self._size += len(line) + 1

    def sync(self) -> None:
        """Force everything appended to the disk."""
        os.fsync(self._descriptor)

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._size)
        self._torn = False


class EventLines:
    """The reading end: iterating gives the timed events of whole lines from ``offset`` on.

    ``offset`` moves on with every line, so that iterating again gives what was appended since.
    Lines that are no events are skipped and counted in ``damaged``. No log is an empty log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.offset = 0
        self.damaged = 0

    def __iter__(self) -> Iterator[tuple[float, Event]]:
        try:
            file = open_regular(self._path)
        except FileNotFoundError:
            return
        with file:
            file.seek(self.offset)
            while (line := file.readline(_LONGEST)).endswith(b"\n"):
                self.offset += len(line)
                try:
                    timed = decode(line)
                except (ValueError, RecursionError):  # the latter by JSON nested too deeply
                    self.damaged += 1
                else:
                    yield timed


def last_event(path: Path) -> Event | None:
    """Return the event in the last whole line of a log; None where it has none, or is longer.

    Costs the same for a log of any length.
    """
    try:
        with open_regular(path) as file:
            end = _end_of_whole_lines(file.fileno())
            start = max(0, end - _BLOCK)
            *_, line = os.pread(file.fileno(), end - start, start).splitlines() or [b""]
        return decode(line)[1]
    except (OSError, ValueError, RecursionError):
        return None


def _end_of_whole_lines(descriptor: int) -> int:
    """Return the number of bytes up to and with the last newline."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
