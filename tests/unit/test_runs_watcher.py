"""A folder of runs followed: what changed is told, and what did not is not even read."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cnn_core.errors import UserError
from cnn_core.runs import rows
from cnn_core.runs.directory import create_run
from cnn_core.runs.index import run_rows
from cnn_core.runs.labels import set_labels
from cnn_core.runs.removal import delete_run
from cnn_core.runs.watcher import RunsWatcher
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import EndStatus, EpochFinished, Preparing, RunFinished, encode

EPOCH = EpochFinished(
    epoch=1,
    train_loss=1.0,
    train_acc=0.5,
    val_loss=float("nan"),
    val_acc=0.25,
    lr=0.1,
    seconds=1.0,
    images_per_s=10.0,
    best=True,
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def make(runs: Path, status: EndStatus | None = "finished") -> Path:
    run = create_run(runs, "x", 'name = "x"\n[data]\ndataset = "digits"\n', {})
    if status:
        with RunWriter(run) as writer:
            writer.write(EPOCH)
            writer.write(RunFinished(status=status))
    return run


def changes(watcher: RunsWatcher) -> tuple[list[str], list[str]]:
    found = watcher.poll()
    assert all(row in watcher.rows for row in found.changed)
    return [row["id"] for row in found.changed], found.gone


def row_of(watcher: RunsWatcher, run: Path) -> dict[str, Any]:
    return next(row for row in watcher.rows if row["id"] == run.name)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a file is read")


def test_the_first_poll_tells_all_and_the_next_nothing(runs: Path) -> None:
    made = sorted(make(runs, status).name for status in ("finished", "stopped", None))
    watcher = RunsWatcher(runs)
    assert watcher.rows == []
    assert changes(watcher) == (made, [])
    assert repr(watcher.rows) == repr(run_rows(runs))
    assert changes(watcher) == ([], [])
    assert repr(watcher.rows) == repr(run_rows(runs))


def test_an_empty_or_missing_folder_fills(runs: Path) -> None:
    watcher = RunsWatcher(runs)
    assert changes(watcher) == ([], [])
    run = make(runs)
    assert changes(watcher) == ([run.name], [])


@pytest.mark.usefixtures("each_summary")
def test_only_what_changed_is_told(runs: Path) -> None:
    first, second, third = make(runs), make(runs), make(runs, None)
    watcher = RunsWatcher(runs)
    watcher.poll()
    with RunWriter(second) as writer:
        assert changes(watcher) == ([], [])
        writer.write(Preparing(what="x"))
        assert changes(watcher) == ([second.name], [])
        assert row_of(watcher, second)["status"] == "running"
        writer.write(EPOCH)
        assert changes(watcher) == ([second.name], [])
        assert changes(watcher) == ([], [])
        new = make(runs, None)
        writer.write(RunFinished(status="stopped"))
    assert changes(watcher) == (sorted([second.name, new.name]), [])
    delete_run(first)
    set_labels(third, tags=["a"])
    assert changes(watcher) == ([third.name], [first.name])
    assert [row["id"] for row in watcher.rows] == sorted([second.name, third.name, new.name])
    assert changes(watcher) == ([], [])


def test_a_process_that_dies_and_one_that_resumes_are_seen(runs: Path) -> None:
    run = make(runs, None)
    watcher = RunsWatcher(runs)
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
        watcher.poll()
    assert changes(watcher) == ([run.name], [])
    assert row_of(watcher, run)["status"] == "interrupted"
    assert changes(watcher) == ([], [])
    with RunWriter(run):
        assert changes(watcher) == ([run.name], [])
        assert row_of(watcher, run)["status"] == "running"
    assert changes(watcher) == ([run.name], [])


def test_labels_of_a_live_run_are_seen_at_once(runs: Path) -> None:
    run = make(runs, None)
    watcher = RunsWatcher(runs)
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
        watcher.poll()
        set_labels(run, name="new")
        assert changes(watcher) == ([run.name], [])
        assert row_of(watcher, run)["name"] == "new"
        assert changes(watcher) == ([], [])


def test_damaged_runs_are_rows_that_mend(runs: Path) -> None:
    run = make(runs)
    watcher = RunsWatcher(runs)
    watcher.poll()
    whole = (run / "summary.json").read_bytes()
    (run / "summary.json").write_text("{")
    with (run / "events.jsonl").open("a") as log:
        log.write(encode(RunFinished(status="stopped"), 5.0) + "\n")
    assert changes(watcher) == ([run.name], [])
    assert row_of(watcher, run)["status"] == "stopped"  # made of the events
    watcher.poll()
    (run / "config.toml").rename(run / "away")
    assert changes(watcher) == ([run.name], [])
    assert "has no config.toml" in row_of(watcher, run)["error"]
    assert changes(watcher) == ([], [])
    (run / "away").rename(run / "config.toml")
    (run / "summary.json").write_bytes(whole)
    assert changes(watcher) == ([run.name], [])
    assert row_of(watcher, run)["status"] == "finished"


def test_a_copied_run_is_a_run_of_its_own(runs: Path) -> None:
    run = make(runs)
    copy = run.with_name(f"{run.name[:-4]}{'0000' if run.name[-4:] != '0000' else '0001'}")
    shutil.copytree(run, copy)
    watcher = RunsWatcher(runs)
    ids = sorted([run.name, copy.name])
    assert changes(watcher) == (ids, [])
    assert [row["id"] for row in run_rows(runs)] == ids


def test_the_first_poll_takes_rows_from_the_cache(runs: Path, monkeypatch) -> None:
    made = sorted(make(runs).name for _ in range(3))
    run_rows(runs)
    monkeypatch.setattr(rows, "parse_summary", refuse)
    assert changes(RunsWatcher(runs)) == (made, [])


def test_a_poll_opens_no_file_of_runs_that_stay_as_they_are(runs: Path, monkeypatch) -> None:
    make(runs), make(runs, "failed"), make(runs, None)
    watcher = RunsWatcher(runs)
    watcher.poll()
    for where, name in ((Path, "open"), (Path, "read_bytes"), (json, "loads")):
        monkeypatch.setattr(where, name, refuse)
    assert changes(watcher) == ([], [])


def test_a_damaged_run_is_not_read_again_and_again(runs: Path, monkeypatch) -> None:
    (make(runs) / "summary.json").write_text("{")
    watcher = RunsWatcher(runs)
    watcher.poll()
    monkeypatch.setattr(rows, "parse_summary", refuse)
    monkeypatch.setattr(rows, "fold_events", refuse)
    assert changes(watcher) == ([], [])


def test_a_folder_that_cannot_be_read_is_told_and_the_rows_stay(runs: Path) -> None:
    run = make(runs)
    watcher = RunsWatcher(runs)
    watcher.poll()
    runs.rename(runs.with_name("away"))
    runs.write_text("not a folder")
    with pytest.raises(UserError, match="Not a directory"):
        watcher.poll()
    assert [row["id"] for row in watcher.rows] == [run.name]
    runs.unlink()
    runs.with_name("away").rename(runs)
    assert changes(watcher) == ([], [])
