"""Sweeps as their folders tell them, whoever trains them."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cnn_core.errors import CnnTuiError
from cnn_core.files import Stamp, stamp_of
from cnn_core.search.begun import SWEEP, SWEEPS, sweep_names
from cnn_core.search.folder import SweepFolder, open_sweep

if TYPE_CHECKING:
    from cnn_core.search.results import SweepReader, SweepResults

State = Literal["not begun", "in training", "stopped", "done"]

# Between two trials of a worker no run is alive for a moment.
_PAUSE_S = 4.0
_ALIVE = ("running", "paused")


class SweepWatch:
    """One sweep, looked at again and again; ``poll`` reads files, so call it off the event loop.

    ``folder`` and ``results`` are as of the last look, ``error`` says why there are none.
    """

    def __init__(self, runs_dir: Path, name: str) -> None:
        self._runs_dir, self.name = runs_dir, name
        self.folder: SweepFolder | None = None
        self.results: SweepResults | None = None
        self.error: str | None = None
        self._reader: SweepReader | None = None
        self._file_stamp: Stamp | None = None
        self._journal_stamp: Stamp | None = None
        self._alive_at = -_PAUSE_S
        self._state: State = "not begun"

    @property
    def state(self) -> State:
        """How far it is. In training is a sweep with a run that some process writes."""
        return self._state

    @property
    def training(self) -> bool:
        """Whether trials are being trained."""
        return self._state == "in training"

    def poll(self) -> bool:
        """Take in what was written since; return whether anything changed."""
        before = self.folder, self.results, self.error, self._state
        try:
            self._read()
        except (CnnTuiError, OSError) as error:
            self.error, self._reader, self._file_stamp = str(error), None, None
        else:
            self.error = None
        self._state = self._state_now()
        return (self.folder, self.results, self.error, self._state) != before

    def importance(self) -> dict[str, float] | None:
        """Return ``SweepReader.importance()``, which takes up to some seconds."""
        return self._reader.importance() if self._reader is not None else None

    def _read(self) -> None:
        from cnn_core.search.results import SweepReader  # imports Optuna, 0.3 s
        from cnn_core.search.storage import JOURNAL

        path = self._runs_dir / SWEEPS / self.name
        stamp = stamp_of(path / SWEEP)
        if self._reader is None or stamp != self._file_stamp:
            self.folder = open_sweep(self._runs_dir, self.name)
            self._reader, self._file_stamp = SweepReader(self.folder), stamp
            self._journal_stamp = None
        storage = self._reader.folder.sweep.search.storage
        journal = stamp_of(path / JOURNAL) if storage is None else None
        if journal is None or journal != self._journal_stamp or self._unsettled:
            self.results, self._journal_stamp = self._reader.read(), journal

    @property
    def _unsettled(self) -> bool:
        """Whether a run may go on without a word in the journal."""
        return self.results is None or not all(trial.ended for trial in self.results.trials)

    def _state_now(self) -> State:
        if self.results is None or not self.results.trials:
            return "not begun"
        now = time.monotonic()
        if any(trial.status in _ALIVE for trial in self.results.trials):
            self._alive_at = now
        if self.results.ended >= self.results.wanted:
            return "done"
        return "in training" if now - self._alive_at < _PAUSE_S else "stopped"


class SweepsWatch:
    """All sweeps of a folder, in the order of their names; ``poll`` reads files."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._watches: dict[str, SweepWatch] = {}

    @property
    def sweeps(self) -> list[SweepWatch]:
        """The sweeps as of the last look."""
        return list(self._watches.values())

    def poll(self) -> bool:
        """Take in what was written since; return whether anything changed."""
        names = sweep_names(self._runs_dir)
        before = list(self._watches)
        self._watches = {
            name: self._watches.get(name) or SweepWatch(self._runs_dir, name) for name in names
        }
        changed = [watch.poll() for watch in self._watches.values()]
        return any(changed) or names != before
