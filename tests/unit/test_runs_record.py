"""Recording a run and reading it back: log, summary, follower, torn and damaged lines."""

import json
import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cnn_core.errors import UserError
from cnn_core.runs.directory import create_run
from cnn_core.runs.reader import fold_events, read_config, read_events, read_summary
from cnn_core.runs.summary_state import RunSummary
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import (
    CheckpointSaved,
    EpochFinished,
    Event,
    Notice,
    Paused,
    Preparing,
    RunFinished,
    RunStarted,
    StepsDone,
    TestEvaluated,
    Unpaused,
)

CONFIG = (
    'name = "digits"\ntags = ["a"]\nnotes = "why"\n'
    '[data]\ndataset = "digits"\n[train]\nepochs = 3\n'
)


def started(resumed_epoch: int | None = None) -> RunStarted:
    return RunStarted(
        device="cpu",
        threads=1,
        precision="fp32",
        batch_size=8,
        epochs=3,
        steps_per_epoch=10,
        params_total=100,
        params_trainable=40,
        train=80,
        val=20,
        test=10,
        classes=("zero", "one"),
        dataset_fingerprint="f",
        resumed_epoch=resumed_epoch,
    )


def epoch(number: int, val_acc: float | None = 0.5, *, best: bool = False) -> EpochFinished:
    return EpochFinished(
        epoch=number,
        train_loss=1.0 / number,
        train_acc=0.25,
        val_loss=2.0,
        val_acc=val_acc,
        lr=0.1,
        seconds=2.0,
        images_per_s=40.0 * number,
        best=best,
    )


def folded(*timed: tuple[float, Event]) -> dict[str, Any]:
    summary = RunSummary("id", {"name": "n"}, 1.0)
    for time, event in timed:
        summary.fold(time, event)
    return summary.document()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return create_run(tmp_path, "digits", CONFIG, {})


def test_the_summary_of_a_finished_run(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(Preparing(what="decoding", done=1, total=2))
        assert read_summary(run)["status"] == "running"
        writer.write(started())
        writer.write(StepsDone(**dict.fromkeys(StepsDone.__dataclass_fields__, 1)))
        writer.write(epoch(1, 0.6, best=True))
        writer.write(epoch(2, 0.7, best=True))
        writer.write(epoch(3, 0.65))
        writer.write(CheckpointSaved(name="last", epoch=3, step=0))
        writer.write(TestEvaluated(checkpoint="best", epoch=2, acc=0.61, top5=None, loss=1.5))
        writer.write(TestEvaluated(checkpoint="last", epoch=3, acc=0.6, top5=None, loss=1.6))
        writer.write(RunFinished(status="finished", epoch=3, seconds=6.0))
    summary = read_summary(run)
    assert summary == fold_events(run).document()
    assert json.loads((run / "summary.json").read_text()) == summary
    history, config = summary.pop("history"), summary.pop("config")
    assert config == read_config(run)
    assert summary.pop("timing").keys() == {"total_s", "train_s", "images_per_s"}
    assert summary.pop("created") > 0
    assert summary == {
        "id": run.name,
        "name": "digits",
        "status": "finished",
        "error": None,
        "tags": ["a"],
        "notes": "why",
        "epoch": 3,
        "epochs": 3,
        "best": {"epoch": 2, "val_acc": 0.7, "val_loss": 2.0},
        "last": {
            "epoch": 3,
            "train_loss": 1 / 3,
            "train_acc": 0.25,
            "val_loss": 2.0,
            "val_acc": 0.65,
        },
        "test": {"acc": 0.61, "top5": None, "loss": 1.5, "checkpoint": "best", "epoch": 2},
        "test_last": {"acc": 0.6, "top5": None, "loss": 1.6, "checkpoint": "last", "epoch": 3},
        "params": {"total": 100, "trainable": 40},
        "split": {"train": 80, "val": 20, "test": 10, "classes": 2},
        "device": "cpu",
    }
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    assert history[1] == {
        "epoch": 2,
        "train_loss": 0.5,
        "train_acc": 0.25,
        "val_loss": 2.0,
        "val_acc": 0.7,
        "lr": 0.1,
        "seconds": 2.0,
        "images_per_s": 80.0,
    }


def test_all_keys_are_there_from_the_beginning() -> None:
    def keys(document: dict[str, Any]) -> set[str]:
        return {
            f"{key}.{inner}"
            for key, value in document.items()
            for inner in (value if isinstance(value, dict) and key != "config" else [""])
        }

    assert keys(folded()) == keys(folded((1, started()), (2, epoch(1, best=True))))


def test_times_and_speed() -> None:
    summary = folded((100, Preparing(what="x")), (110, started()), (112, epoch(1)), (114, epoch(2)))
    # 2 s at 40 and 2 s at 80 images/s
    assert summary["timing"] == {"total_s": 14.0, "train_s": 4.0, "images_per_s": 60.0}
    assert folded()["timing"] == {"total_s": 0.0, "train_s": 0, "images_per_s": None}


def test_total_time_leaves_out_the_gaps_between_sessions() -> None:
    first = [(100.0, Preparing(what="x")), (110.0, started()), (120.0, epoch(1))]
    stopped = (125.0, RunFinished(status="stopped", epoch=1))
    second = [
        (1000.0, Notice(level="info", text="resuming")),
        (1001.0, Preparing(what="x")),
        (1002.0, started(1)),
        (1010.0, epoch(2)),
    ]
    assert folded(*first, stopped, *second)["timing"]["total_s"] == 25 + 10
    assert folded(*first, *second)["timing"]["total_s"] == 20 + 10  # after a crash
    assert folded(*first, *second, stopped)["status"] == "stopped"


def test_a_resumed_run_replaces_what_it_trains_again() -> None:
    before = [
        (1.0, started()),
        (2.0, epoch(1, 0.5, best=True)),
        (3.0, epoch(2, 0.9, best=True)),
        (4.0, TestEvaluated(checkpoint="best", epoch=2, acc=0.8, top5=None, loss=1.0)),
        (5.0, RunFinished(status="failed", error="disk")),
    ]
    resumed = folded(*before, (9.0, started(1)))
    assert [entry["epoch"] for entry in resumed["history"]] == [1]
    assert (resumed["status"], resumed["error"], resumed["epoch"]) == ("running", None, 1)
    assert resumed["best"]["val_acc"] == 0.5
    assert resumed["test"]["acc"] is None  # of an epoch that is no more
    again = folded(*before, (9.0, started(1)), (10.0, epoch(2, 0.7, best=True)))
    assert [entry["val_acc"] for entry in again["history"]] == [0.5, 0.7]
    assert folded(*before, (9.0, started(None)))["history"] == []
    assert folded(*before, (9.0, started(2)))["test"]["acc"] == 0.8


def test_pauses_and_failures_show(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(started())
        writer.write(Paused())
        assert read_summary(run)["status"] == "paused"
        writer.write(Unpaused())
        assert read_summary(run)["status"] == "running"
    assert read_summary(run)["status"] == "interrupted"
    with RunWriter(run) as writer:
        writer.write(RunFinished(status="failed", error="file \udcff.jpg"))
    assert read_summary(run)["status"] == "failed"
    assert read_summary(run)["error"] == "file \udcff.jpg"
    assert fold_events(run).document() == read_summary(run)


def test_warnings_and_tracebacks_go_to_the_log(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(Notice(level="info", text="all is well"))
        writer.write(Notice(level="warning", text="odd \udcff"))
        writer.log("Traceback:\n  here\n")
    lines = (run / "log.txt").read_text().splitlines()
    assert [line[20:] for line in lines[:2]] == ["warning: odd \\udcff", "Traceback:"]
    assert lines[2] == "  here"


def test_nan_and_infinity_round_trip(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(started())
        writer.write(epoch(1, math.nan))
        writer.write(epoch(2, math.inf))
        writer.write(RunFinished(status="diverged"))
    for line in [
        *(run / "events.jsonl").read_text().splitlines(),
        (run / "summary.json").read_text(),
    ]:
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    values = [entry["val_acc"] for entry in read_summary(run)["history"]]
    assert math.isnan(values[0])
    assert values[1] == math.inf
    events = [event for _, event in read_events(run)]
    assert isinstance(events[1], EpochFinished)
    assert events[1].val_acc is not None
    assert math.isnan(events[1].val_acc)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"id": 1}', b"\xff", b"[" * 99999])
def test_a_missing_or_damaged_summary_is_made_anew(run: Path, content: bytes | None) -> None:
    with RunWriter(run) as writer:
        writer.write(started())
        writer.write(epoch(1, best=True))
        writer.write(RunFinished(status="finished"))
    before = read_summary(run)
    (run / "summary.json").unlink()
    if content is not None:
        (run / "summary.json").write_bytes(content)
    assert read_summary(run) == before


def test_configs_that_cannot_be_read(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run"):
        read_config(tmp_path)
    with pytest.raises(UserError, match="not a run"), RunWriter(tmp_path):
        pass
    assert not (tmp_path / "lock").exists()
    (run / "config.toml").write_bytes(b"a = 1\nb = \xff\n")
    with pytest.raises(UserError, match="not valid TOML"):
        read_config(run)
    (run / "config.toml").write_text("a = 1\nb = \n")
    with pytest.raises(UserError, match="line 2"):
        read_config(run)
    (run / "config.toml").write_text("[x]\nday = 2020-01-31")
    assert read_config(run) == {"x": {"day": "2020-01-31"}}


def test_a_summary_that_takes_long_is_put_off_and_never_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnn_core.runs.writer.TIME_SHARE", 1e-9)
    run = create_run(tmp_path, "digits", CONFIG, {})

    def stored() -> Any:
        return json.loads((run / "summary.json").read_bytes())["epoch"]

    with RunWriter(run) as writer:
        writer.write(started())
        for number in (1, 2):
            writer.write(epoch(number))
        assert stored() == 0
        killed = shutil.copytree(run, tmp_path / "killed")
    assert stored() == 2
    assert read_summary(killed)["status"] == "interrupted"
    assert read_summary(killed)["epoch"] == 2
    with RunWriter(run) as writer:
        writer.write(started(2))
        writer.write(epoch(3))
        writer.write(RunFinished(status="finished"))
        assert stored() == 3


def test_a_summary_without_history_tells_the_same_after_each_event_of_any_log() -> None:
    saved = partial(CheckpointSaved, name="last")
    log = [
        started(),
        epoch(1, 0.6, best=True),
        saved(epoch=1, step=10),
        epoch(2, 0.7, best=True),
        saved(epoch=2, step=10),
        epoch(3, 0.65),
        saved(epoch=4, step=3),
        epoch(4, 0.9, best=True),  # killed before its checkpoint
        started(resumed_epoch=3),
        epoch(4, 0.69),  # cut short by a stop
        saved(epoch=4, step=5),
        started(resumed_epoch=3),
        epoch(4, 0.68),
        saved(epoch=4, step=10),
        epoch(5, 0.71, best=True),
        saved(epoch=5, step=10),
        RunFinished(status="finished", epoch=5, seconds=10.0),
    ]
    whole = RunSummary("id", {"name": "n"}, 1.0)
    short = RunSummary("id", {"name": "n"}, 1.0, history=False)
    for time, event in enumerate(log):
        whole.fold(float(time), event)
        short.fold(float(time), event)
        assert short.document() == whole.document() | {"history": []}
