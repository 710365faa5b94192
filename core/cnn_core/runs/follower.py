"""Following a run's events while they are written, by anyone, anywhere."""

from pathlib import Path

from cnn_core.runs.event_log import EVENTS, EventLines
from cnn_core.training.events import Event


class EventFollower:
    """Gives the events of a run as they come; a poll costs one ``stat`` if nothing grew.

    ``damaged`` counts lines that were no events. ``restarts`` counts how often the log was
    found shorter or replaced: the poll that finds it gives all events from the start again.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / EVENTS
        self._lines = EventLines(self._path)
        self._seen = (0, 0)  # inode and size at the last poll; no file: (0, 0)
        self.restarts = 0

    @property
    def damaged(self) -> int:
        """Lines since the start of the log that were no events."""
        return self._lines.damaged

    def poll(self) -> list[tuple[float, Event]]:
        """Return the events of lines that became whole since the last poll, with their times."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        inode, size = self._seen
        self._seen = (stat.st_ino, stat.st_size)
        if self._seen == (inode, size):
            return []
        if inode and (stat.st_ino != inode or stat.st_size < self._lines.offset):
            self._lines = EventLines(self._path)
            self.restarts += 1
        return list(self._lines)
