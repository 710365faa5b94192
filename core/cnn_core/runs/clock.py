"""How long a run has been running, told by the times of its events."""

from cnn_core.training.events import Event, Notice, Preparing, RunFinished, RunStarted


class RunClock:
    """The time spent in all sessions of a run, without the gaps between them.

    A session that ended in a crash has no last event, and the next one may begin with the
    preparations before its RunStarted: those are counted to the session that starts. One that was
    killed in its preparations shows where the next one prepares the same again from less. A clock
    that was put back takes no time away.
    """

    def __init__(self) -> None:
        self._closed_s = 0.0
        self._began: float | None = None  # the session's first event
        self._worked: float | None = None  # the session's last event that only training sends
        self._prepared: float | None = None  # the first preparation after that one
        self._preparing: tuple[Preparing, float] | None = None  # the last one, and its time
        self._after: float | None = None  # the first event after that one
        self._latest = 0.0
        self._put_back_s = 0.0

    def fold(self, time: float, event: Event) -> None:
        """Take in the next event, which happened at ``time`` (Unix seconds)."""
        time += self._put_back_s
        if time < self._latest:
            self._put_back_s += self._latest - time
            time = self._latest
        self._latest = time
        self._close_killed_preparation(time, event)
        if isinstance(event, RunStarted) and self._began is not None and self._worked is not None:
            self._closed_s += self._worked - self._began
            self._began = time if self._prepared is None else self._prepared
        if self._began is None:
            self._began = time
        if isinstance(event, Preparing | Notice):
            if self._prepared is None:
                self._prepared = time
        else:
            self._worked, self._prepared = time, None
        if isinstance(event, RunFinished):
            self._closed_s += time - self._began
            self._began = self._worked = None

    def _close_killed_preparation(self, time: float, event: Event) -> None:
        if self._after is None:
            self._after = time
        if not isinstance(event, Preparing | Notice):
            self._preparing = None
        elif isinstance(event, Preparing):
            if self._preparing is not None:
                before, at = self._preparing
                if event.what == before.what and event.done < before.done:
                    self._closed_s -= self._after - at
            self._preparing, self._after = (event, time), None

    def total_s(self) -> float:
        """Return the seconds from the first event to the last one folded."""
        return self._closed_s + (0.0 if self._began is None else self._latest - self._began)
