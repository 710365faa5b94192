"""One writer for a run: a lock held by its process, and a heartbeat for other machines."""

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cnn_core.errors import UserError, printable
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


class RunLock:
    """Context manager that makes this process the only writer of a run.

    Raises RunHeldError, naming process and host, where the run has a writer already. The lock
    goes with the process, however it dies; the heartbeat file is removed by a tidy end.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Self:
        from filelock import FileLock, Timeout  # takes 50 ms, which listing runs can save

        lock = FileLock(self._run_dir / LOCK, thread_local=False)
        with contextlib.ExitStack() as stack:
            heartbeat = self._run_dir / HEARTBEAT
            owner = {"host": _host(), "pid": os.getpid(), "time": time.time()}
            try:
                stack.enter_context(lock.acquire(timeout=_PATIENCE_S))
                _check_not_deleted(self._run_dir)
                # Some network file systems keep locks to one machine: there the heartbeat decides.
                if _beats_elsewhere(_owner(self._run_dir)):
                    raise RunHeldError(_refusal(self._run_dir))
                write_atomically(heartbeat, lambda file: file.write(json_bytes(owner)), sync=False)
            except Timeout:
                raise RunHeldError(_refusal(self._run_dir)) from None
            except OSError as error:
                raise UserError(
                    f"run {printable(self._run_dir.name)}: can't be written: {error.strerror}"
                ) from error
            stack.callback(heartbeat.unlink, missing_ok=True)
            stack.enter_context(_beating(heartbeat))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._exit.close()


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
        # Shared, so that two probes at once don't take each other for a holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


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


def _check_not_deleted(run_dir: Path) -> None:
    """Raise UserError where taking the lock has made the folder of a run deleted just before."""
    if [path.name for path in run_dir.iterdir()] == [LOCK]:
        (run_dir / LOCK).unlink()
        run_dir.rmdir()
        raise UserError(f"run {printable(run_dir.name)}: it was deleted")


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
def _beating(heartbeat: Path) -> Iterator[None]:
    """Touch the file every few seconds, from a thread that dies with the process."""
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
