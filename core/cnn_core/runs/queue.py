"""Runs that wait for their turn: an ordered list of ids beside them, and the right to take them."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.file_lock import FileLock, HeldError
from cnn_core.files import Stamp, stamp_of, write_atomically, write_text_atomically
from cnn_core.regular_files import read_regular
from cnn_core.runs.directory import is_run_id, run_ids
from cnn_core.runs.encoding import json_bytes
from cnn_core.runs.event_log import EVENTS
from cnn_core.runs.lock import is_live, is_locked
from cnn_core.runs.rows import RowReader

QUEUE = ".queue.json"
_LOCK = ".queue.lock"
_HOLDER = ".queue.holder"
_SLOTS = ".queue.slots"
_TAKEN = ".queue.taken"
_WAITING = ("queued", "stopped", "interrupted", "failed")
# Changes take milliseconds; a process that was suspended in the middle of one is told of.
_PATIENCE_S = 10.0
_PROBE_S = 1.0


class QueueHold:
    """The right to start the runs that wait; it goes with the process."""

    def __init__(self, lock: FileLock, taken: Path) -> None:
        self._lock, self._taken = lock, taken

    def release(self) -> None:
        """Leave the right to others; what was taken is no longer theirs to begin."""
        with contextlib.suppress(OSError):
            self._taken.unlink(missing_ok=True)
        self._lock.release()


class Queue:
    """The runs of a folder that wait, in order; any thread and process may change it.

    A run waits as long as it is in the list and may be started: it is not being trained, and has
    neither finished nor diverged. A damaged list is an empty one; the file is kept beside it
    under another name once there is something to write. All but ``ids`` raise UserError where
    files can't be written.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._path = runs_dir / QUEUE
        self._rows = RowReader(runs_dir)
        self._seen: tuple[Stamp | None, list[str]] = (None, [])

    def ids(self) -> list[str]:
        """Return the ids of the runs that wait, the next one first.

        Costs one ``stat``, and one for each run.
        """
        return [run_id for run_id in self._listed() if self._may_start(run_id)]

    def add(self, run_id: str) -> None:
        """Let a run wait behind all others, or where it waits already.

        Raises UserError for a run that does not exist or can't be started.
        """
        row = self._rows.read(run_id) if is_run_id(run_id) else None
        if row is None:
            near = did_you_mean(run_id, run_ids(self._runs_dir))
            raise UserError(f"no run '{printable(run_id)}' in {printable(self._runs_dir)}{near}")
        if row["status"] not in _WAITING:
            raise UserError(
                f"run {run_id} is {row['status']}: only a run that is "
                f"{', '.join(_WAITING[:-1])} or {_WAITING[-1]} can wait to be trained"
            )
        with self._changing() as ids:
            if run_id not in ids:
                ids.append(run_id)

    def remove(self, run_id: str) -> None:
        """Let a run wait no more; UserError where it does not."""
        self._check_listed(run_id)
        self.discard(run_id)

    def discard(self, run_id: str) -> None:
        """Let a run wait no more, if it does."""
        if run_id in self._listed():
            with self._changing() as ids:
                if run_id in ids:
                    ids.remove(run_id)

    def move(self, run_id: str, by: int) -> None:
        """Move a run ``by`` places towards the end (negative: the front), at most to it.

        Raises UserError where it does not wait.
        """
        self._check_listed(run_id)
        with self._changing() as ids:
            if run_id in ids:
                place = ids.index(run_id)
                ids.insert(max(0, place + by), ids.pop(place))

    def take(self) -> str | None:
        """Remove the first run that can be started and return its id, None if none waits."""
        if not self._listed():
            return None
        with self._changing() as ids:
            while ids:
                run_id = ids.pop(0)
                if not is_live(self._runs_dir / run_id):  # whose first event is still to come
                    self._note_taken(run_id)  # before the list is without it
                    return run_id
        return None

    def try_hold(self) -> QueueHold | None:
        """Return the right to start the runs that wait, None while another process has it.

        What one that was killed had taken and not begun waits again, before all others.
        """
        lock = FileLock(self._runs_dir / _HOLDER)
        try:
            if not lock.acquire(_PROBE_S):  # a look at it holds it for microseconds
                return None
            (self._runs_dir / _SLOTS).unlink(missing_ok=True)
            self._put_back_taken()
        except OSError as error:
            raise self._unwritable(error) from error
        return QueueHold(lock, self._runs_dir / _TAKEN)

    def slots(self) -> int | None:
        """Return how many runs the process that trains the queue trains at once.

        None where no process does, or one by one in itself.
        """
        try:
            wanted = int(read_regular(self._runs_dir / _SLOTS))
        except (OSError, ValueError):
            return None
        return wanted if is_locked(self._runs_dir / _HOLDER) else None

    def set_slots(self, count: int) -> None:
        """Tell the process that trains the queue how many runs to train at once; 0: no more."""
        try:
            write_text_atomically(self._runs_dir / _SLOTS, str(count), sync=False)
        except OSError as error:
            raise self._unwritable(error) from error

    def _note_taken(self, run_id: str) -> None:
        """Keep how long the logs of the runs are that were taken and have not begun yet."""
        taken = {one: size for one, size in self._taken().items() if self._logged(one) == size}
        taken[run_id] = self._logged(run_id)
        content = json_bytes(taken)
        write_atomically(self._runs_dir / _TAKEN, lambda file: file.write(content))

    def _put_back_taken(self) -> None:
        left = [one for one, size in self._taken().items() if self._logged(one) == size]
        if left:
            with self._changing() as ids:
                ids[:0] = [one for one in left if one not in ids and self._may_start(one)]
        (self._runs_dir / _TAKEN).unlink(missing_ok=True)

    def _taken(self) -> dict[str, int]:
        try:
            taken: Any = json.loads(read_regular(self._runs_dir / _TAKEN))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(taken, dict):
            return {}
        return {one: size for one, size in taken.items() if is_run_id(one)}

    def _logged(self, run_id: str) -> int:
        """Return the bytes of a run's log: more once it has begun."""
        try:
            return (self._runs_dir / run_id / EVENTS).stat().st_size
        except OSError:
            return 0

    def _check_listed(self, run_id: str) -> None:
        if run_id not in self._listed():
            near = did_you_mean(run_id, self.ids())
            raise UserError(f"run '{printable(run_id)}' does not wait in the queue{near}")

    def _may_start(self, run_id: str) -> bool:
        row = self._rows.read(run_id)
        return row is not None and row["status"] in _WAITING

    def _listed(self) -> list[str]:
        """Return all ids in the file, whatever became of their runs."""
        stamp, ids = stamp_of(self._path), self._seen[1]
        if stamp != self._seen[0]:
            ids = self._read() or []
            self._seen = stamp, ids
        return ids

    def _read(self) -> list[str] | None:
        """Return the ids in the file, None if it is damaged."""
        try:
            ids: Any = json.loads(read_regular(self._path))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError):
            return None
        whole = isinstance(ids, list) and all(isinstance(i, str) and is_run_id(i) for i in ids)
        return list(dict.fromkeys(ids)) if whole else None

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[str]]:
        """Give the ids of the runs that wait; what the body makes of them is written."""
        try:
            with FileLock(self._runs_dir / _LOCK).held(_PATIENCE_S):
                listed = self._read()
                ids = [run_id for run_id in listed or [] if self._may_start(run_id)]
                yield ids
                if listed is None:
                    self._path.rename(self._path.with_suffix(f".damaged-{time.time_ns()}"))
                if ids != listed:
                    write_atomically(self._path, lambda file: file.write(json_bytes(ids)))
        except HeldError:
            raise UserError(
                f"{printable(self._path)}: another process has been changing it for "
                f"{_PATIENCE_S:.0f} s"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"queue in {printable(self._runs_dir)}: {error.strerror}")
