"""Runs that end badly: diverged, out of memory, broken; always told once and in one line."""

import os
import re
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch

from cnn_core.runs.reader import read_summary
from cnn_core.runs.session import new_run, train_run
from cnn_core.training import control, engine
from cnn_core.training.control import Control
from cnn_core.training.events import EpochFinished, Notice, RunFinished, RunStarted

CORE = Path(engine.__file__).parents[2]
EXPLODING = {"name": "sgd", "lr": 1e38, "momentum": 0.0}


def end_of(events) -> RunFinished:
    """Return the last event, having checked that no other one is an end."""
    ends = [event for event in events if isinstance(event, RunFinished)]
    assert ends == [events[-1]]
    return ends[0]


def assert_finite(state) -> None:
    assert all(value.isfinite().all() for value in state["model"].values())


def test_a_huge_rate_diverges_and_says_where_and_what_to_do(lab, monkeypatch):
    monkeypatch.setattr(control, "PROGRESS_INTERVAL_S", 0)
    end = end_of(lab.train(lab.experiment(optim=EXPLODING)))
    assert (end.status, end.mistake, end.epoch) == ("diverged", False, 0)
    assert re.match(r"the loss became (nan|inf) at epoch 1, step [234], ", end.error)
    assert "with learning rate 1e+38; try --set optim.lr=1e+37" in end.error
    assert "optim.warmup_epochs=1" in end.error
    assert "optim.clip_norm=1.0" in end.error
    assert "best.pt" not in end.error
    kept = (lab.folder / "run" / "checkpoints").iterdir()
    assert [path.name for path in kept] == ["initial.pt"]


def test_advice_leaves_out_what_is_done_already(lab):
    optim = EXPLODING | {"warmup_epochs": 0.1, "clip_norm": 1e30}
    error = end_of(lab.train(lab.experiment(optim=optim))).error
    assert "warmup" not in error
    assert "clip" not in error


@pytest.mark.parametrize("root", ["folder", "no-val"])
@pytest.mark.parametrize("step", range(4, 9))
def test_checkpoints_keep_the_weights_of_before(lab, step, root):
    """A rate that spoils the weights is set after a step; after 7 it spoils the epoch's last."""
    data = {"root": root, "val_fraction": 0.2 if root == "folder" else 0.0}
    experiment = lab.experiment(data=data)
    alone = lab.train(lab.experiment(data=data, train={"epochs": 1}), "one")
    events = lab.train(experiment, "run", {step: [("set_lr", 1e300)]})
    end = end_of(events)
    assert end.status == "diverged"
    assert end.epoch == step // 4
    best = [event.epoch for event in events if isinstance(event, EpochFinished) and event.best]
    assert f"best.pt holds epoch {best[-1]}" in end.error
    for which in ("best", "last"):
        assert_finite(lab.state("run", which))
    if end.epoch == 1:
        assert lab.history(events) == lab.history(alone)
        assert not lab.differences(lab.state("run")["model"], lab.state("one")["model"])


@pytest.mark.parametrize("kind", ["stop", "pause", "checkpoint"])
def test_weights_spoilt_by_the_very_last_step_are_not_saved(lab, kind):
    # The rate counts from step 6 on: its loss is still finite, its update is not.
    script = {5: [("set_lr", 1e300)], 6: [(kind, None)], 7: [("unpause", None)]}
    end = end_of(lab.train(lab.experiment(), "run", script))
    assert end.status == "diverged"
    assert re.match(r"the (weights|loss) became \S+ at epoch 2, step 2, ", end.error)
    assert_finite(lab.state("run"))
    assert lab.state("run")["progress"]["epoch"] == 2
    assert lab.state("run")["progress"]["step"] == 0


def out_of_memory_above(monkeypatch, images: int) -> None:
    forward = torch.nn.Linear.forward

    def limited(self, features):
        if len(features) > images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 PiB.")
        return forward(self, features)

    monkeypatch.setattr(torch.nn.Linear, "forward", limited)


@pytest.mark.parametrize("fits", [5, 0])
def test_out_of_memory_names_a_batch_that_may_fit(lab, monkeypatch, fits):
    """Also where memory is so short that the probe of four images fails too."""
    out_of_memory_above(monkeypatch, fits)
    experiment = lab.experiment(train={"batch_size": 16, "accumulate": 3})
    end = end_of(lab.train(experiment))
    assert (end.status, end.mistake) == ("failed", False)
    assert end.error.startswith("out of memory at epoch 1, step 1 with a batch of 16; likely")
    size = int(re.search(r"train\.batch_size=(\d+)", end.error)[1])
    accumulate = int(re.search(r"train\.accumulate=(\d+)", end.error)[1])
    assert size in (1, 2, 4, 8)
    assert size * accumulate == 16 * 3


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_batch_that_was_found_too_large_is_worked_on_in_pieces(lab, monkeypatch, stop):
    auto = lab.experiment(train={"batch_size": "auto"}, model={"options": {"batch_norm": False}})
    easy = lab.train(auto, "easy")
    out_of_memory_above(monkeypatch, 5)
    events = lab.train(auto, "hard")
    assert end_of(events).status == "finished"
    warnings = [e.text for e in events if isinstance(e, Notice) and e.level == "warning"]
    assert warnings == [
        "out of memory with a batch of 16: from now on it is worked on in 2 parts, whose gradients "
        "add up",
        "out of memory with a batch of 16: from now on it is worked on in 4 parts, whose gradients "
        "add up",
    ]
    for one, other in zip(lab.history(easy), lab.history(events), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    lab.train(auto, "stopped", {stop: [("stop", None)]})
    again = lab.train(auto, "stopped")
    assert not any(isinstance(e, Notice) and "out of memory" in e.text for e in again)
    assert lab.differences(lab.state("stopped"), lab.state("hard")) == []


def test_evaluation_and_features_take_fewer_images_where_memory_runs_out(lab, monkeypatch):
    frozen = lab.experiment(freeze={"policy": "backbone"}, train={"batch_size": 4})
    easy = lab.train(frozen, "easy")
    lab.cache_dir = lab.folder / "cache"
    forward = torch.nn.Conv2d.forward

    def limited(self, images_NCHW):
        if len(images_NCHW) > 5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return forward(self, images_NCHW)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", limited)
    hard = lab.train(frozen, "hard")
    assert end_of(hard).status == "finished"
    for one, other in zip(lab.history(easy), lab.history(hard), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    unaided = lab.experiment(freeze={"policy": "backbone", "reuse": False}, train={"batch_size": 4})
    assert end_of(lab.train(unaided, "unaided")).status == "finished"


def test_out_of_memory_with_one_image_advises_no_batch_size(lab, monkeypatch):
    out_of_memory_above(monkeypatch, 0)
    error = end_of(lab.train(lab.experiment(train={"batch_size": 1}))).error
    assert "batch_size" not in error
    assert "data.image_size" in error


def test_out_of_memory_while_a_batch_size_is_sought(lab, monkeypatch):
    out_of_memory_above(monkeypatch, 0)
    error = end_of(lab.train(lab.experiment(train={"batch_size": "auto"}))).error
    assert error.startswith("out of memory while preparing")


def test_advice_is_reckoned_after_the_failed_step_let_go_of_its_memory(lab, monkeypatch):
    held = []
    normalize = engine.Batches.normalize

    def watched(self, images_NCHW):
        images = normalize(self, images_NCHW)
        held.append(weakref.ref(images))
        return images

    monkeypatch.setattr(engine.Batches, "normalize", watched)
    out_of_memory_above(monkeypatch, 5)
    free, alive = engine.Probe._free_bytes, []

    def count(probe):
        alive.append(held[0]() is not None)
        return free(probe)

    monkeypatch.setattr(engine.Probe, "_free_bytes", count)
    end_of(lab.train(lab.experiment()))
    assert alive == [False]


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (ValueError("one line\nand another"), "ValueError: one line"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (RuntimeError("\x1b[2J rubbish"), "RuntimeError: \\x1b[2J rubbish"),
        (StopIteration(), "RuntimeError: generator raised StopIteration"),
    ],
)
def test_any_other_exception_is_one_sentence(lab, monkeypatch, failure, sentence):
    def fail(*_):
        raise failure

    monkeypatch.setattr(torch.nn.Linear, "forward", fail)
    end = end_of(lab.train(lab.experiment()))
    assert (end.status, end.mistake, end.error) == ("failed", False, sentence)


def test_a_corrupt_image_is_the_users_to_mend(lab):
    shutil.copytree(lab.data_dir / "folder", lab.folder / "data" / "folder")
    (lab.folder / "data" / "folder" / "train" / "class1" / "03.png").write_bytes(b"no image")
    lab.data_dir = lab.folder / "data"
    events = lab.train(lab.experiment())
    end = end_of(events)
    assert (end.status, end.mistake) == ("failed", True)
    assert "train/class1/03.png" in end.error
    assert not any(isinstance(event, RunStarted) for event in events)

    events = lab.train(lab.experiment(data={"on_corrupt": "skip"}))
    assert end_of(events).status == "finished"
    assert next(e for e in events if isinstance(e, RunStarted)).train == 26
    assert any("03.png" in e.text for e in events if isinstance(e, Notice))


def test_changed_classes_are_refused_and_changed_images_told(lab):
    experiment = lab.experiment()
    shutil.copytree(lab.data_dir / "folder", lab.folder / "data" / "folder")
    lab.data_dir = lab.folder / "data"
    lab.train(experiment, "run", {2: [("stop", None)]})
    image = lab.data_dir / "folder" / "train" / "class1" / "03.png"
    shutil.copy(image.with_name("04.png"), image)
    events = lab.train(experiment, "run", {2: [("stop", None)]})
    assert any("no exact continuation" in e.text for e in events if isinstance(e, Notice))
    (lab.data_dir / "folder" / "train" / "class1").rename(
        lab.data_dir / "folder" / "train" / "other"
    )
    for part in ("val", "test"):
        shutil.rmtree(lab.data_dir / "folder" / part / "class1")
    end = end_of(lab.train(experiment))
    assert (end.status, end.mistake) == ("failed", True)
    assert "classes changed" in end.error


def test_the_traceback_goes_to_the_log_and_nowhere_else(lab, monkeypatch, capfd):
    def fail(*_):
        raise ValueError("broken on purpose")

    run_dir = new_run(lab.folder / "runs", lab.experiment())
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Linear, "forward", fail)
        places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
        events = list(train_run(run_dir, Control(), **places, device="cpu"))
    assert end_of(events).error == "ValueError: broken on purpose"
    log = (run_dir / "log.txt").read_text()
    assert "Traceback (most recent call last)" in log
    assert "broken on purpose" in log
    assert capfd.readouterr() == ("", "")
    assert read_summary(run_dir)["status"] == "failed"
    again = list(train_run(run_dir, Control(), **places, device="cpu"))
    assert end_of(again).status == "finished"
    assert len([e for e in again if isinstance(e, EpochFinished)]) == 3
    assert read_summary(run_dir)["error"] is None


STARVED = """
import resource, sys
from pathlib import Path
import psutil
from cnn_core.runs.session import train_run
from cnn_core.training.control import Control
from cnn_core.training.events import RunStarted

run_dir, data_dir, cache_dir = map(Path, sys.argv[1:])
for event in train_run(run_dir, Control(), data_dir=data_dir, cache_dir=cache_dir, device="cpu"):
    if isinstance(event, RunStarted):
        limit = psutil.Process().memory_info().vms + 2**25
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


def test_memory_that_really_runs_out(lab):
    wide = {"options": {"widths": [2000]}}
    experiment = lab.experiment(model=wide, train={"batch_size": 27})
    run_dir = new_run(lab.folder / "runs", experiment)
    starved = subprocess.run(
        [sys.executable, "-c", STARVED, *map(str, (run_dir, lab.data_dir, lab.cache_dir))],
        env=os.environ | {"PYTHONPATH": str(CORE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (starved.returncode, starved.stdout, starved.stderr) == (0, "", "")
    summary = read_summary(run_dir)
    assert summary["status"] == "failed"
    assert re.search(r"with a batch of 27; likely to fit: --set train\.batch_size=\d+ ",
                     summary["error"])  # fmt: skip
    assert "Traceback" in (run_dir / "log.txt").read_text()


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"train": {"early_stopping": 2}}, "train.early_stopping"),
        ({"optim": {"schedule": "plateau", "step_size": 2}}, 'optim.schedule = "plateau"'),
    ],
)
def test_what_waits_for_a_validation_accuracy_needs_one(lab, sections, named):
    data = {"root": "no-val", "val_fraction": 0.0}
    last = lab.train(lab.experiment(data=data, **sections))[-1]
    assert isinstance(last, RunFinished)
    assert last.status == "failed"
    assert last.mistake
    assert named in last.error
    with_a_val_folder = {"val_fraction": 0.0}
    last = lab.train(lab.experiment(data=with_a_val_folder, **sections), "folder")[-1]
    assert last.status == "finished"
