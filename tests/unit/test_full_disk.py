"""A disk that takes nothing for a while, or never again: training loses nothing to it."""

import errno
import os
import shutil
import tempfile
from itertools import islice
from pathlib import Path

import pytest
import torch

from cnn_core.datasets import build
from cnn_core.runs.lock import is_live
from cnn_core.runs.reader import read_events, read_summary
from cnn_core.runs.session import new_run, train_run
from cnn_core.training import insisting, saver
from cnn_core.training.control import Control
from cnn_core.training.events import (
    CheckpointSaved,
    EpochFinished,
    Notice,
    RunFinished,
    TestEvaluated,
)
from cnn_core.training.insisting import NotWrittenError


class Disk:
    """Refuses what is written while it is full: files in ``patterns``, or appended lines."""

    def __init__(self, monkeypatch):
        self.full = ()
        self.refused = 0
        self.patience = -1
        self.error = errno.ENOSPC
        make, write = tempfile.mkstemp, os.write
        monkeypatch.setattr(
            tempfile,
            "mkstemp",
            lambda *args, **options: self._or_refuse(options["prefix"], make, *args, **options),
        )
        monkeypatch.setattr(
            os, "write", lambda file, content: self._or_refuse("log", write, file, content)
        )

    def _or_refuse(self, name, action, *args, **options):
        if any(pattern in name for pattern in self.full):
            self.refused += 1
            if self.refused == self.patience:
                self.full = ()
            raise OSError(self.error, os.strerror(self.error))
        return action(*args, **options)


@pytest.fixture
def disk(monkeypatch):
    monkeypatch.setattr(insisting, "_STEP_S", 0)
    monkeypatch.setattr(insisting, "_FIRST_PAUSE_S", 0)
    monkeypatch.setattr(insisting, "_GRACE_S", 0)
    return Disk(monkeypatch)


def notices(events, level):
    return [event.text for event in events if isinstance(event, Notice) and event.level == level]


def saved(events):
    return [e.epoch for e in events if isinstance(e, CheckpointSaved) and e.name == "last"]


def trained(lab, disk, name, full_from, control=None):
    """Train a run in its folder; what is full from an epoch on is in ``full_from``."""
    run_dir = new_run(lab.folder / name, lab.experiment())
    events = []
    for event in train_run(
        run_dir,
        control or Control(),
        data_dir=lab.data_dir,
        cache_dir=lab.cache_dir,
        device="cpu",
    ):
        events.append(event)
        if isinstance(event, EpochFinished):
            disk.full = full_from.get(event.epoch, disk.full)
    return run_dir, events


def assert_as_undisturbed(lab, run_dir):
    lab.train(lab.experiment(), "undisturbed")
    name = str(run_dir.relative_to(lab.folder))
    for which in ("best", "last"):
        assert lab.differences(lab.state(name, which), lab.state("undisturbed", which)) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_training_goes_on_without_a_checkpoint(lab, disk, code):
    disk.error = code
    run_dir, events = trained(lab, disk, "runs", {1: (".pt",), 2: ()})
    assert events[-1].status == "finished"
    (warning,) = notices(events, "warning")
    assert warning.startswith("no checkpoint could be written: ")
    assert str(run_dir) in warning
    assert not notices(events, "error")
    assert saved(events) == [4]
    assert warning in (run_dir / "log.txt").read_text()
    assert_as_undisturbed(lab, run_dir)


def test_a_refused_checkpoint_is_due_again_within_an_epoch(lab, disk, monkeypatch):
    monkeypatch.setattr(saver, "LONGEST_INTERVAL_S", 0)
    disk.patience = 3  # at the end of the epoch, and after two steps of the next
    run_dir, events = trained(lab, disk, "runs", {1: (".pt",)})
    best, last = [event for event in events if isinstance(event, CheckpointSaved)][:2]
    assert best == CheckpointSaved(name="best", epoch=2, step=0)
    assert last == CheckpointSaved(name="last", epoch=2, step=3)
    assert len(notices(events, "warning")) == 1
    assert_as_undisturbed(lab, run_dir)


def test_the_last_checkpoint_is_waited_for(lab, disk):
    disk.patience = 9
    run_dir, events = trained(lab, disk, "runs", {1: (".pt",)})
    assert events[-1].status == "finished"
    (error,) = notices(events, "error")
    assert error.startswith("the checkpoint can't be written: disk full: ")
    assert error.endswith("free space there; training waits until it is")
    assert "; after 0 s it is" in notices(events, "warning")[-1]
    assert disk.refused == 9
    assert_as_undisturbed(lab, run_dir)


def test_a_run_told_to_stop_waits_no_longer_and_can_go_on(lab, disk):
    control = Control()
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir, "device": "cpu"}
    events = []
    for event in train_run(run_dir, control, **places):
        events.append(event)
        if isinstance(event, EpochFinished) and event.epoch == 2:
            disk.full = (".pt",)
            control.request("stop")
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert (end.status, end.mistake) == ("failed", False)
    assert "disk full" in end.error
    assert f"`cnn-tui resume {run_dir.name}`" in end.error
    assert read_summary(run_dir)["error"] == end.error
    assert lab.state(f"runs/{run_dir.name}")["progress"]["epoch"] == 2
    assert not list((run_dir / "checkpoints").glob(".*"))
    disk.full = ()
    again = list(train_run(run_dir, Control(), **places))
    assert again[-1].status == "finished"
    assert_as_undisturbed(lab, run_dir)


@pytest.mark.parametrize("files", [("log",), ("log", ".pt", "summary")])
def test_the_log_is_waited_for_and_has_every_event(lab, disk, files):
    disk.patience = 4
    run_dir, events = trained(lab, disk, "runs", {1: files})
    assert events[-1].status == "finished"
    (error,) = notices(events, "error")
    assert error.startswith(f"the run's log can't be written: disk full: {run_dir}: ")
    in_log = [event for _, event in read_events(run_dir)]
    assert in_log == [
        event for event in events if event.__class__ is not Notice or event.text != error
    ]
    assert_as_undisturbed(lab, run_dir)


@pytest.mark.usefixtures("each_summary")
def test_a_summary_that_is_refused_is_made_at_the_end(lab, disk):
    run_dir, events = trained(lab, disk, "runs", {1: ("summary",), 3: ()})
    assert not notices(events, "error")
    assert read_summary(run_dir)["epoch"] == 3
    disk.patience, disk.refused = 3, 0
    run_dir, events = trained(lab, disk, "more", {3: ("summary",)})
    assert len(notices(events, "error")) == 1
    assert read_summary(run_dir)["status"] == "finished"


def test_a_log_that_is_never_written_leaves_an_interrupted_run(lab, disk):
    control = Control()
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    events = train_run(
        run_dir, control, data_dir=lab.data_dir, cache_dir=lab.cache_dir, device="cpu"
    )
    list(islice((e for e in events if isinstance(e, EpochFinished)), 2))
    disk.full = ("log",)
    told = next(events)
    assert (told.level, "disk full" in told.text) == ("error", True)
    control.request("stop")
    with pytest.raises(NotWrittenError, match="the run's log can't be written: disk full"):
        next(events)
    disk.full = ()
    assert read_summary(run_dir)["status"] == "interrupted"


def test_a_folder_removed_while_it_trains_ends_the_run(lab, disk):
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    events = train_run(
        run_dir, Control(), data_dir=lab.data_dir, cache_dir=lab.cache_dir, device="cpu"
    )
    next(e for e in events if isinstance(e, EpochFinished))
    shutil.rmtree(run_dir)
    with pytest.raises(NotWrittenError, match="the folder of the run is gone: "):
        list(events)
    assert not run_dir.exists()


def test_predictions_that_are_refused_do_not_fail_the_run(lab, disk):
    run_dir, events = trained(lab, disk, "runs", {3: (".npz",)})
    assert events[-1].status == "finished"
    (warning,) = notices(events, "warning")
    assert "test.npz" in warning
    assert "cnn-tui evaluate" in warning
    assert read_summary(run_dir)["test"]["acc"] is not None


def test_a_run_waits_before_its_first_step_too(lab, disk):
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    disk.full, disk.patience = (".pt",), 3
    events = list(
        train_run(run_dir, Control(), data_dir=lab.data_dir, cache_dir=lab.cache_dir, device="cpu")
    )
    (error,) = notices(events, "error")
    assert error.startswith(f"the first checkpoint can't be written: disk full: {run_dir}: ")
    assert_as_undisturbed(lab, run_dir)


def test_nothing_comes_after_the_end_of_a_run_that_was_waited_for(lab, disk):
    disk.patience = 3
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    events = []
    for event in train_run(
        run_dir, Control(), data_dir=lab.data_dir, cache_dir=lab.cache_dir, device="cpu"
    ):
        events.append(event)
        if isinstance(event, TestEvaluated) and event.checkpoint == "best":
            disk.full = ("log",)
    assert disk.refused == 3
    assert isinstance(events[-1], RunFinished)
    assert [event for _, event in read_events(run_dir)][-1] == events[-1]


def test_a_heartbeat_that_can_not_be_removed_fails_nothing(lab, disk, monkeypatch):
    unlink = Path.unlink

    def refuse(path, **options):
        if path.name == "heartbeat.json":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    run_dir, events = trained(lab, disk, "runs", {})
    assert events[-1].status == "finished"
    assert not is_live(run_dir)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.EMFILE, "too many open files in this process: "),
        (errno.ENOMEM, "out of memory while preparing; "),
        (errno.ENOSPC, "No space left on device; decoded pixels are kept in "),
    ],
)
def test_another_cache_folder_is_offered_where_it_would_help(lab, monkeypatch, code, told):
    lab.cache_dir = lab.folder / "cache"

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(build, "sync", refuse)
    *_, end = lab.train(lab.experiment())
    assert end.status == "failed"
    assert told in end.error
    assert not list(lab.cache_dir.glob("*.part"))


def test_a_checkpoint_that_can_not_be_read_is_not_called_damaged(lab, monkeypatch):
    lab.train(lab.experiment(), "run", {2: [("stop", None)]})

    def refuse(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "last.pt")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", refuse)
        *_, end = lab.train(lab.experiment(), "run")
    assert (end.status, end.mistake) == ("failed", False)
    assert end.error.startswith("disk or line to it at fault (I/O error): last.pt")
    assert lab.train(lab.experiment(), "run")[-1].status == "finished"
