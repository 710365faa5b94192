"""What trains now and what waits for it, read from the runs folder."""

from dataclasses import dataclass, field
from pathlib import Path

from cnn_core.errors import CnnTuiError
from cnn_core.runs.index import Row
from cnn_core.runs.queue import Queue
from cnn_core.runs.watcher import RunsWatcher
from cnn_tui.run_feed import RunFeed

_LIVE = ("running", "paused")


@dataclass(frozen=True, slots=True)
class QueueLook:
    """The rows of runs that train, in any process, and of those that wait, in order.

    ``left_s`` holds the seconds until the last epoch of a training run ends, None: not known.
    ``slots`` is how many of those that wait a process trains at once, None where none does so.
    """

    live: list[Row] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)
    left_s: dict[str, float | None] = field(default_factory=dict)
    slots: int | None = None


class QueueReader:
    """Looks again and again; ``look`` reads files, so call it off the event loop."""

    def __init__(self, runs_dir: Path, queue: Queue) -> None:
        self._runs_dir, self._queue = runs_dir, queue
        self._watcher = RunsWatcher(runs_dir)
        self._feeds: dict[str, RunFeed] = {}

    def look(self) -> QueueLook:
        """Return what is there now; raises UserError if the runs folder can't be read."""
        self._watcher.poll()
        rows = {row["id"]: row for row in self._watcher.rows}
        live = [row for row in rows.values() if row["status"] in _LIVE]
        left_s = {row["id"]: self._left_s(row["id"]) for row in live}
        self._feeds = {run_id: feed for run_id, feed in self._feeds.items() if run_id in left_s}
        waiting = [rows[run_id] for run_id in self._queue.ids() if run_id in rows]
        return QueueLook(live, waiting, left_s, self._queue.slots())

    def _left_s(self, run_id: str) -> float | None:
        try:
            feed = self._feeds.get(run_id) or RunFeed(self._runs_dir / run_id)
            self._feeds[run_id] = feed
            feed.poll()
        except (CnnTuiError, OSError):  # gone, or damaged: its row says so
            return None
        return feed.eta_s()
