"""Name, notes and tags of a run, changed while it waits, trains, ends, or lies there."""

import contextlib
import json
import threading
from pathlib import Path

import pytest
import tomli

from cnn_core.config import LONGEST_NAME
from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment
from cnn_core.runs.directory import create_run
from cnn_core.runs.index import run_rows
from cnn_core.runs.labels import set_labels
from cnn_core.runs.lock import is_live
from cnn_core.runs.reader import read_config, read_summary
from cnn_core.runs.session import new_run
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import EpochFinished, Preparing, RunFinished

CONFIG = """\
name = "old"
tags = ["a"]
born = 2020-01-31
[data]
dataset = "digits"
[train]
epochs = 3
"""
EPOCH = EpochFinished(
    epoch=1,
    train_loss=1.0,
    train_acc=0.5,
    val_loss=None,
    val_acc=None,
    lr=0.1,
    seconds=1.0,
    images_per_s=1.0,
    best=True,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return create_run(tmp_path, "old", CONFIG, {})


def stored(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def assert_labelled(document: dict, name: str, notes: str, tags: list[str]) -> None:
    for holder in (document, document["config"]):
        assert (holder["name"], holder.get("notes", ""), holder["tags"]) == (name, notes, tags)


def test_a_waiting_run(run: Path) -> None:
    before = read_summary(run)
    set_labels(run, name="größer [/]", notes="two\nlines", tags=["x", "y z"])
    assert stored(run) == read_summary(run)
    assert_labelled(stored(run), "größer [/]", "two\nlines", ["x", "y z"])
    (row,) = run_rows(run.parent)
    assert_labelled(row, "größer [/]", "two\nlines", ["x", "y z"])
    assert row["id"] == run.name == before["id"]
    assert (row["status"], row["created"]) == ("queued", before["created"])
    assert not is_live(run)


def test_what_is_not_given_and_all_other_keys_stay(run: Path) -> None:
    set_labels(run, notes="why")
    set_labels(run, tags=[])
    assert_labelled(read_summary(run), "old", "why", [])
    before, after = tomli.loads(CONFIG), tomli.loads((run / "config.toml").read_text())
    assert after == before | {"notes": "why", "tags": []}
    set_labels(run, notes="")
    assert read_summary(run)["notes"] == ""


def test_a_run_that_was_labelled_repeats(lab) -> None:
    experiment = lab.experiment()
    run = new_run(lab.folder / "runs", experiment)
    set_labels(run, name="n" * LONGEST_NAME, tags=["t"])
    again = load_experiment(run / "config.toml")
    labels = {"name": "n" * LONGEST_NAME, "tags": ["t"]}
    assert again == experiment.model_copy(update=labels)


@pytest.mark.parametrize("status", ["finished", "stopped", "failed", "diverged"])
def test_a_run_that_ended(run: Path, status) -> None:
    with RunWriter(run) as writer:
        writer.write(EPOCH)
        writer.write(RunFinished(status=status))
    assert run_rows(run.parent)[0]["name"] == "old"  # and cached
    set_labels(run, name="new")
    assert read_summary(run)["name"] == run_rows(run.parent)[0]["name"] == "new"
    assert (stored(run)["status"], stored(run)["epoch"]) == (status, 1)


def test_an_interrupted_run(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
    set_labels(run, name="new")
    for document in (read_summary(run), *run_rows(run.parent)):
        assert_labelled(document, "new", "", ["a"])
        assert document["status"] == "interrupted"


@pytest.mark.usefixtures("each_summary")
def test_a_live_run_shows_them_at_once_and_saves_them_with_the_next_epoch(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
        set_labels(run, name="new", notes="live")
        assert stored(run)["name"] == "old"
        for document in (read_summary(run), *run_rows(run.parent)):
            assert_labelled(document, "new", "live", ["a"])
            assert document["status"] == "running"
        writer.write(EPOCH)
        assert_labelled(stored(run), "new", "live", ["a"])
        set_labels(run, name="newer")
        writer.write(RunFinished(status="finished"))
    assert stored(run) == read_summary(run)
    assert_labelled(stored(run), "newer", "live", ["a"])


def test_labels_set_when_the_last_summary_was_saved_already(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(RunFinished(status="finished"))
        set_labels(run, name="late")
    assert_labelled(stored(run), "late", "", ["a"])


def test_labels_set_at_any_instant_of_a_run_are_saved(run: Path) -> None:
    """A thread sets them again and again while runs begin and end."""
    names, ended, wanted = iter(range(10**9)), threading.Event(), [""]

    def label() -> None:
        while not ended.is_set():
            wanted[0] = f"name {next(names)}"
            set_labels(run, name=wanted[0])

    thread = threading.Thread(target=label)
    thread.start()
    try:
        for _ in range(15):
            with RunWriter(run) as writer:
                writer.write(EPOCH)
                writer.write(RunFinished(status="stopped"))
    finally:
        ended.set()
        thread.join()
    assert stored(run)["name"] == read_config(run)["name"] == wanted[0]


@pytest.mark.usefixtures("each_summary")
def test_a_config_broken_by_hand_ends_no_training(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
        (run / "config.toml").write_text("name = ")
        assert read_summary(run)["name"] == run_rows(run.parent)[0]["name"] == "old"
        writer.write(EPOCH)
        (run / "config.toml").unlink()
        writer.write(RunFinished(status="finished"))
    assert (stored(run)["name"], stored(run)["status"]) == ("old", "finished")
    assert "not valid TOML" in (run / "log.txt").read_text()


@pytest.mark.parametrize("name", ["", "x" * (LONGEST_NAME + 1)])
def test_impossible_names_are_refused(run: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"{len(name)} characters, expected from 1 to 120"):
        set_labels(run, name=name, notes="n")
    assert (run / "config.toml").read_text() == CONFIG


@pytest.mark.parametrize("labels", [{"name": "\udcff"}, {"notes": "a\ud800"}, {"tags": ["\udcff"]}])
def test_what_is_not_unicode_is_refused(run: Path, labels) -> None:
    with pytest.raises(UserError, match=r"\\ud(cff|800)' is not Unicode"):
        set_labels(run, **labels)
    assert (run / "config.toml").read_text() == CONFIG
    assert not [path for path in run.iterdir() if path.name.startswith(".")]


def test_folders_that_are_no_runs_are_refused(tmp_path: Path, run: Path) -> None:
    with pytest.raises(UserError, match="not a run"):
        set_labels(tmp_path, name="new")
    (run / "config.toml").write_text("name = ")
    with pytest.raises(UserError, match="not valid TOML"):
        set_labels(run, name="new")


def test_a_folder_that_cannot_be_written_is_told(run: Path, monkeypatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr("tempfile.mkstemp", refuse)  # a superuser may write anywhere
        stack.enter_context(pytest.raises(UserError, match="can't be written: Permission denied"))
        set_labels(run, name="new")
    assert read_summary(run)["name"] == "old"


def test_two_processes_that_label_at_once_leave_whole_files(run: Path) -> None:
    threads = [
        threading.Thread(target=set_labels, args=(run,), kwargs={"name": f"n{number}"})
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(run)["name"] == read_config(run)["name"] in {"n0", "n1", "n2", "n3"}
    assert not [path for path in run.iterdir() if path.name.startswith(".")]
