"""Checkpoints of short epochs are put off, and nothing is lost by it."""

from itertools import islice

import pytest

from cnn_core.training import saver
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import CheckpointSaved, EpochFinished

CASES = {
    "plain": {"train": {"epochs": 6}},
    "frozen": {"train": {"epochs": 6}, "freeze": {"policy": "backbone"}},
    "unfreezing": {"train": {"epochs": 6}, "freeze": {"policy": "first:1", "unfreeze_at": 4}},
    "a first epoch that stays the best": {"train": {"epochs": 6}, "optim": {"lr": 1e-9}},
}


@pytest.fixture
def seldom(monkeypatch):
    """Put off every checkpoint after the first."""

    def put_off():
        monkeypatch.setattr(saver, "TIME_SHARE", 1e-9)

    return put_off


def saved(events) -> list[tuple[str, int]]:
    return [(e.name, e.epoch - 1) for e in events if isinstance(e, CheckpointSaved)]


def best_epochs(events) -> list[int]:
    return [e.epoch for e in events if isinstance(e, EpochFinished) and e.best]


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_is_what_frequent_writes_leave(lab, seldom, case):
    experiment = lab.experiment(**CASES[case])
    often = lab.train(experiment, "often")
    seldom()
    rare = lab.train(experiment, "rare")
    assert lab.history(often) == lab.history(rare)
    for which in ("best", "last"):
        assert lab.differences(lab.state("often", which), lab.state("rare", which)) == []
    assert [name for name, epoch in saved(rare) if epoch == 1] == ["best", "last"]
    assert len(saved(rare)) < len(saved(often))
    best = best_epochs(rare)[-1]
    assert [epoch for name, epoch in saved(rare) if name == "best"][-1] == best


@pytest.mark.parametrize("epochs", [2, 3, 5])
def test_a_killed_run_repeats_what_was_put_off(lab, seldom, epochs):
    experiment = lab.experiment(**CASES["plain"])
    alone = lab.train(experiment, "alone")
    seldom()
    places = lab.places("killed")
    events = stream(experiment, Control(), places, device="cpu")
    finished = (e for e in events if isinstance(e, EpochFinished))
    seen = list(islice(finished, epochs))
    events.close()
    assert lab.state("killed")["progress"]["epoch"] == 2
    again = lab.train(experiment, "killed")
    assert lab.history([*seen, *again]) == lab.history(alone)
    for which in ("best", "last"):
        assert lab.differences(lab.state("alone", which), lab.state("killed", which)) == []


@pytest.mark.parametrize("request_kind", ["stop", "finish", "checkpoint"])
def test_a_request_writes_the_best_that_was_put_off_first(lab, seldom, request_kind):
    seldom()
    experiment = lab.experiment(train={"epochs": 6}, optim={"lr": 0.02})
    events = lab.train(experiment, "run", {18: [(request_kind, None)]})
    asked = next(
        place
        for place, event in enumerate(events)
        if isinstance(event, CheckpointSaved) and event.name == "last" and event.epoch > 2
    )
    best = max(best_epochs(events[:asked]))
    if best > 1:
        assert events[asked - 1] == CheckpointSaved(name="best", epoch=best + 1, step=0)
    assert lab.state("run", "best")["progress"]["best_epoch"] == best_epochs(events)[-1]


def test_a_run_that_diverges_keeps_its_best_epoch(lab, seldom):
    seldom()
    experiment = lab.experiment(train={"epochs": 20}, optim={"lr": 0.1})
    events = lab.train(experiment, "run", {60: [("set_lr", 1e30)]})
    assert events[-1].status == "diverged"
    best = max(best_epochs(events))
    assert best > 1
    assert lab.state("run", "best")["progress"]["best_epoch"] == best
    assert f"best.pt holds epoch {best}" in events[-1].error


def test_with_checkpoint_every_the_put_off_one_is_not_forgotten(lab, monkeypatch):
    class Clock:
        now = 0.0

        @classmethod
        def monotonic(cls) -> float:
            cls.now += 0.1
            return cls.now

    monkeypatch.setattr(saver, "time", Clock)
    monkeypatch.setattr(saver, "TIME_SHARE", 0.1 / 0.35)  # due at every fourth look
    experiment = lab.experiment(train={"epochs": 8, "checkpoint_every": 2}, optim={"lr": 1e-9})
    events = lab.train(experiment, "run")
    assert [epoch for name, epoch in saved(events) if name == "last"] == [
        1,
        5,
        8,
    ]  # 2 and 4 came too soon
