"""What the open app costs a training: images/s with it and without, and lag of its event loop.

    python benchmarks/interface_cost.py [--rounds 3] [--size 140x45] [--epochs 6]

Trains the same seeded run of a small CNN on images made on the spot: alone (headless), in the
thread of an app that shows it live on a real pseudo-terminal, and in a process of its own that
the app follows. Rounds are interleaved; the medians of all epochs after each first one are printed.
"""

import argparse
import asyncio
import fcntl
import json
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_core.preset_files import load_experiment
from cnn_core.runs.lock import is_live
from cnn_core.runs.reader import read_summary
from cnn_core.runs.session import new_run

_PRESET = """
name = "cost"
[data]
dataset = "folder"
root = "images"
image_size = 32
[model]
backbone = "cnn"
[augment]
policy = "flip-crop"
[optim]
lr = 0.05
[train]
epochs = {epochs}
batch_size = 128
"""
_TICK_S = 0.02
_LAG = "lag.json"


def main() -> None:
    """Measure, or be the measured app (``--child``)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", default="140x45", help="columns x lines of the terminal")
    parser.add_argument("--child", nargs=3, metavar=("MODE", "RUN", "DATA"))
    options = parser.parse_args()
    if options.child:
        mode, run, data = options.child
        _show(mode, Path(run), Path(data))
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.rounds, options.epochs, options.size)


def _measure(folder: Path, rounds: int, epochs: int, size: str) -> None:
    _make_images(folder / "data" / "images")
    preset = folder / "cost.toml"
    preset.write_text(_PRESET.format(epochs=epochs))
    os.environ["CNN_TUI_CACHE"] = str(folder / "pixels")
    os.environ["CNN_TUI_CONFIG"] = str(folder / "config")
    speeds: dict[str, list[float]] = {"headless": [], "thread": [], "process": []}
    lags: dict[str, list[float]] = {"thread": [], "process": []}
    for round_ in range(rounds + 1):
        for mode in speeds:
            run_dir = new_run(folder / "runs", load_experiment(str(preset)))
            if mode == "headless":
                _train_alone(run_dir, folder / "data")
            else:
                worst = _train_shown(mode, run_dir, folder / "data", size)
            if round_ == 0:
                continue  # decodes the images, warms the files up
            history = read_summary(run_dir)["history"]
            speeds[mode] += [epoch["images_per_s"] for epoch in history[1:]]
            if mode != "headless":
                lags[mode].append(worst)
    base = statistics.median(speeds["headless"])
    for mode, values in speeds.items():
        median = statistics.median(values)
        low, _, high = statistics.quantiles(values, n=4)
        print(
            f"{mode:<9} {median:8,.0f} images/s  {median / base:6.3f} of headless"
            f"  (quartiles {low:,.0f}, {high:,.0f} of {len(values)} epochs)"
        )
    for mode, values in lags.items():
        shown = ", ".join(f"{1000 * value:.0f}" for value in values)
        print(f"{mode:<9} longest lag of the event loop in each round, in ms: {shown}")


def _make_images(root: Path, count: int = 3000) -> None:
    random = np.random.default_rng(0)
    for index in range(count):
        folder = root / f"class{index % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels_HWC = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels_HWC).save(folder / f"{index}.png")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cnn_tui", *arguments]


def _train_alone(run_dir: Path, data_dir: Path) -> None:
    command = _command("resume", str(run_dir), "--headless", "--data-dir", str(data_dir))
    subprocess.run(command, check=True, capture_output=True)


def _train_shown(mode: str, run_dir: Path, data_dir: Path, size: str) -> float:
    """Return the longest lag of the app's event loop while the run was being trained."""
    columns, lines = map(int, size.split("x"))
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    app = subprocess.Popen(
        [sys.executable, __file__, "--child", mode, str(run_dir), str(data_dir)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=os.environ | {"TERM": "xterm-256color"},
    )
    os.close(follower)
    threading.Thread(target=_drain, args=(leader,), daemon=True).start()
    app.wait()
    while is_live(run_dir):  # the process in the background ends after its last event
        time.sleep(0.1)
    return float(json.loads((run_dir / _LAG).read_text()))


def _drain(leader: int) -> None:
    try:
        while os.read(leader, 1 << 16):
            pass
    except OSError:  # the app has ended
        os.close(leader)


def _show(mode: str, run_dir: Path, data_dir: Path) -> None:
    """Be the app on the terminal given, until the run has ended; leave the lag there."""
    from cnn_core.locations import cache_dir
    from cnn_tui.app import CnnTuiApp
    from cnn_tui.background import start_in_background
    from cnn_tui.screens.live import LivePage
    from cnn_tui.workplace import Workplace

    place = Workplace(run_dir.parent, data_dir, cache_dir())
    app = CnnTuiApp(place, first=run_dir if mode == "thread" else None)
    lags: list[float] = []

    async def watch(_pilot: object) -> None:
        if mode == "process":  # as F8 does it, in an app that has been open for a while
            while "cnn_core.runs.session" not in sys.modules or any(
                thread.name == "load torch" for thread in threading.enumerate()
            ):
                await asyncio.sleep(0.1)
            await asyncio.to_thread(start_in_background, run_dir, data_dir=data_dir, device="cpu")
            app.open_run(run_dir)
        # From the first step on: what loads before is not training.
        while read_summary(run_dir)["params"]["total"] is None:
            await asyncio.sleep(0.25)
        # What the page knows, since reading the run here would be a burden of its own.
        while not (isinstance(app.screen, LivePage) and app.screen.run_watch.status == "finished"):
            before = time.perf_counter()
            await asyncio.sleep(_TICK_S)
            lags.append(time.perf_counter() - before - _TICK_S)
        app.exit()

    app.run(auto_pilot=watch)
    app.slot.join()
    (run_dir / _LAG).write_text(json.dumps(max(lags)))


if __name__ == "__main__":
    main()
