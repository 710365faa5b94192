"""Runs that are deleted: at once, never while they are written, and nothing of them stays."""

import contextlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cnn_core.errors import UserError
from cnn_core.runs.directory import check_own_files, create_run, find_run, list_runs
from cnn_core.runs.index import run_rows
from cnn_core.runs.lock import RunLock
from cnn_core.runs.reader import read_summary
from cnn_core.runs.removal import delete_run
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import Preparing, RunFinished


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def make(runs: Path, name: str = "digits") -> Path:
    run = create_run(runs, name, f'name = "{name}"\n', {})
    with RunWriter(run) as writer:
        writer.write(RunFinished(status="finished"))
    (run / "checkpoints" / "best.pt").write_bytes(b"weights")
    return run


def test_a_run_and_all_its_files_go_and_others_stay(runs: Path) -> None:
    run, other = make(runs), make(runs)
    run_rows(runs)
    delete_run(run)
    assert list_runs(runs) == [other]
    assert [row["id"] for row in run_rows(runs)] == [other.name]
    assert {path.name for path in runs.iterdir()} == {other.name, ".index.json"}
    with pytest.raises(UserError, match="no run"):
        find_run(runs, run.name)
    with pytest.raises(UserError, match="not the folder of a run"):
        delete_run(run)


def test_waiting_interrupted_and_damaged_runs_go_too(runs: Path) -> None:
    waiting = create_run(runs, "x", "", {})
    interrupted, damaged = make(runs), make(runs)
    with RunWriter(interrupted) as writer:
        writer.write(Preparing(what="x"))
    (damaged / "config.toml").unlink()
    (damaged / "summary.json").write_text("{")
    for run in (waiting, interrupted, damaged):
        delete_run(run)
    assert list(runs.iterdir()) == []


def test_a_run_that_is_written_stays_as_it_is(runs: Path) -> None:
    run = make(runs)
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
        with pytest.raises(UserError, match="is writing it"):
            delete_run(run)
        assert read_summary(run)["status"] == "running"
        writer.write(RunFinished(status="stopped"))
    assert (run / "checkpoints" / "best.pt").read_bytes() == b"weights"
    delete_run(run)
    assert list_runs(runs) == []


def test_a_deletion_cut_short_is_completed_by_the_next(runs: Path, monkeypatch) -> None:
    first, second = make(runs), make(runs)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            delete_run(first)
    assert list_runs(runs) == [second]
    assert [row["id"] for row in run_rows(runs)] == [second.name]
    assert len(list(runs.glob(".deleted*"))) == 1
    delete_run(second)
    assert [path.name for path in runs.iterdir()] == [".index.json"]


def test_files_that_cannot_be_removed_are_told(runs: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    run = make(runs)
    with monkeypatch.context() as patch:
        patch.setattr("os.rmdir", refuse)
        with pytest.raises(UserError, match=r"can't be removed from .*\.deleted-"):
            delete_run(run)
    assert list_runs(runs) == []


def test_folders_that_are_no_runs_are_left_alone(runs: Path, tmp_path: Path) -> None:
    run = make(runs)
    project = tmp_path / "project"
    shutil.copytree(run, project)  # has all that a run has but the name
    (runs / f"{run.name[:-4]}0000").symlink_to(project)
    for path in (project, runs, runs / f"{run.name[:-4]}0000", runs / f"{run.name[:-4]}0001"):
        with pytest.raises(UserError, match="not the folder of a run, so it is not deleted"):
            delete_run(path)
    assert (project / "config.toml").is_file()
    assert list_runs(runs)


def attempt(act: Callable[[Path], None], run: Path) -> None:
    with contextlib.suppress(UserError):  # whoever comes second is told
        act(run)


@pytest.mark.parametrize("rival", ["delete", "write"])
def test_rivals_for_a_run_leave_no_ghost_of_it(runs: Path, rival: str) -> None:
    def write(run: Path) -> None:
        with RunWriter(run) as writer:
            writer.write(Preparing(what="x"))

    other = delete_run if rival == "delete" else write
    for _ in range(10):
        run = make(runs)
        threads = [threading.Thread(target=attempt, args=(act, run)) for act in (delete_run, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if run.exists():  # the writer had it, and for longer than deleting waits
            delete_run(run)
        assert list(runs.iterdir()) == []


def test_a_run_that_is_gone_has_no_files_to_check(runs: Path) -> None:
    run = make(runs)
    delete_run(run)
    with pytest.raises(UserError, match="it was deleted"):
        check_own_files(run)


def test_a_lock_taken_after_the_deletion_makes_no_run(runs: Path) -> None:
    run = make(runs)
    lock = RunLock(run)
    delete_run(run)
    with pytest.raises(UserError, match="it was deleted"):
        lock.__enter__()
    assert list(runs.iterdir()) == []
