"""What killed processes leave behind goes when the next one writes the same."""

import os
import secrets
from pathlib import Path

import pytest

from cnn_core import files
from cnn_core.files import write_text_atomically
from cnn_core.runs.directory import create_run, list_runs
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import Preparing

KILLED = 9


def killed_in(work) -> None:
    """Do the work in a process that is killed meanwhile."""
    if child := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -KILLED
        return
    try:
        work()
    finally:
        os._exit(1)


def test_a_temporary_file_is_removed_when_the_same_is_written(tmp_path: Path, monkeypatch) -> None:
    note = tmp_path / "note.toml"
    write_text_atomically(note, "before")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "chmod", lambda *_: os.kill(os.getpid(), KILLED))
        killed_in(lambda: write_text_atomically(note, "never"))
        killed_in(lambda: write_text_atomically(tmp_path / "note", "never"))
    others = [".note.toml.swp", ".note.toml.12345678", "note.toml.abcdefgh.tmp"]
    for name in others:
        (tmp_path / name).touch()
    assert len(list(tmp_path.iterdir())) == 6
    assert note.read_text() == "before"
    write_text_atomically(note, "after")
    (left,) = {path.name for path in tmp_path.iterdir()} - {"note.toml", *others}
    assert left.startswith(".note.")  # of the other file
    assert note.read_text() == "after"


def test_a_file_in_the_making_is_left_alone(tmp_path: Path) -> None:
    note = tmp_path / "note"

    def slowly(file) -> None:
        write_text_atomically(note, "the other's")
        file.write(b"ours, later")

    files.write_atomically(note, slowly)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert note.read_text() == "ours, later"


def test_a_new_file_that_was_taken_for_left_behind_is_made_again(tmp_path, monkeypatch) -> None:
    claims = iter([False, True])
    monkeypatch.setattr(files, "claim", lambda _: next(claims))
    write_text_atomically(tmp_path / "note", "x")
    assert (tmp_path / "note").read_text() == "x"


@pytest.mark.parametrize("where", ["open", "exists", "rename"])
def test_the_folder_of_a_run_that_was_never_made_is_removed(tmp_path, monkeypatch, where) -> None:
    runs = tmp_path / "runs"
    first = create_run(runs, "x", 'name = "x"\n', {})
    # Before it is claimed, then empty, and when it is complete.
    with monkeypatch.context() as patch:
        owner = os if where == "open" else Path
        patch.setattr(owner, where, lambda *_: os.kill(os.getpid(), KILLED))
        killed_in(lambda: create_run(runs, "y", 'name = "y"\n', {}))
    assert len(list(runs.iterdir())) == 2
    assert list_runs(runs) == [first]
    second = create_run(runs, "z", 'name = "z"\n', {})
    assert sorted(runs.iterdir()) == list_runs(runs) == sorted([first, second])


def test_a_run_in_the_making_is_left_alone_by_the_next(tmp_path: Path, monkeypatch) -> None:
    runs = tmp_path / "runs"
    made = []

    def announce(_run: str) -> None:
        made.append(create_run(runs, "y", 'name = "y"\n', {}))

    made.append(create_run(runs, "x", 'name = "x"\n', {}, announce=announce))
    assert sorted(runs.iterdir()) == sorted(made)
    names = iter(["0000", "0000", "1111"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(names))
    monkeypatch.setattr("time.strftime", lambda *_: "20260101-000000")
    assert [create_run(runs, "z", 'name = "z"\n', {}).name[-4:] for _ in range(2)] == [
        "0000",
        "1111",
    ]


def test_requests_and_heartbeats_cut_short_go_with_the_next_writer(tmp_path: Path) -> None:
    run_dir = create_run(tmp_path / "runs", "x", 'name = "x"\n', {})
    for name in ("control/.1.json.abcdefgh.tmp", ".heartbeat.json.abcdefgh.tmp"):
        (run_dir / name).touch()
    with RunWriter(run_dir) as writer:
        writer.write(Preparing(what="x"))
    assert not list(run_dir.rglob("*.tmp"))
