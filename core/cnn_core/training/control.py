"""Requests to a training in progress; the engine looks at them between steps."""

import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Literal

RequestKind = Literal["stop", "finish", "pause", "unpause", "checkpoint", "set_lr"]
Source = Callable[[], Iterable[tuple[RequestKind, float | None]]]

# Requests may lie in files on a network disk: asking for them is not free.
_POLL_INTERVAL_S = 0.25
PAUSE_STEP_S = 0.05
# Between progress events: each reads figures from the device, which waits for it.
PROGRESS_INTERVAL_S = 0.5


class Control:
    """What others want of a training: any thread asks, the training thread answers."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._polled = 0.0
        # A signal's handler asks in the training thread, maybe while that holds the lock.
        self._lock = threading.RLock()
        self._checkpoint = False
        self._lr: float | None = None
        self.stopping = False
        self.finishing = False
        self.paused = False

    def listen(self, source: Source) -> None:
        """Bring in requests from elsewhere too, such as the run directory.

        The training thread calls ``source`` at most four times a second.
        """
        self._source = source

    def request(self, kind: RequestKind, value: float | None = None) -> None:
        """Ask for something; ``value`` is the rate of ``set_lr``: ValueError unless above 0."""
        if kind == "set_lr" and not (value is not None and 0 < value < math.inf):
            raise ValueError(f"a learning rate is above 0 and finite, not {value}")
        with self._lock:
            match kind:
                case "stop":
                    self.stopping = True
                case "finish":
                    self.finishing = True
                case "pause":
                    self.paused = True
                case "unpause":
                    self.paused = False
                case "checkpoint":
                    self._checkpoint = True
                case "set_lr":
                    self._lr = value

    def poll(self) -> None:
        """Bring in requests from the source between two steps, if it is time to look."""
        self._bring_in()

    def asked_to_stop(self) -> bool:
        """Return whether this process is asked to stop; for other work than steps."""
        self._bring_in()
        return self.stopping

    def _bring_in(self) -> None:
        now = time.monotonic()
        if self._source is None or now - self._polled < _POLL_INTERVAL_S:
            return
        self._polled = now
        for kind, value in self._source():
            self.request(kind, value)

    def due(self, age_s: float) -> bool:
        """Return whether it is time to tell of figures that are so many seconds old."""
        return age_s >= PROGRESS_INTERVAL_S

    def wait_while_paused(self) -> None:
        """Return when training may go on or shall end; uses hardly any processor time."""
        while self.paused and not (self.stopping or self.finishing):
            time.sleep(PAUSE_STEP_S)
            self.poll()

    def take_checkpoint(self) -> bool:
        """Return whether a checkpoint was asked for since the last call."""
        with self._lock:
            asked, self._checkpoint = self._checkpoint, False
        return asked

    def take_lr(self) -> float | None:
        """Return the learning rate asked for since the last call, if any."""
        with self._lock:
            lr, self._lr = self._lr, None
        return lr
