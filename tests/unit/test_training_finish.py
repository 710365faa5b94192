"""A training ended early by request: cut short, validated, tested, and finished for good."""

import pytest
import torch

from cnn_core.errors import UserError
from cnn_core.runs.reader import read_summary
from cnn_core.runs.resumable import check_resumable
from cnn_core.runs.series import RunSeries
from cnn_core.runs.session import new_run, train_run
from cnn_core.training import control
from cnn_core.training.checkpoint import checkpoint_path
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import (
    CheckpointSaved,
    ClassesValidated,
    EpochFinished,
    Paused,
    RunStarted,
    StepsDone,
    TestEvaluated,
    Unpaused,
)

FINISH = ("finish", None)
STOP = ("stop", None)
STEPS_PER_EPOCH = 4


@pytest.fixture(autouse=True)
def _answers_at_once(monkeypatch):
    monkeypatch.setattr(control, "_POLL_INTERVAL_S", 0)


def epochs_of(events):
    return [event for event in events if isinstance(event, EpochFinished)]


@pytest.mark.parametrize("step", range(1, 3 * STEPS_PER_EPOCH + 1))
def test_the_epoch_in_progress_counts_over_the_images_seen(lab, step):
    experiment = lab.experiment(augment={"policy": "flip-crop"})
    alone = lab.train(experiment, "alone")
    lab.train(experiment, "stopped", {step: [STOP]})
    events = lab.train(experiment, "run", {step: [FINISH]})

    whole, rest = divmod(step, STEPS_PER_EPOCH)
    epochs = epochs_of(events)
    assert [epoch.epoch for epoch in epochs] == list(range(1, whole + bool(rest) + 1))
    assert lab.history(events)[:whole] == lab.history(alone)[:whole]
    assert epochs[-1].global_step == step
    if rest:
        kept = lab.state("stopped")["progress"]
        assert kept["seen"] == 8 * rest
        assert epochs[-1].train_loss == kept["loss_sum"] / kept["seen"]
        assert epochs[-1].train_acc == kept["correct"] / kept["seen"]
    for key, value in lab.state("stopped")["model"].items():
        assert torch.equal(lab.state("run")["model"][key], value)

    place = events.index(epochs[-1])
    assert isinstance(events[place + 1], ClassesValidated)
    assert isinstance(events[place + 2], CheckpointSaved)
    last, best = [test.epoch for test in lab.tests(events)]
    assert (last, events[-1].status, events[-1].epoch) == (epochs[-1].epoch, "finished", last)
    assert best == max(epoch.epoch for epoch in epochs if epoch.best)
    assert lab.state("run", "best")["progress"]["best_epoch"] == best


def test_the_point_of_a_cut_epoch_lies_at_its_last_step(lab):
    series = RunSeries()
    for number, event in enumerate(lab.train(lab.experiment(), "run", {6: [FINISH]})):
        series.fold(float(number), event)
    assert series.points("val_acc", "step")[0].tolist() == [4, 6]
    assert series.points("loss", "step")[0].tolist()[-1] == 6


def test_before_the_first_step_the_initial_weights_are_tested(lab):
    control = Control()
    control.request("finish")
    run_dir = new_run(lab.folder / "runs", lab.experiment())
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    events = list(train_run(run_dir, control, **places, device="cpu"))
    assert not [event for event in events if isinstance(event, EpochFinished | StepsDone)]
    assert [test.epoch for test in lab.tests(events)] == [0, 0]
    summary = read_summary(run_dir)
    assert (summary["status"], summary["epoch"], summary["best"]["epoch"]) == ("finished", 0, None)
    assert summary["test"]["acc"] == summary["test_last"]["acc"] is not None
    assert checkpoint_path(run_dir, "best").is_file()
    assert checkpoint_path(run_dir, "last").is_file()
    with pytest.raises(UserError, match="nothing to resume"):
        check_resumable(run_dir)


def test_between_two_epochs_no_further_one_begins(lab):
    control = Control()
    events = []
    for event in stream(lab.experiment(), control, lab.places("run"), device="cpu"):
        events.append(event)
        if isinstance(event, ClassesValidated):
            control.request("finish")
    assert [epoch.global_step for epoch in epochs_of(events)] == [STEPS_PER_EPOCH]
    assert events[-1].status == "finished"


def test_in_a_pause(lab):
    straight = lab.train(lab.experiment(), "straight", {6: [FINISH]})
    paused = lab.train(lab.experiment(), "paused", {6: [("pause", None)], 8: [FINISH]})
    kinds = [type(event) for event in paused]
    assert kinds.index(Paused) < kinds.index(Unpaused) < kinds.index(TestEvaluated)
    assert lab.history(paused) == lab.history(straight)
    assert lab.tests(paused) == lab.tests(straight)
    for which in ("last", "best"):
        assert not lab.differences(lab.state("straight", which), lab.state("paused", which))


@pytest.mark.parametrize("step", [2, 4, 6])
def test_a_crash_after_the_request_was_noted_does_not_undo_it(lab, step):
    experiment = lab.experiment()
    alone = lab.train(experiment, "alone", {step: [FINISH]})
    noted = next(
        i
        for i, event in enumerate(alone)
        if isinstance(event, CheckpointSaved) and event.epoch * 4 - 4 + event.step == step
    )
    for count in range(noted + 1, len(alone)):
        name = f"closed{count}"
        run = stream(experiment, asked_after(step), lab.places(name), device="cpu")
        seen = [next(run) for _ in range(count)]
        run.close()
        rest = lab.train(experiment, name)
        assert rest[-1].status == "finished"
        assert lab.history(seen + rest) == lab.history(alone)
        assert set(lab.tests(seen + rest)) == set(lab.tests(alone))
        assert not lab.differences(lab.state("alone"), lab.state(name))


def asked_after(step):
    """Return a control that is asked to finish at this look between two steps."""

    class Asked(Control):
        looks = 0

        def poll(self) -> None:
            super().poll()
            self.looks += 1
            if self.looks == step:
                self.request(*FINISH)

    return Asked()


def test_a_stop_comes_first_and_the_next_sitting_finishes(lab):
    straight = lab.train(lab.experiment(), "straight", {6: [FINISH]})
    first = lab.train(lab.experiment(), "stopped", {6: [FINISH, STOP]})
    assert (first[-1].status, first[-1].epoch) == ("stopped", 1)
    second = lab.train(lab.experiment(), "stopped")
    assert second[-1].status == "finished"
    assert not [event for event in second if isinstance(event, StepsDone)]
    assert lab.history(first + second) == lab.history(straight)


def test_a_checkpoint_from_before_there_was_such_a_request_loads(lab):
    alone = lab.train(lab.experiment(), "alone")
    first = lab.train(lab.experiment(), "run", {6: [STOP]})
    state = lab.state("run")
    del state["progress"]["finishing"]
    torch.save(state, checkpoint_path(lab.folder / "run", "last"))
    second = lab.train(lab.experiment(), "run")
    assert any(isinstance(event, RunStarted) for event in second)
    assert lab.history(first + second) == lab.history(alone)


def test_a_network_that_broke_does_not_finish(lab):
    experiment = lab.experiment(optim={"lr": 1e30})
    *_, end = lab.train(experiment, "run", {1: [FINISH]})
    assert end.status == "diverged"
