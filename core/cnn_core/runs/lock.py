"""One writer for a run: a lock held by its process, and a heartbeat for other machines."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cnn_core.errors import CnnTuiError, UserError, printable
from cnn_core.file_lock import FileLock, HeldError, lock
from cnn_core.files import write_atomically
from cnn_core.regular_files import open_regular, read_whole
from cnn_core.runs.encoding import json_bytes

LOCK = "lock"
HEARTBEAT = "heartbeat.json"
BEAT_S = 5.0
STALE_S = 60.0
# A probe holds the lock for microseconds; a second writer is told no after this long.
_PATIENCE_S = 1.0


class RunHeldError(UserError):
    """Another process, or another part of this one, writes the run."""


class RunTakenError(CnnTuiError):
    """Another process has become the writer of a run that this one was writing."""


class RunLock:
    """Context manager that makes this process the only writer of a run.

    Raises RunHeldError, naming process and host, where the run has a writer already. The lock
    goes with the process, however it dies; the heartbeat file is removed by a tidy end.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir, self._heartbeat = run_dir, run_dir / HEARTBEAT
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            owner = {"host": _host(), "pid": os.getpid(), "time": time.time()}
            try:
                stack.enter_context(FileLock(self._run_dir / LOCK).held(_PATIENCE_S))
                # Some network file systems keep locks to one machine: there the heartbeat decides.
                if _beats_elsewhere(_owner(self._run_dir)):
                    raise RunHeldError(_refusal(self._run_dir))
                content = json_bytes(owner)
                write_atomically(self._heartbeat, lambda file: file.write(content), sync=False)
                # Open as long as it counts: another's file can't have the same number meanwhile.
                self._beat = os.open(self._heartbeat, os.O_RDONLY)
            except HeldError:
                raise RunHeldError(_refusal(self._run_dir)) from None
            except FileNotFoundError:
                run = printable(self._run_dir.name)
                raise UserError(f"run {run}: it was deleted") from None
            except OSError as error:
                raise UserError(
                    f"run {printable(self._run_dir.name)}: can't be written: {error.strerror}"
                ) from error
            stack.callback(os.close, self._beat)
            stack.callback(self._remove_heartbeat)
            stack.enter_context(_beating(self._beat))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._exit.close()

    def check(self) -> None:
        """Raise RunTakenError where the run has, or had, another writer since.

        Where a file system keeps locks to one machine, that may be while this process is suspended
        for longer than a heartbeat counts. Raises OSError where the folder is gone, or can't be
        looked at now. Costs two system calls.
        """
        try:
            ours = self._is_beat(self._heartbeat.stat())
        except FileNotFoundError:
            self._run_dir.stat()
            ours = False
        if not ours:
            owner = _owner(self._run_dir)
            by = f"process {owner.pid} on {printable(owner.host)}" if owner else "another process"
            raise RunTakenError(
                f"run {printable(self._run_dir.name)}: {by} has taken it over while this one was "
                "suspended; nothing more is written here"
            )

    @property
    def is_ours(self) -> bool:
        """Whether this process still is the run's writer."""
        try:
            return self._is_beat(self._heartbeat.stat())
        except OSError:
            return False

    def _is_beat(self, found: os.stat_result) -> bool:
        """Return whether the heartbeat that was found is the one that this process made."""
        try:
            return os.path.samestat(found, os.fstat(self._beat))
        except OSError:  # no longer known to a server: another has replaced it
            return False

    def _remove_heartbeat(self) -> None:
        # Where the disk keeps it, it is stale in a minute, and the lock is gone at once.
        if self.is_ours:
            with contextlib.suppress(OSError):
                self._heartbeat.unlink()


def is_live(run_dir: Path) -> bool:
    """Return whether some process writes the run now; never disturbs it.

    On this machine the lock tells. For another one it is the age of the heartbeat: a process
    that died there counts as live for up to 60 s.
    """
    owner = _owner(run_dir)
    if owner is not None and owner.host != _host():
        return _beats_elsewhere(owner)
    locked = is_locked(run_dir / LOCK)
    if locked is None:  # a file system without locks
        return owner is not None and owner.age_s < STALE_S
    return locked


def is_locked(path: Path) -> bool | None:
    """Return whether a process holds the lock on a file, None where the file system has none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # it may be a pipe
    except OSError:
        return False  # never locked, or not ours to look at
    try:
        # So that two probes at once don't take each other for a holder.
        return not lock(descriptor, shared=True)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def writer_elsewhere(run_dir: Path) -> str | None:
    """Return the name of the other machine that writes the run now, None where none does."""
    owner = _owner(run_dir)
    return owner.host if owner is not None and _beats_elsewhere(owner) else None


@dataclass(frozen=True, slots=True)
class _Owner:
    host: str
    pid: int
    age_s: float


def _owner(run_dir: Path) -> _Owner | None:
    """Return who last wrote the heartbeat, None if there is none or it is unreadable."""
    try:
        with open_regular(run_dir / HEARTBEAT) as file:  # by opening, NFS asks for the true time
            age_s = time.time() - os.fstat(file.fileno()).st_mtime
            record = json.loads(read_whole(file, HEARTBEAT))
        return _Owner(str(record["host"]), int(record["pid"]), age_s)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _host() -> str:
    return os.uname().nodename


def _beats_elsewhere(owner: _Owner | None) -> bool:
    return owner is not None and owner.host != _host() and owner.age_s < STALE_S


def _refusal(run_dir: Path) -> str:
    run = f"run {printable(run_dir.name)}"
    owner = _owner(run_dir)
    if owner is None:
        return f"{run}: another process is writing it; wait for its end or stop it first"
    seen = f", seen {max(0.0, owner.age_s):.0f} s ago" if _beats_elsewhere(owner) else ""
    return (
        f"{run}: process {owner.pid} on {printable(owner.host)} is writing it{seen}; "
        "wait for its end or stop it first"
    )


@contextlib.contextmanager
def _beating(heartbeat: int) -> Iterator[None]:
    """Touch an open file every few seconds, from a thread that dies with the process."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            # A beat may be missed (a full quota, a server away); the lock is what holds the run.
            with contextlib.suppress(OSError):
                os.utime(heartbeat)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
