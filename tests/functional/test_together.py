"""One run in several processes: the steps of one process, and nothing lost when one is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from PIL import Image

from cnn_core.preset_files import load_experiment
from cnn_core.runs.session import new_run, train_run
from cnn_core.training.checkpoint import load_checkpoint
from cnn_core.training.control import Control
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import (
    EpochFinished,
    Notice,
    RunStarted,
    TestEvaluated,
    decode,
)
from cnn_core.training.predictions import load_predictions, predictions_path

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "train_in_ranks.py"
PLAIN = """
[data]
dataset = "digits"
limit = 298
[model]
backbone = "cnn"
options = { widths = [8, 16], batch_norm = false }
"""
PRESETS = {
    # The last batch of an epoch is one image, and every image is mixed with another of its batch.
    "augmented": f"""
{PLAIN}
[augment]
transforms = [{{ name = "random_crop", padding = 1 }}, {{ name = "mixup" }}]
[optim]
clip_norm = 1.0
schedule = "plateau"
step_size = 1
[train]
epochs = 3
batch_size = 33
accumulate = 2
label_smoothing = 0.1
""",
    "norms": f"""
{PLAIN.replace("batch_norm = false", "batch_norm = true")}
[train]
epochs = 2
batch_size = 32
""",
    # The frozen stage's features are reused, until it is unfrozen.
    "unfrozen": f"""
{PLAIN}
[freeze]
policy = "first:1"
unfreeze_at = 2
[train]
epochs = 2
batch_size = 24
""",
    "without-data": """
notes = "missing"
[data]
dataset = "folder"
root = "images"
image_size = 8
[model]
backbone = "cnn"
""",
}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder of all presets, each trained by two processes."""
    folder = tmp_path_factory.mktemp("together")
    for name, text in PRESETS.items():
        (folder / f"{name}.toml").write_text(text)
    for kind in ("cat", "dog"):
        (folder / "data" / "images" / kind).mkdir(parents=True)
        for number in range(8):
            Image.new("RGB", (8, 8)).save(folder / "data" / "images" / kind / f"{number}.png")
    done = subprocess.run(
        [*TORCHRUN, str(SCRIPT), str(folder)],
        capture_output=True,
        encoding="utf-8",
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "tui")]),
            "OMP_NUM_THREADS": "1",
        },
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return folder


def events_of_two(folder, name):
    lines = (folder / name / "events.jsonl").read_text().splitlines()
    return [decode(line)[1] for line in lines]


def events_of_one(folder, name):
    (folder / "alone" / name / "checkpoints").mkdir(parents=True)
    places = Places(folder / "alone" / name, folder / "data", folder / "cache")
    experiment = load_experiment(folder / f"{name}.toml")
    return list(stream(experiment, Control(), places, device="cpu"))


def figures(events):
    """Return losses and accuracies of all epochs and tests, and how many there are."""
    found = []
    for event in events:
        match event:
            case EpochFinished():
                found += [event.train_loss, event.train_acc, event.val_loss, event.val_acc]
                found += [event.lr, event.global_step]
            case TestEvaluated():
                found += [event.epoch, event.loss, event.acc, event.top5]
    return found


@pytest.mark.parametrize("name", ["augmented", "unfrozen"])
def test_two_processes_take_the_steps_of_one(together, name):
    two, one = events_of_two(together, name), events_of_one(together, name)
    assert two[-1].status == one[-1].status == "finished"
    assert figures(two) == pytest.approx(figures(one), abs=1e-5)
    models = [
        load_checkpoint(folder / name, "last")["model"] for folder in (together, together / "alone")
    ]
    assert models[0].keys() == models[1].keys()
    for key, value in models[0].items():
        torch.testing.assert_close(value, models[1][key], rtol=0, atol=1e-5)
    (started,) = (event for event in two if isinstance(event, RunStarted))
    assert started.world_size == 2
    assert started.params_total == sum(value.numel() for value in models[0].values())
    predictions = [
        load_predictions(predictions_path(folder / name, "test", "best"))[0]
        for folder in (together, together / "alone")
    ]
    assert predictions[0].names == predictions[1].names
    assert predictions[0].logits == pytest.approx(predictions[1].logits, abs=1e-4)


def test_batch_norm_takes_its_statistics_from_each_share_and_says_so(together):
    two, one = events_of_two(together, "norms"), events_of_one(together, "norms")
    (notice,) = (event for event in two if isinstance(event, Notice) and "batch norm" in event.text)
    assert "16 images of 32" in notice.text
    # Near those of one process, and the same network wherever it is loaded.
    assert figures(two)[0] == pytest.approx(figures(one)[0], abs=0.1)
    models = [
        load_checkpoint(folder / "norms", "last")["model"]
        for folder in (together, together / "alone")
    ]
    assert models[0].keys() == models[1].keys()


def test_the_failure_of_another_process_is_told(together):
    last = events_of_two(together, "without-data")[-1]
    assert (last.status, last.mistake) == ("failed", True)
    assert last.error.startswith("process 1 of 2 on ")
    assert "nowhere" in last.error


def rank_1(torchrun: int) -> psutil.Process:
    """Return the second of the processes that torchrun has started."""
    (found,) = (
        child for child in psutil.Process(torchrun).children() if child.environ().get("RANK") == "1"
    )
    return found


def summary(run_dir):
    return json.loads((run_dir / "summary.json").read_text())


@pytest.mark.long
def test_killed_started_anew_and_interrupted_it_is_still_one_run(cli):
    settings = ("model.options={widths=[8,16],batch_norm=false}", "train.epochs=30")
    command = ("run", "digits", *(part for item in settings for part in ("--set", item)))
    torchrun = subprocess.Popen(
        [*TORCHRUN, "--max-restarts", "1", "-m", "cnn_tui", *command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=cli.folder,
        env=cli.env,
    )
    with torchrun:
        try:
            run_dir = cli.wait_for(cli.run_dirs)[0]
            cli.wait_for(lambda: cli.events(run_dir, "checkpoint_saved"))
            rank_1(torchrun.pid).kill()
            cli.wait_for(lambda: len(cli.events(run_dir, "run_started")) == 2)
            epochs = len(cli.events(run_dir, "epoch_finished"))
            cli.wait_for(lambda: len(cli.events(run_dir, "epoch_finished")) > epochs)
            torchrun.send_signal(signal.SIGINT)
            out, err = torchrun.communicate(timeout=100)
        finally:
            torchrun.kill()
    assert "another of the 2 processes of this training is gone" in err
    assert "another of the 2 processes" in (run_dir / "log.txt").read_text()
    assert all(json.loads(line)["event"] for line in out.splitlines())
    assert cli.run_dirs() == [run_dir]
    stopped = summary(run_dir)
    assert stopped["status"] == "stopped", err
    assert 1 < stopped["epoch"] < 30
    assert json.loads((run_dir / "environment.json").read_text())["world_size"] == 2

    cli("resume", "last")
    done = summary(run_dir)
    assert done["status"] == "finished"
    assert [epoch["epoch"] for epoch in done["history"]] == list(range(1, 31))
    # Rounding grows from step to step.
    alone = new_run(cli.runs, load_experiment("digits", settings))
    list(train_run(alone, Control(), data_dir=cli.data, cache_dir=cli.folder / "cache"))
    one, two = (summary(folder)["history"][:5] for folder in (alone, run_dir))
    for key in ("train_loss", "val_loss", "lr"):
        assert [e[key] for e in two] == pytest.approx([e[key] for e in one], abs=1e-4)
