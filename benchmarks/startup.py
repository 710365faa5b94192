"""Seconds from the shell to the prompt: ``python benchmarks/startup.py [--runs 1000] [--times 9]``.

Whole processes, timed from outside, after one that is not counted; the app on a pseudo-terminal
of 120x40, until its title is on the screen. The stored runs are made for the occasion in a
temporary folder.
"""

import argparse
import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.runs.directory import create_run
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import EpochFinished, RunFinished, RunStarted

EPOCHS = 30


def main() -> None:
    """Print a table of the median, the fastest and the slowest of each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs_dir = Path(folder, "runs")
        store(runs_dir, arguments.runs)
        print(f"{'command':<32} {'median':>8} {'min':>8} {'max':>8}  seconds")
        report("--help", ["--help"], runs_dir, arguments.times)
        stored = f"runs ({arguments.runs} stored"
        (runs_dir / ".index.json").unlink(missing_ok=True)
        print(f"{stored}, cold)".ljust(32), f"{timed(['runs'], runs_dir):8.3f}")
        report(f"{stored}, warm)", ["runs"], runs_dir, arguments.times)
        report("show last", ["show", "last"], runs_dir, arguments.times)
        timed_app(b"Runs", runs_dir)
        seconds = [timed_app(b"Runs", runs_dir) for _ in range(arguments.times)]
        print_figures("app, first screen", seconds)


def store(runs_dir: Path, count: int) -> None:
    """Write finished runs of 30 epochs."""
    config = to_toml(load_experiment("digits"))
    started = RunStarted(
        device="cpu",
        threads=2,
        precision="fp32",
        batch_size=64,
        epochs=EPOCHS,
        steps_per_epoch=20,
        params_total=1,
        params_trainable=1,
        train=1,
        val=1,
        test=1,
        classes=tuple("0123456789"),
        dataset_fingerprint="",
    )
    for number in range(count):
        run_dir = create_run(runs_dir, f"run {number}", config, {})
        with RunWriter(run_dir) as writer:
            writer.write(started)
            for epoch in range(1, EPOCHS + 1):
                writer.write(epoch_of(epoch))
            writer.write(RunFinished(status="finished", epoch=EPOCHS))


def epoch_of(epoch: int) -> EpochFinished:
    """Return an epoch's figures."""
    return EpochFinished(
        epoch=epoch,
        train_loss=1 / epoch,
        train_acc=1 - 1 / epoch,
        val_loss=1 / epoch,
        val_acc=1 - 1 / epoch,
        lr=0.01,
        seconds=1.0,
        images_per_s=1000.0,
        best=True,
    )


def report(name: str, arguments: list[str], runs_dir: Path, times: int) -> None:
    """Print a row of the table."""
    timed(arguments, runs_dir)
    print_figures(name, [timed(arguments, runs_dir) for _ in range(times)])


def print_figures(name: str, seconds: list[float]) -> None:
    """Print median, minimum and maximum."""
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    print(f"{name:<32}", *(f"{figure:8.3f}" for figure in figures))


def timed(arguments: list[str], runs_dir: Path) -> float:
    """Return the seconds that a command takes."""
    env = os.environ | {"CNN_TUI_RUNS": str(runs_dir)}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "cnn_tui", *arguments], env=env, check=True, capture_output=True
    )
    return time.perf_counter() - start


def timed_app(shown: bytes, runs_dir: Path) -> float:
    """Return the seconds from the start of the app until it has painted some text."""
    env = os.environ | {"CNN_TUI_RUNS": str(runs_dir), "TERM": "xterm-256color"}
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    start = time.perf_counter()
    app = subprocess.Popen(
        [sys.executable, "-m", "cnn_tui"], env=env, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    painted = b""
    while shown not in painted:
        painted += os.read(leader, 1 << 16)
    seconds = time.perf_counter() - start
    app.kill()
    app.wait()
    os.close(leader)
    return seconds


if __name__ == "__main__":
    main()
