"""A run's folder made by somebody else: looked at without waiting, never written through links."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnn_core.errors import UserError
from cnn_core.export.curves import export_curves
from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.regular_files import append_regular, open_regular, read_regular
from cnn_core.runs.directory import create_run
from cnn_core.runs.environment import describe_environment
from cnn_core.runs.follower import EventFollower
from cnn_core.runs.index import run_rows
from cnn_core.runs.lock import is_live
from cnn_core.runs.log import append_log
from cnn_core.runs.queue import Queue
from cnn_core.runs.reader import read_created, read_summary
from cnn_core.runs.requests import clear_requests, take_requests
from cnn_core.runs.writer import RunWriter
from cnn_core.training.checkpoint import load_checkpoint, remove_partial_checkpoints
from cnn_core.training.events import Preparing, RunFinished
from cnn_core.training.predictions import (
    Predictions,
    load_predictions,
    predictions_path,
    save_predictions,
)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "huge": sparse,
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = create_run(tmp_path / "runs", "x", 'name = "x"\n', {})
    with RunWriter(made) as writer:
        writer.write(Preparing(what="x"))
        writer.write(RunFinished(status="stopped"))
    return made


def replace(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    KINDS[kind](path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["summary.json", "environment.json", "heartbeat.json", "lock"])
def test_a_run_is_listed_whatever_its_files_are(run: Path, name: str, kind: str) -> None:
    replace(run / name, kind)
    (row,) = run_rows(run.parent)
    assert (row["status"], row["error"]) == ("stopped", None)
    assert read_summary(run)["status"] == "stopped"
    assert not is_live(run)
    assert read_created(run) is None or name != "environment.json"


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_readable_events_says_so(run: Path, kind: str) -> None:
    replace(run / "events.jsonl", kind)
    (run / "summary.json").unlink()
    (row,) = run_rows(run.parent)
    if kind == "huge":
        assert (row["status"], row["error"]) == ("queued", None)  # no whole line
        assert EventFollower(run).poll() == []
    else:
        assert row["status"] == "failed"
        assert "damaged run" in row["error"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [".index.json", ".queue.json", ".queue.slots"])
def test_what_lies_beside_the_runs_may_be_anything(run: Path, name: str, kind: str) -> None:
    replace(run.parent / name, kind)
    assert [row["id"] for row in run_rows(run.parent)] == [run.name]
    assert Queue(run.parent).ids() == []
    assert Queue(run.parent).slots() is None


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_checkpoints_and_predictions_are_files(run: Path, kind: str) -> None:
    replace(run / "checkpoints" / "best.pt", kind)
    with pytest.raises(UserError, match=r"best\.pt: damaged or not a checkpoint"):
        load_checkpoint(run, "best")
    path = predictions_path(run, "test", "best")
    replace(path, kind)
    with pytest.raises(UserError, match=r"test\.npz: damaged, or no file of predictions"):
        load_predictions(path)


def test_requests_are_files(run: Path) -> None:
    control = run / "control"
    precious = run.parent / "precious.json"
    precious.write_text('{"kind": "stop"}')
    for name, kind in {"1.json": "pipe", "2.json": "device", "3.json": "folder"}.items():
        replace(control / name, kind)
    (control / "4.json").symlink_to(precious)
    sparse(control / "5.json")
    (control / "6.json").write_text('{"kind": "pause"}')
    for _ in range(2):
        taken = take_requests(run)
    assert taken == []
    assert precious.read_text() == '{"kind": "stop"}'
    log = (run / "log.txt").read_text()
    assert "MB, above" in log
    assert len(log.splitlines()) <= 2, "the same is told again and again"
    control.rename(run / "elsewhere")
    control.write_text("no folder")
    assert take_requests(run) == []
    clear_requests(run)


@pytest.mark.parametrize(
    "name", ["checkpoints", "control", "events.jsonl", "log.txt", "tensorboard", "summary.json"]
)
def test_a_run_with_links_in_it_is_not_written(run: Path, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / "project.json").write_text("{}")
    place = run / name
    if place.is_dir():
        place.rename(run / f"old-{name}")
    place.unlink(missing_ok=True)
    place.symlink_to(home)
    with (
        pytest.raises(UserError, match=f"{name} in its folder is a link, through which nothing"),
        RunWriter(run),
    ):
        pass
    assert sorted(path.name for path in home.iterdir()) == [".ssh", "project.json"]


def test_a_pipe_among_the_files_of_a_run_is_not_written_to(run: Path) -> None:
    replace(run / "events.jsonl", "pipe")
    with pytest.raises(UserError, match=r"events\.jsonl in its folder is no regular file"):
        RunWriter(run).__enter__()


def test_what_is_left_of_a_checkpoint_may_be_a_link_to_anything(run: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "kept").touch()
    (run / "checkpoints" / ".last.pt.x").symlink_to(home)
    remove_partial_checkpoints(run)
    assert list((run / "checkpoints").iterdir()) == []
    assert (home / "kept").exists()


def test_files_are_appended_to_and_never_links(tmp_path: Path, run: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (run / "log.txt").unlink(missing_ok=True)
    (run / "log.txt").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"):
        append_log(run, "x")
    assert precious.read_text() == "mine"
    (run / "log.txt").unlink()
    append_log(run, "a\udcff")
    append_log(run, "b")
    assert [line.split()[-1] for line in (run / "log.txt").read_text().splitlines()] == [
        r"a\udcff",
        "b",
    ]


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert read_regular(tmp_path / "x", 5) == b"12345"
    with pytest.raises(OSError, match="above"):
        read_regular(tmp_path / "x", 4)
    os.mkfifo(tmp_path / "pipe")
    for act in (open_regular, append_regular):
        with pytest.raises(OSError, match=r"not a regular file|No such device"):
            act(tmp_path / "pipe")


def test_a_folder_s_git_settings_start_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    program = tmp_path / ".git" / "hooks" / "post-index-change"
    named = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", "init", "-q"], check=True)
    (tmp_path / "x").write_text("1")
    subprocess.run(["git", "add", "x"], check=True)
    subprocess.run(["git", *named, "commit", "-qm", "x"], check=True)
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    program.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(program)], check=True)
    os.utime(tmp_path / "x", (1, 1))  # which would have git refresh its index
    state = describe_environment()["git"]
    assert state is not None
    assert len(state["commit"]) == 40
    assert not (tmp_path / "ran").exists()


def test_ids_in_a_hostile_queue_are_none(run: Path) -> None:
    (run.parent / ".queue.json").write_text(json.dumps(["../../x", run.name]))
    assert Queue(run.parent).ids() == []


def test_predictions_and_curves_are_not_written_through_links(run: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (run / "predictions").rmdir()
    (run / "predictions").symlink_to(home)
    preset = to_toml(load_experiment("digits"))
    whole = create_run(run.parent, "y", preset, {})
    with RunWriter(whole) as writer:
        writer.write(Preparing(what="x"))
    (whole / "tensorboard").symlink_to(home)
    nothing = Predictions(np.zeros((0, 1), np.float32), np.zeros(0, np.int64), (), ("a",))
    with pytest.raises(OSError, match="its folder is a link"):
        save_predictions(predictions_path(run, "test", "best"), nothing, None)
    with pytest.raises(UserError, match="is a link, through which nothing is written"):
        list(export_curves(whole, "tensorboard"))
    assert list(home.iterdir()) == []
