"""A run that was stopped, paused or killed and goes on is the run left alone, bit for bit."""

import os
import weakref
from itertools import islice
from typing import Any

import pytest

from cnn_core.training import checkpoint, control, engine
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import EpochFinished, LearningRateSet, Paused, RunStarted, Unpaused
from cnn_core.training.saver import Saver

STEPS_PER_EPOCH = 4
PLAIN: dict[str, Any] = {"augment": {"policy": "flip-crop"}}
CASES: dict[str, dict[str, Any]] = {
    "dropout and batch norm": {
        "model": {
            "backbone": "convnet",
            "options": {"widths": [4, 6], "batch_norm": True},
            "dropout": 0.4,
        },
        "augment": {"policy": "flip-crop"},
        "data": {"image_size": 32},
    },
    "adam": {"optim": {"name": "adam", "lr": 0.01}},
    "adamw": {"optim": {"name": "adamw", "lr": 0.01, "weight_decay": 0.1}},
    "step": {"optim": {"schedule": "step", "step_size": 1, "gamma": 0.5}},
    "cosine": {"optim": {"schedule": "cosine", "warmup_epochs": 1.5}},
    "one cycle": {"optim": {"schedule": "one_cycle"}},
    "plateau": {"optim": {"schedule": "plateau", "step_size": 1, "gamma": 0.5, "lr": 1e-6}},
    "linear": {"optim": {"schedule": "linear", "warmup_epochs": 0.5}},
    "whitening": {
        "data": {"image_size": 32},
        "model": {"backbone": "airbench", "options": {"widths": [4, 6, 6]}},
        "freeze": {"policy": "first:1", "unfreeze_at": 2, "lr_scale": 0.5},
    },
    "accumulate": {"train": {"batch_size": 2, "accumulate": 4}},
    "early stopping": {"train": {"epochs": 9, "early_stopping": 2}, "optim": {"lr": 1e-6}},
    "unfreezing": {"freeze": {"policy": "first:1", "unfreeze_at": 2, "lr_scale": 0.5}},
    "bf16": {"train": {"precision": "bf16"}},
    "rare checkpoints": {"train": {"checkpoint_every": 3}, "optim": {"lr": 1e-6}},
    "mixing": {
        "augment": {
            "transforms": [{"name": "rand_augment"}, {"name": "mixup"}, {"name": "cutmix"}]
        },
        "train": {"label_smoothing": 0.1},
    },
    "parts of whole images": {
        "data": {"image_size": 8, "whole": True},
        "model": {"options": {"widths": [4]}},
        "augment": {"policy": "resized-crop"},
    },
    "nesterov": {"optim": {"nesterov": True, "weight_decay": 0.01, "clip_norm": 0.1}},
}


@pytest.fixture(autouse=True)
def _answers_at_once(monkeypatch):
    monkeypatch.setattr(control, "_POLL_INTERVAL_S", 0)


def assert_same(lab, one: str, two: str) -> None:
    for which in ("last", "best"):
        assert lab.differences(lab.state(one, which), lab.state(two, which)) == []


@pytest.mark.parametrize("step", range(1, 3 * STEPS_PER_EPOCH + 1))
def test_a_stop_at_any_step_changes_nothing(lab, step):
    experiment = lab.experiment(**PLAIN)
    alone = lab.train(experiment, "alone")
    first = lab.train(experiment, "stopped", {step: [("stop", None)]})
    second = lab.train(experiment, "stopped")

    assert first[-1].status == "stopped"
    assert second[-1].status == "finished"
    started = next(e for e in second if isinstance(e, RunStarted))
    whole_epochs, steps = divmod(step - 1, STEPS_PER_EPOCH)
    assert (started.resumed_epoch, started.resumed_step) == (whole_epochs, steps + 1)
    assert_same(lab, "alone", "stopped")
    assert lab.history(first + second) == lab.history(alone)


@pytest.mark.parametrize("case", CASES)
def test_stopped_twice(lab, case):
    experiment = lab.experiment(**CASES[case])
    alone = lab.train(experiment, "alone")
    events = []
    for step in (3, 4):  # in the first epoch, then in the second
        events += lab.train(experiment, "stopped", {step: [("stop", None)]})
        assert events[-1].status == "stopped"
    events += lab.train(experiment, "stopped")

    assert events[-1].status == "finished"
    assert_same(lab, "alone", "stopped")
    assert lab.history(events) == lab.history(alone)
    assert lab.tests(events) == lab.tests(alone)


def test_a_stop_in_a_pause(lab):
    experiment = lab.experiment(**PLAIN)
    alone = lab.train(experiment, "alone")
    script = {5: [("pause", None)], 7: [("stop", None)]}
    first = lab.train(experiment, "stopped", script)
    second = lab.train(experiment, "stopped")

    kinds = [type(event) for event in first]
    assert kinds.index(Paused) < kinds.index(Unpaused)
    assert first[-1].status == "stopped"
    assert_same(lab, "alone", "stopped")
    assert lab.history(first + second) == lab.history(alone)


def test_a_pause_changes_nothing(lab):
    experiment = lab.experiment(**PLAIN)
    lab.train(experiment, "alone")
    paused = lab.train(experiment, "paused", {5: [("pause", None)], 9: [("unpause", None)]})
    assert paused[-1].status == "finished"
    assert_same(lab, "alone", "paused")


def test_a_rate_that_was_set_survives_a_stop(lab):
    experiment = lab.experiment(**PLAIN)
    alone = lab.train(experiment, "alone", {2: [("set_lr", 0.02)]})
    first = lab.train(experiment, "stopped", {2: [("set_lr", 0.02)], 6: [("stop", None)]})
    second = lab.train(experiment, "stopped")
    assert_same(lab, "alone", "stopped")
    assert lab.history(first + second) == lab.history(alone)
    assert [lr for *_, lr, _best in lab.history(alone)] == [0.02] * 3


@pytest.mark.parametrize("ending", ["stop", "unpause"])
def test_a_rate_set_in_a_pause_counts_from_the_next_step(lab, ending):
    experiment = lab.experiment(**PLAIN)
    alone = lab.train(experiment, "alone", {5: [("set_lr", 0.02)]})
    script = {5: [("pause", None)], 6: [("set_lr", 0.02)], 8: [(ending, None)]}
    first = lab.train(experiment, "paused", script)
    assert LearningRateSet(lr=0.02) in first
    second = lab.train(experiment, "paused") if ending == "stop" else []
    assert_same(lab, "alone", "paused")
    assert lab.history(first + second) == lab.history(alone)


@pytest.mark.parametrize(
    "case",
    [PLAIN, CASES["unfreezing"], pytest.param(CASES["whitening"], marks=pytest.mark.long)],
    ids=["plain", "unfreezing", "whitening"],
)
def test_a_stream_closed_after_any_event(lab, case):
    experiment = lab.experiment(**case)
    alone = lab.train(experiment, "alone")
    start = next(i for i, event in enumerate(alone) if isinstance(event, RunStarted))
    for count in range(start + 1, len(alone)):
        name = f"closed{count}"
        events = stream(experiment, Control(), lab.places(name), device="cpu")
        # On a busy machine one run tells of its steps more often than another.
        seen = list(islice(events, count))
        events.close()
        rest = lab.train(experiment, name)
        assert rest[-1].status == "finished"
        assert_same(lab, "alone", name)
        assert lab.history(seen + rest) == lab.history(alone)
        assert set(lab.tests(seen + rest)) == set(lab.tests(alone))


def test_a_death_between_the_two_names_of_a_checkpoint(lab, monkeypatch):
    # With this rate the first epoch stays the best one: its best.pt is never written again.
    experiment = lab.experiment(optim={"lr": 1e-6})
    alone = lab.train(experiment, "alone")
    assert [best for *_, best in lab.history(alone)] == [True, False, False]

    class DeathError(BaseException):
        pass

    def die(*_):
        raise DeathError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_link_atomically", die)
        with pytest.raises(DeathError):
            lab.train(experiment, "killed")
    rest = lab.train(experiment, "killed")
    assert rest[-1].status == "finished"
    assert_same(lab, "alone", "killed")
    assert lab.tests(rest) == lab.tests(alone)


def test_what_follows_a_death_before_last_is_written_goes_on_from_best(lab, monkeypatch):
    """On a GPU the epoch would not come to the same again, and its place as the best be lost."""

    class DeathError(BaseException):
        pass

    def die(self, state, *names):
        yield from write(self, state, "best")
        raise DeathError

    write = Saver._write
    with monkeypatch.context() as patch:
        patch.setattr(Saver, "_write", die)
        with pytest.raises(DeathError):
            lab.train(lab.experiment(), "killed")
    assert not (lab.folder / "killed/checkpoints/last.pt").exists()
    rest = lab.train(lab.experiment(), "killed", {1: [("set_lr", 1e-9)]})
    assert [epoch[0] for epoch in lab.history(rest)] == [2, 3]
    ended = lab.state("killed", "last")["progress"]
    assert lab.state("killed", "best")["progress"]["epoch"] == ended["best_epoch"] + 1


def test_a_death_before_last_is_written_for_the_last_time(lab, monkeypatch):
    experiment = lab.experiment(train={"epochs": 1})
    alone = lab.train(experiment, "alone")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_link_atomically", lambda *_: os._exit(0))
        if not (child := os.fork()):
            try:
                lab.train(experiment, "killed")
            finally:
                os._exit(1)
        os.waitpid(child, 0)
    assert not (lab.folder / "killed/checkpoints/last.pt").exists()
    rest = lab.train(experiment, "killed")
    assert lab.tests(rest) == lab.tests(alone)
    assert_same(lab, "alone", "killed")


def test_a_stop_when_all_is_over_still_tests(lab):
    experiment = lab.experiment()
    alone = lab.train(experiment, "alone")
    epochs = [i for i, event in enumerate(alone) if isinstance(event, EpochFinished)]
    events = stream(experiment, Control(), lab.places("killed"), device="cpu")
    for _ in range(epochs[-1] + 3):  # the last epoch, its classes and its checkpoint
        next(events)
    events.close()
    rest = lab.train(experiment, "killed")
    assert lab.tests(rest) == lab.tests(alone) != []
    assert lab.history(rest) == []


def test_the_checkpoint_does_not_stay_in_memory(lab, monkeypatch):
    experiment = lab.experiment()
    lab.train(experiment, "run", {2: [("stop", None)]})
    loaded = []

    def load(*arguments):
        state = checkpoint.load_furthest(*arguments)
        loaded.append(weakref.ref(state["model"]["fc.weight"]))
        return state

    monkeypatch.setattr(engine, "load_furthest", load)
    for event in stream(experiment, Control(), lab.places("run"), device="cpu"):
        if isinstance(event, EpochFinished):
            assert [state() for state in loaded] == [None]
            break


def test_when_figures_are_read_changes_nothing(lab):
    experiment = lab.experiment(train={"epochs": 3, "batch_size": 1}, **PLAIN)
    alone = lab.train(experiment, "alone")
    script = {step: [("checkpoint", None)] for step in range(5, 81, 7)}
    read = lab.train(experiment, "read", script)
    assert lab.history(read) == lab.history(alone)
    assert len(read) > len(alone)
    assert_same(lab, "alone", "read")


class SuddenControl(Control):
    """Asks to stop between two looks at it, as a signal may; the first looks see nothing."""

    def __init__(self, looks: int) -> None:
        self._looks = looks
        super().__init__()

    @property
    def stopping(self) -> bool:
        self._looks -= 1
        return self._looks < 0

    @stopping.setter
    def stopping(self, asked: bool) -> None:
        """Nobody else asks here."""


def test_a_stop_asked_for_at_any_instant(lab):
    experiment = lab.experiment(train={"epochs": 2}, **PLAIN)
    alone = lab.train(experiment, "alone")
    for looks in range(30):
        name = f"stopped{looks}"
        control = SuddenControl(looks)
        first = list(stream(experiment, control, lab.places(name), device="cpu"))
        second = lab.train(experiment, name)
        assert second[-1].status == "finished"
        assert lab.history(first + second) == lab.history(alone)
        assert_same(lab, "alone", name)


class TellTale(Control):
    """Asks to stop while images are evaluated, the ``nth`` time that anything else is looked at."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self._left = nth

    def asked_to_stop(self) -> bool:
        self._left -= 1
        self.stopping |= self._left < 0
        return super().asked_to_stop()


def test_a_stop_while_images_are_evaluated(lab):
    experiment = lab.experiment(train={"epochs": 2}, **PLAIN)
    alone = lab.train(experiment, "alone")
    endings = set()
    for nth in range(12):
        events = list(stream(experiment, TellTale(nth), lab.places(f"{nth}"), device="cpu"))
        endings.add((events[-1].status, events[-1].epoch, bool(lab.tests(events))))
        rest = lab.train(experiment, f"{nth}") if events[-1].status == "stopped" else []
        assert_same(lab, "alone", f"{nth}")
        assert lab.history(events + rest) == lab.history(alone)
        assert lab.tests(events + rest)[-2:] == lab.tests(alone)[-2:]
    assert {("stopped", 0, False), ("stopped", 1, False), ("stopped", 2, False)} < endings
    assert ("finished", 2, True) in endings
