"""Locks that go with their holder, and what a file system without any is told."""

import errno
import fcntl
from pathlib import Path

import pytest

from cnn_core.errors import UserError
from cnn_core.file_lock import FileLock, HeldError, abandoned
from cnn_core.files import write_text_atomically
from cnn_core.made_once import made_once
from cnn_core.runs.directory import create_run
from cnn_core.runs.lock import RunLock
from cnn_core.runs.queue import Queue


def test_one_object_holds_it_at_a_time(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.acquire(0)
    assert not other.acquire(0.05)
    with pytest.raises(HeldError), other.held(0):
        pass
    one.release()
    with other.held(0):
        assert not one.acquire(0)
    assert one.acquire(0)


def test_a_lock_file_that_was_removed_is_no_lock(tmp_path: Path, monkeypatch) -> None:
    """Between opening and locking another process removes the file and makes a new one."""
    path, flock = tmp_path / "lock", fcntl.flock
    other = FileLock(path)

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        path.unlink()
        assert other.acquire(0)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert not FileLock(path).acquire(0)


@pytest.fixture
def without_locks(monkeypatch):
    def forbid(number: int) -> None:
        def flock(*_: object) -> None:
            raise OSError(number, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)

    return forbid


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told(tmp_path: Path, without_locks, number: int) -> None:
    run_dir = create_run(tmp_path / "runs", "x", 'name = "x"\n', {})
    without_locks(number)
    told = r"its file system has no locks \(.*\), which keep two processes .* another one"
    with pytest.raises(UserError, match=told):
        RunLock(run_dir).__enter__()
    with pytest.raises(UserError, match=told):
        Queue(run_dir.parent).try_hold()
    with pytest.raises(UserError, match=told):
        list(made_once(tmp_path / "cache" / "x", "pixels", lambda: "none", lambda _: iter(())))
    # What needs no lock goes on without one, and takes nobody's file for left behind.
    left = tmp_path / ".note.abcdefgh.tmp"
    left.touch()
    write_text_atomically(tmp_path / "note", "x")
    assert (tmp_path / "note").read_text() == "x"
    assert left.exists()


def test_what_nobody_holds_is_abandoned(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with abandoned(path) as free:
        assert not free
    path.touch()
    with abandoned(path) as free, abandoned(path) as again:
        assert (free, again) == (True, False)
