"""Locks on files, by flock: they go with the process that holds them, however it ends.

The package filelock, where a file system has no flock, takes marker files instead, which outlive
their process: here that is refused in words.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cnn_core.errors import UserError, printable

_POLL_S = 0.02
_HELD = (errno.EAGAIN, errno.EACCES)  # the latter where NFS says so
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class HeldError(Exception):
    """Another object, in this process or another, holds the lock."""


class FileLock:
    """The right of one object in one process; another of the same file waits, or is refused.

    The file stays when the lock is let go: one that was removed would be no lock for those who
    wait for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds it."""
        return self._descriptor is not None

    def acquire(self, patience_s: float) -> bool:
        """Return whether the lock was had within so many seconds; 0 asks once.

        Raises UserError where the file system has no locks, OSError where the file can't be made.
        """
        until = time.monotonic() + patience_s
        while not self._try():
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_S)
        return True

    @contextmanager
    def held(self, patience_s: float) -> Iterator[Self]:
        """Hold the lock inside the block; raises HeldError, else as ``acquire``."""
        if not self.acquire(patience_s):
            raise HeldError(f"{self._path}: another process holds its lock")
        try:
            yield self
        finally:
            self.release()

    def release(self) -> None:
        """Let go of it, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self) -> bool:
        assert self._descriptor is None, "held already"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            if lock(descriptor) and os.fstat(descriptor).st_nlink:  # else it was just removed
                self._descriptor, descriptor = descriptor, -1
                return True
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise UserError(
                f"{printable(self._path)}: its file system has no locks ({error.strerror}), which "
                "keep two processes from writing the same: take a folder on another one, or have "
                "it mounted with flock"
            ) from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Return whether an open file could be locked at once, until it is closed.

    ``shared``: with others that share it. Raises OSError where the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True


def claim(descriptor: int) -> bool:
    """Show others that a new file is being worked on; False where one has just removed it.

    Where the file system has no locks, nobody removes anything.
    """
    try:
        return lock(descriptor) and os.fstat(descriptor).st_nlink > 0
    except OSError:
        return True


@contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Yield whether no process holds a file, and hold it inside the block; False without one."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        free = lock(descriptor)
    except OSError:
        free = False
    try:
        yield free
    finally:
        os.close(descriptor)
