"""Where Optuna keeps a sweep's study: a journal file, or any storage that it knows by a URL."""

import contextlib
import os
from pathlib import Path

from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from cnn_core.errors import UserError, first_line, printable
from cnn_core.regular_files import open_regular

JOURNAL = "study.journal"
_BEGIN = b'{"op_code"'


def open_storage(storage: str | None, folder: Path) -> BaseStorage:
    """Return the storage that a sweep names: a URL, or a file (from its folder).

    Raises UserError where it can't be reached, or is no storage.
    """
    shown = printable(storage or folder / JOURNAL)
    try:
        if storage is not None and "://" in storage:
            return RDBStorage(storage)
        path = folder / (storage or JOURNAL)
        _check_journal(path)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=_JournalLock(path)))
    except UserError:
        raise
    except Exception as error:  # whatever a database's driver raises
        raise UserError(f"storage {shown}: {first_line(error)}") from error


def _check_journal(path: Path) -> None:
    """Raise UserError where there is another file: its torn last line would be cut off."""
    try:
        with open_regular(path) as file:
            begin = file.read(len(_BEGIN))
    except FileNotFoundError:
        return
    if not _BEGIN.startswith(begin):
        raise UserError(
            f"storage {printable(path)}: no journal of Optuna, which this would become; "
            "name a file that is not there yet"
        )


class _JournalLock(BaseJournalFileLock):
    """A lock that goes with the process: Optuna's own outlives one that was killed by 30 s.

    It cuts off what such a process has left of a line, which would make the journal unreadable.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        # Not {journal}.lock: a file of that name is Optuna's own lock.
        self._lock = FileLock(journal.with_name(f".{journal.name}.lock"), thread_local=False)

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        with contextlib.suppress(FileNotFoundError):
            _cut_torn_line(self._journal)
        return True

    def release(self) -> None:
        """Let others write."""
        self._lock.release()


def _cut_torn_line(path: Path) -> None:
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        kept = end
        while kept:
            start = max(0, kept - 4096)
            file.seek(start)
            newline = file.read(kept - start).rfind(b"\n")
            if newline >= 0:
                kept = start + newline + 1
                break
            kept = start
        if kept < end:
            file.truncate(kept)
