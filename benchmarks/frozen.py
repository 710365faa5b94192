"""What it saves to run frozen layers once: ``python benchmarks/frozen.py [--images 512]``.

A ResNet18 with a linear head and an AlexNet whose classifier trains, on Caltech-101 at 224 pixels
(noise where it is not there). Each trains in three processes: first from an empty cache of
features, then with the features that the first one left, then with ``freeze.reuse = false``, which
runs every layer in every epoch. Times are by the clock, between the events that a process writes,
checkpoints included; an epoch is training and validation on ``--images`` images each.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cnn_core.locations import cache_dir, default_data_dir
from measuring import machine, table
from stand_ins import data_dir_with

NETWORKS = {
    "resnet18, linear head": {"model.backbone": "resnet18", "freeze.policy": "backbone"},
    "alexnet, its classifier": {"model.backbone": "alexnet", "freeze.policy": "convolutional"},
}
SETTINGS = {"train.batch_size": 64, "optim.lr": 0.001, "optim.schedule": "constant"}
HEADS = (
    "",
    "first epoch s",
    "later epochs s",
    "all layers s",
    "times",
    "computing once s",
    "paid back in epochs",
    "second run trains after s",
    "losses alike",
)


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512, help="of each part; default 512")
    parser.add_argument("--epochs", type=int, default=30, help="with features; default 30")
    parser.add_argument("--full-epochs", type=int, default=3, help="of all layers; default 3")
    parser.add_argument("--data-dir", type=Path, default=default_data_dir())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data_dir, real = data_dir_with("caltech101", arguments.data_dir, folder / "data", 1000)
        print(machine(), "Caltech-101" if real else "noise", f"{arguments.images} images", sep=", ")
        pixels = folder / "pixels"
        pixels.mkdir()
        # Decoded pixels are shared with other runs of this machine; features are not.
        for cached in cache_dir().glob("*") if real else ():
            if cached.name != "features":
                (pixels / cached.name).symlink_to(cached)
        env = os.environ | {
            "CNN_TUI_DATA": str(data_dir),
            "CNN_TUI_CACHE": str(pixels),
            "CNN_TUI_RUNS": str(folder / "runs"),
        }
        settings = SETTINGS | {"data.limit": arguments.images}
        rows = []
        for title, network in NETWORKS.items():
            keys = settings | network
            decoded(keys, env)
            first = run(keys | {"train.epochs": arguments.epochs}, env)
            second = run(keys | {"train.epochs": arguments.epochs}, env)
            whole = run(
                keys | {"train.epochs": arguments.full_epochs, "freeze.reuse": "false"}, env
            )
            rows.append([title, *cells(first, second, whole)])
        print(table(HEADS, rows))


def run(keys: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """Train in a process; return the times and losses of its epochs and the time until the first.

    ``computing`` are the seconds in which features of training and validation images were made.
    """
    sets = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "cnn_tui", "run", "caltech101-alexnet-scratch", *sets]
    started = time.time()
    process = subprocess.run(
        [*command, "--headless", "--json"], env=env, check=True, capture_output=True, text=True
    )
    ends, losses, computing, begun = [], [], [], 0.0
    for line in process.stdout.splitlines():
        event = json.loads(line)
        match event["event"]:
            case "preparing" if event["what"].startswith("computing features") and not begun:
                computing.append(event["time"])
            case "run_started":
                begun = event["time"]
            case "epoch_finished":
                ends.append(event["time"])
                losses.append((event["train_loss"], event["val_loss"]))
    spans = [end - before for before, end in zip([begun, *ends], ends, strict=False)]
    made = begun - computing[0] if computing else 0.0
    return {"spans": spans, "losses": losses, "computing": made, "until": begun - started}


def decoded(keys: dict[str, Any], env: dict[str, str]) -> None:
    """Let the pixels be decoded, so that no run has to."""
    run(keys | {"train.epochs": 1, "model.backbone": "cnn", "freeze.policy": "none"}, env)


def cells(first: dict[str, Any], second: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    """Return the figures of a network's three runs."""
    later = statistics.median(first["spans"][1:])
    full = statistics.median(whole["spans"])
    alike = first["losses"][: len(whole["losses"])] == whole["losses"] and (
        first["losses"] == second["losses"]
    )
    return [
        f"{first['spans'][0]:.3f}",
        f"{later:.4f}",
        f"{full:.2f}",
        f"{full / later:,.1f}",
        f"{first['computing']:.1f}",
        f"{first['computing'] / (full - later):.2f}",
        f"{second['until']:.2f}",
        "bit for bit" if alike else "no",
    ]


if __name__ == "__main__":
    main()
