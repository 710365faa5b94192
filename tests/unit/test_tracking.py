"""What TensorBoard and MLflow read of a run, by their own readers."""

import dataclasses
import math
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from inspect_support import PRESET, make_images
from prepare_support import finish
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cnn_core.config import Experiment, Tracking
from cnn_core.errors import CnnTuiError, UserError
from cnn_core.export.curves import export_curves
from cnn_core.runs import mirror
from cnn_core.runs.reader import read_events, read_summary
from cnn_core.runs.session import check_startable, new_run, train_run
from cnn_core.runs.writer import RunWriter
from cnn_core.tracking.points import points
from cnn_core.training.control import Control
from cnn_core.training.events import (
    EpochFinished,
    Event,
    Notice,
    RunFinished,
    RunStarted,
    StepsDone,
    TestEvaluated,
)

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

START = RunStarted(
    device="cpu",
    threads=1,
    precision="fp32",
    batch_size=16,
    epochs=3,
    steps_per_epoch=4,
    params_total=10,
    params_trainable=9,
    train=64,
    val=8,
    test=8,
    classes=("a", "b"),
    dataset_fingerprint="f",
)
EPOCH = EpochFinished(
    epoch=1,
    train_loss=1.0,
    train_acc=0.5,
    val_loss=None,
    val_acc=None,
    lr=0.1,
    seconds=1.0,
    images_per_s=64.0,
    best=True,
)


def steps(epoch: int, step: int, loss: float) -> StepsDone:
    return StepsDone(
        epoch=epoch,
        step=step,
        steps_per_epoch=4,
        global_step=4 * (epoch - 1) + step,
        loss=loss,
        lr=0.1,
        images_per_s=50.0,
    )


def epoch(number: int, loss: float) -> EpochFinished:
    return dataclasses.replace(EPOCH, epoch=number, train_loss=loss)


# The process was killed in epoch 2; epoch 2 is trained again from its start.
FIRST = [START, steps(1, 2, 3.0), steps(1, 4, 2.0), epoch(1, 2.5), steps(2, 1, math.inf)]
LOST = [steps(2, 3, 1.9)]
AGAIN = [
    dataclasses.replace(START, resumed_epoch=1, resumed_step=0),
    steps(2, 2, math.nan),
    epoch(2, math.nan),
    TestEvaluated(checkpoint="last", epoch=2, acc=0.25, top5=None, loss=1.0),
    TestEvaluated(checkpoint="best", epoch=1, acc=0.5, top5=None, loss=0.5),
    RunFinished(status="finished", epoch=2),
]


def told(runs: Path, *events: Event, **keys: Any) -> Path:
    """Return a run whose log holds these events."""
    run_dir = new_run(runs, Experiment.model_validate(PRESET | keys))
    tell(run_dir, *events)
    return run_dir


def tell(run_dir: Path, *events: Event) -> None:
    with RunWriter(run_dir) as writer:
        for event in events:
            writer.write(event)


def event_files(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return every curve that TensorBoard finds in a folder."""
    read = EventAccumulator(str(folder))
    read.Reload()
    return {
        tag: [(point.step, point.value) for point in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
    }


def of_log(run_dir: Path) -> dict[str, list[tuple[int, float]]]:
    """Return every curve of a run that was never interrupted."""
    curves = defaultdict(list)
    for time, event in read_events(run_dir):
        for point in points(time, event):
            curves[point.name].append((point.step, pytest.approx(point.value)))
    return curves


def test_tensorboard_reads_what_counts(tmp_path: Path) -> None:
    run_dir = told(tmp_path, *FIRST, *LOST, *AGAIN, notes="<b>*mine*", tags=["x"])
    made, _ = finish(export_curves(run_dir, "tensorboard"))
    assert made.place == str(run_dir / "tensorboard")
    curves = event_files(run_dir / "tensorboard")
    assert curves["step/loss"][:2] == [(2, 3.0), (4, 2.0)]
    assert [step for step, _ in curves["step/loss"]] == [2, 4, 6]
    assert math.isnan(curves["step/loss"][-1][1])
    assert [step for step, _ in curves["epoch/train_loss"]] == [1, 2]
    assert curves["test/acc"] == [(1, 0.5)]
    assert curves["test_last/acc"] == [(2, 0.25)]
    assert "epoch/val_loss" not in curves
    assert "test/top5" not in curves
    assert sum(map(len, curves.values())) == made.points
    tags = EventAccumulator(str(run_dir / "tensorboard"))
    tags.Reload()
    assert {"config", "notes", "status", "_hparams_/session_start_info"} <= set(
        tags.Tags()["tensors"]
    )


def test_event_files_are_replaced_and_those_of_others_stay(tmp_path: Path) -> None:
    run_dir = told(tmp_path / "runs", *FIRST)
    folder = tmp_path / "board" / run_dir.name
    finish(export_curves(run_dir, "tensorboard", str(tmp_path / "board")))
    assert [step for step, _ in event_files(folder)["step/loss"]] == [2, 4, 5]
    other = folder / "events.out.tfevents.1.host"
    other.touch()
    tell(run_dir, *AGAIN)
    finish(export_curves(run_dir, "tensorboard", str(tmp_path / "board")))
    assert [step for step, _ in event_files(folder)["step/loss"]] == [2, 4, 6]
    assert other.exists()
    assert len(list(folder.iterdir())) == 2
    assert [path.name for path in folder.parent.iterdir()] == [run_dir.name]


def test_mlflow_reads_what_the_run_has_and_gets_nothing_twice(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    store = f"sqlite:///{tmp_path / 'store.db'}"
    run_dir = told(tmp_path / "runs", *FIRST, notes="mine", tags=["x", "y"])

    def export() -> Any:
        finish(export_curves(run_dir, "mlflow", store))
        client = MlflowClient(store)
        (experiment,) = client.search_experiments(filter_string="name = 'cnn-tui'")
        (found,) = client.search_runs([experiment.experiment_id])
        return client, found

    def steps_of(client: Any, found: Any, name: str) -> list[int]:
        return [point.step for point in client.get_metric_history(found.info.run_id, name)]

    client, found = export()
    assert found.info.status == "KILLED"
    assert found.data.tags["cnn_tui.status"] == "interrupted"
    assert steps_of(client, found, "step/loss") == [2, 4, 5]
    tell(run_dir, *AGAIN)
    for _ in range(2):
        client, found = export()
        assert steps_of(client, found, "step/loss") == [2, 4, 5, 6]
        assert steps_of(client, found, "epoch/train_loss") == [1, 2]
    assert found.info.run_name == run_dir.name
    assert found.info.status == "FINISHED"
    assert found.data.params["optim.lr"] == "0.05"
    assert found.data.params["model.options.widths"] == "[4, 6]"
    assert not any(key.startswith(("tracking", "notes")) for key in found.data.params)
    assert found.data.metrics["test/acc"] == 0.5
    assert math.isnan(found.data.metrics["epoch/train_loss"])
    assert found.data.tags["tags"] == "x, y"
    assert found.data.tags["mlflow.note.content"] == "mine"
    assert found.data.tags["cnn_tui.params_total"] == "10"
    (artifact,) = client.list_artifacts(found.info.run_id)
    assert artifact.path == "config.toml"
    # Nothing lies in the folder that a command happens to be called in.
    assert (tmp_path / "store-artifacts").is_dir()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracked")
    make_images(folder / "data" / "images", ("ant", "bee"))
    return folder


def experiment(**tracking: Any) -> Experiment:
    return Experiment.model_validate(PRESET | {"tracking": tracking})


def sitting(data: Path, run_dir: Path, control: Control | None = None):
    return train_run(
        run_dir,
        control or Control(),
        data_dir=data / "data",
        cache_dir=data / "cache",
        device="cpu",
    )


def test_a_training_writes_event_files_and_goes_on_with_them(data: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "runs", experiment(tensorboard="../board"))
    control, stopped = Control(), []
    for event in sitting(data, run_dir, control):
        stopped.append(event)
        if isinstance(event, EpochFinished):
            control.request("stop")
    assert stopped[-1].status == "stopped"
    folder = tmp_path / "board" / run_dir.name
    assert event_files(folder) == of_log(run_dir)
    events = list(sitting(data, run_dir))
    assert events[-1].status == "finished"
    assert not [event for event in events if isinstance(event, Notice)]
    curves = event_files(folder)
    assert curves == of_log(run_dir)
    history = read_summary(run_dir)["history"]
    assert [value for _, value in curves["epoch/val_acc"]] == pytest.approx(
        [one["val_acc"] for one in history]
    )
    assert [step for step, _ in curves["epoch/val_acc"]] == [1, 2]
    assert len(list(folder.iterdir())) == 1


class Broken:
    """A tracker that fails at one of its calls."""

    def __init__(self, at: str) -> None:
        self._at = at

    def begin(self, run: Any) -> None:
        self._fail("begin")

    def log(self, points: Any) -> None:
        self._fail("log")

    def close(self, status: Any, time: float) -> None:
        self._fail("close")

    def _fail(self, at: str) -> None:
        if at == self._at:
            raise RuntimeError(f"no {at} \x1b[31m\nsecond line")


@pytest.mark.parametrize("at", ["begin", "log"])
def test_a_tracker_that_fails_is_told_once_and_ends_no_training(data, tmp_path, monkeypatch, at):
    monkeypatch.setattr(mirror, "trackers_of", lambda *_: {"mlflow": lambda: Broken(at)})
    run_dir = new_run(tmp_path, experiment())
    events = list(sitting(data, run_dir))
    assert events[-1].status == "finished"
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.level == "warning"
    assert notice.text.startswith(f"tracking.mlflow: no {at} \\x1b[31m; the run goes on")
    assert f"cnn-tui export {run_dir.name} --format mlflow" in notice.text


def test_a_tracker_that_fails_at_the_very_end_is_told_in_the_log(data, tmp_path, monkeypatch):
    monkeypatch.setattr(mirror, "trackers_of", lambda *_: {"mlflow": lambda: Broken("close")})
    run_dir = new_run(tmp_path, experiment())
    assert list(sitting(data, run_dir))[-1].status == "finished"
    assert "tracking.mlflow: no close" in (run_dir / "log.txt").read_text()


def test_a_tracker_that_stalls_holds_up_no_training_for_long(data, tmp_path, monkeypatch):
    import threading

    released = threading.Event()

    class Stalling(Broken):
        def log(self, points: Any) -> None:
            released.wait()

    monkeypatch.setattr(mirror, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(mirror, "trackers_of", lambda *_: {"mlflow": lambda: Stalling("")})
    try:
        events = list(sitting(data, new_run(tmp_path, experiment())))
    finally:
        released.set()
    assert events[-1].status == "finished"
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert "did not take everything within 0.1 s" in notice.text


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_a_missing_package_is_told_before_anything_is_written(data, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"tracking\.{package} needs {package}: pip install"):
        check_startable(experiment(**{package: True}), data / "data", "cpu")
    with pytest.raises(UserError, match=r"cnn-tui\[tracking\]"):
        finish(export_curves(told(data / "runs", *FIRST), package))


def test_what_can_not_be_copied_is_told(tmp_path: Path) -> None:
    empty = told(tmp_path)
    with pytest.raises(UserError, match="no events yet"):
        finish(export_curves(empty, "tensorboard"))
    run_dir = told(tmp_path, *FIRST, tracking={"tensorboard": True})
    with pytest.raises(UserError, match="no store of MLflow"):
        finish(export_curves(run_dir, "mlflow", "mlruns"))
    with RunWriter(run_dir), pytest.raises(UserError, match="its training is copying it"):
        finish(export_curves(run_dir, "tensorboard"))
    (run_dir / "tensorboard").touch()
    with pytest.raises(CnnTuiError, match="tensorboard: "):
        finish(export_curves(run_dir, "tensorboard"))


@pytest.mark.parametrize("uri", [True, "sqlite:////a/b.db", "http://host:5000", "databricks"])
def test_stores_that_mlflow_may_know(uri: bool | str) -> None:
    assert Tracking(mlflow=uri).mlflow == uri
