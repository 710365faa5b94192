"""A run in its directory, asked from outside: pause, rates, checkpoints, stop, one writer."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cnn_core.errors import UserError
from cnn_core.runs.lock import is_live
from cnn_core.runs.reader import read_events, read_summary
from cnn_core.runs.requests import send_request
from cnn_core.runs.resumable import check_resumable
from cnn_core.runs.session import new_run, train_run
from cnn_core.training import engine
from cnn_core.training.checkpoint import load_checkpoint
from cnn_core.training.control import Control
from cnn_core.training.events import (
    CheckpointSaved,
    EpochFinished,
    LearningRateSet,
    Paused,
    RunFinished,
    Unpaused,
)

CORE = Path(engine.__file__).parents[2]
DEADLINE_S = 60


def wait_for(condition) -> None:
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def told(run_dir, kind) -> list:
    return [event for _, event in read_events(run_dir) if isinstance(event, kind)]


@contextlib.contextmanager
def training(lab, **sections):
    """Train an endless run in a thread, as an app does; yield its directory."""
    # Checkpoints of every epoch would hide the one that is asked for.
    endless = {"epochs": 100_000, "checkpoint_every": 100_000}
    run_dir = new_run(lab.folder / "runs", lab.experiment(train=endless, **sections))
    control = Control()
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    thread = threading.Thread(
        target=lambda: list(train_run(run_dir, control, **places, device="cpu"))
    )
    thread.start()
    try:
        wait_for(lambda: told(run_dir, EpochFinished))
        yield run_dir
    finally:
        control.request("stop")
        thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_a_pause_is_told_and_nothing_happens_in_it(lab):
    with training(lab) as run_dir:
        send_request(run_dir, "pause")
        wait_for(lambda: told(run_dir, Paused))
        wait_for(lambda: read_summary(run_dir)["status"] == "paused")
        saved = told(run_dir, CheckpointSaved)[-1]
        kept = load_checkpoint(run_dir, "last")["progress"]
        assert (saved.epoch, saved.step) == (kept["epoch"], kept["step"])
        size = (run_dir / "events.jsonl").stat().st_size
        busy = time.process_time()
        time.sleep(0.6)
        assert (run_dir / "events.jsonl").stat().st_size == size
        assert time.process_time() - busy < 0.3
        epochs = read_summary(run_dir)["epoch"]

        send_request(run_dir, "unpause")
        wait_for(lambda: told(run_dir, Unpaused))
        wait_for(lambda: read_summary(run_dir)["status"] == "running")
        wait_for(lambda: read_summary(run_dir)["epoch"] > epochs + 1)


def test_a_rate_is_set_and_a_checkpoint_written_by_request(lab):
    with training(lab) as run_dir:
        send_request(run_dir, "set_lr", 0.003)
        wait_for(lambda: LearningRateSet(lr=0.003) in told(run_dir, LearningRateSet))
        # An epoch's own checkpoint may come before the first step at that rate.
        wait_for(lambda: any(epoch.lr == 0.003 for epoch in told(run_dir, EpochFinished)))
        before = len(told(run_dir, CheckpointSaved))
        send_request(run_dir, "checkpoint")
        wait_for(lambda: len(told(run_dir, CheckpointSaved)) > before)
        state = load_checkpoint(run_dir, "last")
        assert state["progress"]["base_lr"] == 0.003
        assert state["optimizer"]["param_groups"][0]["lr"] == 0.003


@pytest.mark.parametrize("paused", [False, True])
def test_a_stop_ends_the_run_with_its_state_saved(lab, paused):
    with training(lab) as run_dir:
        if paused:
            send_request(run_dir, "pause")
            wait_for(lambda: told(run_dir, Paused))
        send_request(run_dir, "stop")
        wait_for(lambda: told(run_dir, RunFinished))
        wait_for(lambda: not is_live(run_dir))
    summary = read_summary(run_dir)
    assert summary["status"] == "stopped"
    progress = load_checkpoint(run_dir, "last")["progress"]
    assert progress["epoch"] == summary["epoch"] + 1
    saved = told(run_dir, CheckpointSaved)[-1]
    assert (saved.name, saved.epoch, saved.step) == ("last", progress["epoch"], progress["step"])
    check_resumable(run_dir)
    with pytest.raises(UserError, match="not running"):
        send_request(run_dir, "stop")


@pytest.mark.parametrize("paused", [False, True])
def test_a_run_that_is_asked_to_finish_is_tested_and_done(lab, paused):
    with training(lab) as run_dir:
        if paused:
            send_request(run_dir, "pause")
            wait_for(lambda: told(run_dir, Paused))
        send_request(run_dir, "finish")
        wait_for(lambda: told(run_dir, RunFinished))
        wait_for(lambda: not is_live(run_dir))
    summary = read_summary(run_dir)
    assert summary["status"] == "finished"
    assert summary["test_last"]["epoch"] == summary["epoch"] > 0
    with pytest.raises(UserError, match="nothing to resume"):
        check_resumable(run_dir)


def test_requests_to_an_earlier_process_are_forgotten(lab):
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    (run_dir / "control" / f"{0:020d}-ab.json").write_text('{"kind": "stop", "value": null}')
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    *_, end = train_run(run_dir, Control(), **places, device="cpu")
    assert end.status == "finished"
    with pytest.raises(UserError, match="nothing to resume"):
        check_resumable(run_dir)


def test_a_stop_before_the_first_step_leaves_a_run_to_begin_anew(lab):
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    control = Control()
    control.request("stop")
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    *_, end = train_run(run_dir, control, **places, device="cpu")
    assert (end.status, end.epoch) == ("stopped", 0)
    check_resumable(run_dir)
    *_, end = train_run(run_dir, Control(), **places, device="cpu")
    assert end.status == "finished"
    lab.train(lab.experiment(), "alone")
    assert not lab.differences(load_checkpoint(run_dir, "last"), lab.state("alone"))


SECOND = """
import sys
from pathlib import Path
from cnn_core.errors import UserError
from cnn_core.runs.session import train_run
from cnn_core.training.control import Control

run_dir, data_dir, cache_dir = map(Path, sys.argv[1:])
try:
    next(train_run(run_dir, Control(), data_dir=data_dir, cache_dir=cache_dir, device="cpu"))
except UserError as error:
    print(error)
"""


def test_a_second_process_is_refused_and_changes_nothing(lab):
    with training(lab) as run_dir:
        second = subprocess.run(
            [sys.executable, "-c", SECOND, *map(str, (run_dir, lab.data_dir, lab.cache_dir))],
            env=os.environ | {"PYTHONPATH": str(CORE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.stderr == ""
        assert f"process {os.getpid()}" in second.stdout
        assert "is writing it" in second.stdout
        assert is_live(run_dir)
        epochs = len(told(run_dir, EpochFinished))
        wait_for(lambda: len(told(run_dir, EpochFinished)) > epochs)
    assert read_summary(run_dir)["status"] == "stopped"
    numbers = [event.epoch for event in told(run_dir, EpochFinished)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_damaged_environment_does_not_end_a_run(lab):
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    (run_dir / "environment.json").write_text("{")
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    *_, last = train_run(run_dir, Control(), **places, device="cpu")
    assert isinstance(last, RunFinished)
    assert last.status == "finished"
    assert json.loads((run_dir / "environment.json").read_text())["device"] == "cpu"
