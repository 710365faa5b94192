"""Writing to a terminal that may be slow, stalled or gone, without waiting for it."""

import errno
import os
import select
import termios
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

_BACKLOG_BYTES = 64 * 1024
"""More than two full repaints of a large terminal: what waits beyond it is out of date."""
_PIECE_BYTES = 4096
_LOOK_S = 0.1
"""How often a writer that waits for the terminal looks whether it shall give up."""
_FAREWELL_S = 0.5

# Ends an escape sequence cut off in the middle, and a synchronised update with it.
_CANCEL = b"\x18\x1b[?2026l"


class _Chunk(NamedTuple):
    data: bytes
    frame: bool


class Outlet(threading.Thread):
    """Writes in a thread of its own; frames that the link can't carry in time are dropped.

    A frame changes a part of the screen, so after a dropped one the picture is torn: all that
    follow are dropped too until the terminal has caught up. Then ``caught_up`` is called, which
    must paint the whole screen. Settings of the terminal are never dropped. ``lost`` is called
    when the terminal is gone. Both are called in the thread, and not once ``close`` was called.
    """

    def __init__(
        self, descriptor: int, *, caught_up: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        super().__init__(name="terminal-output", daemon=True)
        self._descriptor = _own_description(descriptor)
        self._caught_up, self._lost = caught_up, lost
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[_Chunk] = deque()
        self._backlog_bytes = 0
        self._torn = self._closing = self._hurried = self._given_up = False

    def put(self, data: bytes, *, frame: bool) -> None:
        """Have data written; a frame only if the link is up to it."""
        with self._changed:
            if frame and (self._torn or self._backlog_bytes > _BACKLOG_BYTES):
                self._torn = True
                return
            self._waiting.append(_Chunk(data, frame))
            self._backlog_bytes += len(data)
            self._changed.notify()

    def close(self, patience_s: float) -> None:
        """Write what waits and end; when patience runs out the settings only, if they can be."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.join(patience_s)
        if not self.is_alive():
            return
        with self._changed:
            self._hurried = True
            settings = [chunk for chunk in self._waiting if not chunk.frame]
            self._waiting = deque([_Chunk(_CANCEL, False), *settings])
        # What the stalled reader has not taken yet makes room for the farewell.
        with suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCOFLUSH)
        self.join(_FAREWELL_S)
        self._given_up = True

    def run(self) -> None:
        """Write what comes until closed or until the terminal is gone."""
        try:
            while (chunk := self._next()) is not None:
                self._write(chunk)
        except OSError:  # EIO after a hang-up, EPIPE, ENXIO: nobody is there any more
            if not self._closing:
                self._lost()
        finally:
            os.close(self._descriptor)

    def _next(self) -> _Chunk | None:
        with self._changed:
            if not self._waiting and self._torn and not self._closing:
                self._torn = False
                self._caught_up()
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting else None

    def _write(self, chunk: _Chunk) -> None:
        rest = memoryview(chunk.data)
        while rest and not (self._given_up or (self._hurried and chunk.frame)):
            if not select.select([], [self._descriptor], [], _LOOK_S)[1]:
                continue
            try:
                written = os.write(self._descriptor, rest[:_PIECE_BYTES])
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                continue
            rest = rest[written:]
            with self._changed:
                self._backlog_bytes -= written


def _own_description(descriptor: int) -> int:
    """Return a new descriptor of the same terminal, on which writes do not block if possible.

    Making the given one non-blocking would do the same to the shell that shares it.
    """
    try:
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(os.ttyname(descriptor), flags)
    except OSError:  # no terminal, one without a name here, or another user's
        return os.dup(descriptor)
