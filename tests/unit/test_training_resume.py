"""A run that was stopped, paused or killed and goes on is the run left alone, bit for bit."""

from typing import Any

import pytest

from cnn_core.training import control
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import (
    CheckpointSaved,
    EpochFinished,
    LearningRateSet,
    Paused,
    RunFinished,
    RunStarted,
    Unpaused,
)

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
    "accumulate": {"train": {"batch_size": 2, "accumulate": 4}},
    "early stopping": {"train": {"epochs": 9, "early_stopping": 2}, "optim": {"lr": 1e-6},
                       "data": {"val_fraction": 0.1}},
    "unfreezing": {"freeze": {"policy": "first:1", "unfreeze_at": 2, "lr_scale": 0.5}},
    "bf16": {"train": {"precision": "bf16"}},
    "rare checkpoints": {"train": {"checkpoint_every": 2}},
}  # fmt: skip


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
    assert (started.resumed_epoch, started.resumed_step) == divmod(step - 1, STEPS_PER_EPOCH)[
        :1
    ] + ((step - 1) % STEPS_PER_EPOCH + 1,)
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
