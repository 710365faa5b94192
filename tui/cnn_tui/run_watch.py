"""All that the page of a run shows, gathered from files in one call, off the event loop."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_core.errors import UserError
from cnn_core.runs.lock import is_live, writer_elsewhere
from cnn_core.runs.queue import Queue
from cnn_core.runs.reader import CONFIG, read_labels
from cnn_tui.device_stats import DeviceLoad, DeviceStats
from cnn_tui.run_feed import RunFeed

_SLOW_INTERVAL_S = 1.0
ALIVE = ("running", "paused")


@dataclass(slots=True)
class RunWatch:
    """A run and what surrounds it: labels, its place in the queue, the load of its device.

    What this process knows of it is set by the page: ``claimed`` while its training thread has
    the run, ``refused`` says why it could not train it.
    ``feed`` and ``document`` (``show --json`` without its history) are None before the first poll.
    ``error`` says why the run can't be read; ``gone`` that its folder is no more, while what was
    read of it stays. ``held``: a process has the run, though it may not have written of it yet.
    ``host`` names the machine that trains it, where it is another one than this.
    """

    run_dir: Path
    feed: RunFeed | None = None
    document: dict[str, Any] | None = None
    error: str | None = None
    claimed: bool = False
    refused: str | None = None
    gone: bool = False
    held: bool = False
    resumable: bool = False
    host: str | None = None
    place: tuple[int, int] | None = None
    load: DeviceLoad | None = None
    _queue: Queue = field(init=False)
    _stats: DeviceStats | None = None
    _told: tuple[Any, ...] = ()
    _labels: dict[str, Any] = field(default_factory=dict)
    _labels_mtime: int = 0
    _ending: bool = False
    _looked: float = -_SLOW_INTERVAL_S

    def __post_init__(self) -> None:
        self._queue = Queue(self.run_dir.parent)

    @property
    def status(self) -> str:
        """The run's status, "queued" before anything is known."""
        return self.feed.status if self.feed else "queued"

    @property
    def starting(self) -> bool:
        """Whether a process has taken the run and not written of it yet."""
        return self.held and self.status not in ALIVE and not self._ending

    @property
    def live(self) -> bool:
        """Whether a process trains the run now."""
        return self.starting or self.status in ALIVE

    def poll(self) -> bool:
        """Take in what is new; return whether anything to show has changed."""
        try:
            self.feed = self.feed or RunFeed(self.run_dir)
            changed = self.feed.poll()
        except UserError as error:
            return self._fail(str(error))
        except OSError as error:
            return self._fail(f"{self.run_dir}: {error.strerror}")
        recovered, self.error = self.error is not None, None
        told = (self.feed.series, self.feed.logged, self.feed.status)
        if told != self._told:
            self._told, self.document = told, self.feed.document | self._labels
            changed, self._looked = True, -_SLOW_INTERVAL_S
        if time.monotonic() - self._looked >= _SLOW_INTERVAL_S:
            self._looked = time.monotonic()
            changed |= self._look_around(self.feed)
        return changed or recovered

    def _fail(self, why: str) -> bool:
        self.gone = not self.run_dir.is_dir()
        before, self.error = self.error, why
        return before != why

    def _look_around(self, feed: RunFeed) -> bool:
        """Look at what changes seldom; return whether it did."""
        before = (self.gone, self.starting, self.resumable, self.host, self.place, self.load)
        self.gone = not self.run_dir.is_dir()
        alive = feed.status in ALIVE
        self.held = not self.gone and (alive or self.claimed or is_live(self.run_dir))
        # Who has trained it holds it for a moment after its last event.
        self._ending = self.held and (alive or self._ending)
        self.host = writer_elsewhere(self.run_dir) if self.live else None
        self.resumable = (self.run_dir / "checkpoints" / "last.pt").exists()
        waiting = [] if self.live else self._queue.ids()
        name = self.run_dir.name
        self.place = (waiting.index(name) + 1, len(waiting)) if name in waiting else None
        self.load = self._sample(feed) if alive and self.host is None else None
        after = (self.gone, self.starting, self.resumable, self.host, self.place, self.load)
        return self._read_labels() or after != before

    def _sample(self, feed: RunFeed) -> DeviceLoad | None:
        if self._stats is None and feed.started is not None:
            self._stats = DeviceStats(feed.started.device.partition(" ")[0])
        return self._stats.sample() if self._stats else None

    def _read_labels(self) -> bool:
        """Take name, notes and tags from config.toml, where people change them."""
        try:
            mtime = (self.run_dir / CONFIG).stat().st_mtime_ns
            if mtime == self._labels_mtime:
                return False
            self._labels = read_labels(self.run_dir)
        except (OSError, UserError):
            return False  # what was read of it before stays
        self._labels_mtime = mtime
        before, self.document = self.document, (self.document or {}) | self._labels
        return self.document != before
