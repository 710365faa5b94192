"""The curves of a run: positions, resumed runs, unknown values, and what they cost to read."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
from cnn_core.runs.series import Metric, RunSeries, XAxis
from cnn_core.runs.summary_state import RunSummary
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import (
    CheckpointSaved,
    ClassesValidated,
    EpochFinished,
    Event,
    Notice,
    Preparing,
    RunFinished,
    RunStarted,
    StepsDone,
)

STEPS = 10  # in an epoch


def started(epoch: int | None = None, step: int | None = None, **changed: Any) -> RunStarted:
    return RunStarted(
        device="cpu",
        threads=1,
        precision="fp32",
        batch_size=8,
        epochs=3,
        params_total=100,
        params_trainable=40,
        train=80,
        val=20,
        test=10,
        dataset_fingerprint="f",
        resumed_epoch=epoch,
        resumed_step=step,
        **{"steps_per_epoch": STEPS, "classes": ("zero", "one")} | changed,
    )


def steps(global_step: int, loss: float = 0.0) -> StepsDone:
    epoch, step = divmod(global_step - 1, STEPS)
    return StepsDone(
        epoch=epoch + 1,
        step=step + 1,
        steps_per_epoch=STEPS,
        global_step=global_step,
        loss=loss,
        lr=0.1,
        images_per_s=50.0,
    )


def epoch(number: int, val_acc: float | None = 0.5, *, best: bool = False) -> EpochFinished:
    return EpochFinished(
        epoch=number,
        train_loss=1.0 / number,
        train_acc=0.25,
        val_loss=None if val_acc is None else 2.0,
        val_acc=val_acc,
        lr=0.1,
        seconds=2.0,
        images_per_s=40.0,
        best=best,
    )


def folded(*timed: tuple[float, Event]) -> RunSeries:
    series = RunSeries()
    for time, event in timed:
        series.fold(time, event)
    return series


def curve(series: RunSeries, metric: Metric, x: XAxis = "step") -> list[tuple[float, float]]:
    positions, values = series.points(metric, x)
    assert positions.dtype == values.dtype == np.float64
    return list(zip(positions.tolist(), values.tolist(), strict=True))


RUN: list[tuple[float, Event]] = [
    (100.0, Preparing(what="decoding")),
    (110.0, started()),
    (111.0, steps(5, 2.0)),
    (112.0, steps(9, 1.5)),
    (113.0, epoch(1, 0.4, best=True)),
    (115.0, steps(15, 1.0)),
    (117.0, epoch(2, 0.6, best=True)),
    (119.0, steps(25, 0.5)),
]


def test_positions_of_steps_and_epochs() -> None:
    series = folded(*RUN)
    assert curve(series, "loss", "step") == [(5, 2.0), (9, 1.5), (15, 1.0), (25, 0.5)]
    assert curve(series, "loss", "epoch") == [(0.5, 2.0), (0.9, 1.5), (1.5, 1.0), (2.5, 0.5)]
    assert curve(series, "loss", "time") == [(11, 2.0), (12, 1.5), (15, 1.0), (19, 0.5)]
    assert curve(series, "lr")[0] == (5, 0.1)
    assert curve(series, "images_per_s")[0] == (5, 50.0)
    assert curve(series, "val_acc", "step") == [(10, 0.4), (20, 0.6)]
    assert curve(series, "train_loss", "epoch") == [(1.0, 1.0), (2.0, 0.5)]
    assert curve(series, "train_acc", "time") == [(13, 0.25), (17, 0.25)]
    assert (series.best_epoch, series.classes) == (2, ("zero", "one"))


def test_nothing_is_known_before_the_start() -> None:
    series = RunSeries()
    for metric in get_args(Metric):
        for x in get_args(XAxis):
            assert curve(series, metric, x) == []
    assert (series.best_epoch, series.classes) == (None, ())


def test_a_value_that_is_not_known_is_nan() -> None:
    series = folded((1.0, started()), (2.0, epoch(1, None)), (3.0, epoch(2, math.inf)))
    values = series.points("val_acc", "epoch")[1]
    assert math.isnan(values[0])
    assert values[1] == math.inf


def test_a_resumed_run_goes_on_from_its_checkpoint() -> None:
    second = [
        (1000.0, Notice(level="info", text="resuming")),
        (1001.0, Preparing(what="decoding")),
        (1002.0, started(1, 5)),
    ]
    for end in ([], [(120.0, RunFinished(status="stopped"))]):  # killed, stopped
        resumed = folded(*RUN, *end, *second)
        assert curve(resumed, "loss") == [(5, 2.0), (9, 1.5), (15, 1.0)]
        assert curve(resumed, "val_acc") == [(10, 0.4)]
        assert resumed.best_epoch == 1
        again = folded(*RUN, *end, *second, (1010.0, steps(18)), (1012.0, epoch(2, 0.7)))
        assert curve(again, "loss")[-1] == (18, 0.0)
        assert curve(again, "val_acc", "epoch") == [(1, 0.4), (2, 0.7)]
        sittings = 20 if end else 19
        assert curve(again, "loss", "time")[-1] == (sittings + 10, 0.0)
        assert curve(again, "val_acc", "time")[-1] == (sittings + 12, 0.7)
    anew = folded(*RUN, (1000.0, started()))  # without any checkpoint
    assert curve(anew, "loss") == curve(anew, "val_acc") == []
    assert anew.best_epoch is None


def test_the_latest_accuracy_of_each_class() -> None:
    def validated(number: int, *correct: int) -> ClassesValidated:
        return ClassesValidated(epoch=number, images=(10, 10), correct=correct)

    series = folded(*RUN[:5])
    assert series.class_accuracy is None
    series.fold(113.0, validated(1, 3, 5))
    series.fold(117.0, epoch(2))
    version = series.version
    series.fold(117.0, validated(2, 4, 6))
    assert series.version > version
    assert series.class_accuracy == validated(2, 4, 6)
    series.fold(1000.0, started(1, 0))
    assert series.class_accuracy == validated(1, 3, 5)
    series.fold(1001.0, epoch(2))
    series.fold(1001.0, validated(2, 7, 8))
    assert series.class_accuracy == validated(2, 7, 8)
    series.fold(1002.0, started())
    assert series.class_accuracy is None


def test_of_the_accuracies_only_those_are_kept_that_a_resume_may_go_back_to() -> None:
    def validated(number: int) -> ClassesValidated:
        return ClassesValidated(epoch=number, images=(10,), correct=(number,))

    series = folded((100.0, started()))
    for number in range(1, 6):
        series.fold(100.0 + number, epoch(number))
        series.fold(100.0 + number, validated(number))
        if number == 3:  # saved at the start of the fourth
            before = series.version
            series.fold(103.5, CheckpointSaved(name="last", epoch=4, step=0))
            assert series.version == before
    assert series._class_accuracies == [validated(3), validated(4), validated(5)]
    series.fold(200.0, started(3, 0))
    assert series.class_accuracy == validated(3)


def test_what_is_trained_again_replaces_the_old() -> None:
    series = folded(*RUN, (120.0, steps(13, 9.0)), (121.0, epoch(2, 0.3)))
    assert curve(series, "loss") == [(5, 2.0), (9, 1.5), (13, 9.0)]
    assert curve(series, "val_acc") == [(10, 0.4), (20, 0.3)]
    assert series.best_epoch == 1


def test_the_version_tells_whether_anything_changed() -> None:
    series, versions = RunSeries(), []
    for time, event in [*RUN, (130.0, started(1, 0)), (131.0, Notice(level="info", text=""))]:
        series.fold(time, event)
        versions.append(series.version)
    told = [type(event) for _, event in RUN]
    assert told[0] is Preparing
    assert versions == [0, *range(1, len(RUN)), len(RUN), len(RUN)]


def test_curves_do_not_change_after_they_were_read() -> None:
    series = folded(*RUN)
    positions, values = series.points("loss", "step")
    before = values.tolist()
    series.fold(200.0, steps(30))
    series.fold(201.0, started())
    assert values.tolist() == before
    assert len(positions) == 4


def test_the_curves_of_a_real_training_agree_with_its_summary(lab, monkeypatch) -> None:
    monkeypatch.setattr("cnn_core.training.control.PROGRESS_INTERVAL_S", 0)
    series, summary = RunSeries(), RunSummary("id", {}, None)
    events = stream(lab.experiment(), Control(), lab.places("run"), device="cpu")
    for number, event in enumerate(events):
        series.fold(float(number), event)
        summary.fold(float(number), event)
    document = summary.document()
    for metric in ("train_loss", "train_acc", "val_loss", "val_acc"):
        history = [(row["epoch"], row[metric]) for row in document["history"]]
        assert curve(series, metric, "epoch") == history
    assert [step for step, _ in curve(series, "val_acc", "step")] == [4, 8, 12]
    assert [step for step, _ in curve(series, "loss", "step")] == list(range(1, 13))
    assert series.best_epoch == document["best"]["epoch"]
    assert series.classes == ("class0", "class1", "class2")


INT = st.integers(-3, 30)
EVENTS = st.one_of(
    st.builds(epoch, st.integers(1, 5), best=st.booleans()),
    st.builds(started, st.none() | INT, st.none() | INT, steps_per_epoch=st.integers(0, 12)),
    st.builds(
        StepsDone,
        **dict.fromkeys(("epoch", "step", "steps_per_epoch", "global_step"), INT),
        **dict.fromkeys(("loss", "lr", "images_per_s"), st.floats()),
    ),
)


@given(events=st.lists(st.tuples(st.floats(), EVENTS), max_size=20))
def test_any_events_give_curves_whose_epochs_grow(events: list[tuple[float, Event]]) -> None:
    series = folded(*events)
    for metric in get_args(Metric):
        positions, values = series.points(metric, "epoch")
        assert len(positions) == len(values)
        assert (np.diff(positions) > 0).all()


def test_it_imports_no_torch() -> None:
    program = "import sys, cnn_core.runs.series; sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(cnn_core.__path__[0]).parent)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
