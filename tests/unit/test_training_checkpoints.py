"""Checkpoints: whole or absent, readable without running code, damage told in one line."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnn_core.errors import UserError
from cnn_core.runs.reader import read_summary
from cnn_core.runs.session import new_run, train_run
from cnn_core.training import checkpoint
from cnn_core.training.checkpoint import load_checkpoint, save_checkpoint
from cnn_core.training.control import Control

CORE = Path(checkpoint.__file__).parents[2]


def test_a_checkpoint_holds_all_that_going_on_needs(lab):
    experiment = lab.experiment()
    lab.train(experiment)
    path = lab.folder / "run" / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    assert state.keys() >= {"model", "optimizer", "schedule", "progress", "random", "config"}
    assert state["config"] == experiment.model_dump()
    assert state["classes"] == ["class0", "class1", "class2"]
    assert len(state["mean"]) == len(state["std"]) == 3
    assert state["progress"]["global_step"] == 12
    assert sorted(p.name for p in path.parent.iterdir()) == ["best.pt", "initial.pt", "last.pt"]


def test_best_is_not_last_though_they_began_as_one_file(lab):
    lab.train(lab.experiment(optim={"lr": 1e-6}))
    best, last = lab.state("run", "best"), lab.state("run", "last")
    assert best["progress"]["epoch"] == 2
    assert last["progress"]["epoch"] == 4
    assert lab.differences(best["model"], last["model"])


def test_both_are_written_where_the_disk_has_no_links(lab, monkeypatch):
    lab.train(lab.experiment(), "linked")

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert lab.train(lab.experiment(), "copied")[-1].status == "finished"
    for which in ("best", "last"):
        assert not lab.differences(lab.state("linked", which), lab.state("copied", which))


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_the_users_to_mend(lab, share):
    experiment = lab.experiment()
    lab.train(experiment, "run", {5: [("stop", None)]})
    path = lab.folder / "run" / "checkpoints" / "last.pt"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    *_, end = lab.train(experiment)
    assert (end.status, end.mistake) == ("failed", True)
    assert end.error == f"{path}: damaged or not a checkpoint"
    assert path.stat().st_size == int(share * len(content))  # left for whoever may rescue it


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"\0" * 1000, bytes(range(256)) * 9, b"PK\x03\x04" + b"x" * 500, b"\x80\x02."],
)
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "last.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"last\.pt: damaged or not a checkpoint"):
        load_checkpoint(tmp_path, "last")


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("write", [1, 2, 10])
def test_a_write_that_fails_tells_its_own_cause(tmp_path, monkeypatch, cause, write):
    class Failing(io.BytesIO):
        writes = 0

        def write(self, content):
            self.writes += 1
            if self.writes == write:
                raise cause
            return super().write(content)

    monkeypatch.setattr(checkpoint, "write_atomically", lambda _path, save: save(Failing()))
    with pytest.raises(type(cause)):
        save_checkpoint(tmp_path, {"model": {"weight": torch.zeros(100)}}, "last")


def test_an_object_in_a_checkpoint_is_not_made(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    torch.save({"model": Path("/")}, tmp_path / "checkpoints" / "last.pt")
    with pytest.raises(UserError, match=r"last\.pt"):
        load_checkpoint(tmp_path, "last")


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from cnn_core.runs.session import train_run
from cnn_core.training.control import Control

class Deadly(Control):
    steps = 0
    def poll(self):
        self.steps += 1
        if self.steps == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(int(sys.argv[5]))
run_dir, data_dir, cache_dir = map(Path, sys.argv[1:4])
list(train_run(run_dir, Deadly(), data_dir=data_dir, cache_dir=cache_dir, device="cpu"))
"""


def test_a_killed_process_is_gone_on_with(lab):
    experiment = lab.experiment(augment={"policy": "flip-crop"})
    run_dir = new_run(lab.folder / "runs", experiment)
    arguments = [run_dir, lab.data_dir, lab.cache_dir, 7, torch.get_num_threads()]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(CORE)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert read_summary(run_dir)["status"] == "interrupted"
    assert [epoch["epoch"] for epoch in read_summary(run_dir)["history"]] == [1]

    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    list(train_run(run_dir, Control(), **places, device="cpu"))
    alone = lab.train(experiment, "alone")
    for which in ("best", "last"):
        assert not lab.differences(load_checkpoint(run_dir, which), lab.state("alone", which))
    summary = read_summary(run_dir)
    assert summary["status"] == "finished"
    told = [
        tuple(epoch[key] for key in ("epoch", "train_loss", "train_acc", "val_loss", "val_acc"))
        for epoch in summary["history"]
    ]
    assert told == [entry[:5] for entry in lab.history(alone)]


def test_what_a_killed_save_left_is_removed_at_the_next_start(lab):
    folder = lab.places("run").run_dir / "checkpoints"
    (folder / ".last.pt.x1y2").write_bytes(b"half")
    (folder / ".link-z3").mkdir()
    (folder / ".link-z3" / "best.pt").write_bytes(b"half")
    lab.train(lab.experiment())
    assert sorted(path.name for path in folder.iterdir()) == ["best.pt", "initial.pt", "last.pt"]
