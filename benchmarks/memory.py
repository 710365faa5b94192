"""Memory of a training, and its speed where that is short: ``python benchmarks/memory.py`` (Linux).

First a process of its own trains the preset caltech101-alexnet-scratch for ``--steps`` steps, once
with the decoding before and once from decoded pixels. Its peak of resident memory is divided into
what it allocated and what it maps from files, of which the pixels are the part that the system may
take back at any time.

Then a data set larger than memory is simulated: an AlexNet at 224 pixels trains epochs in turn
undisturbed, with all pixels in memory, and with every page of the pixels evicted every
``--interval`` seconds, so that all of them come from the disk. The speeds are those of the events.
"""

import argparse
import dataclasses
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch

from cnn_core.datasets.build import PIXELS
from cnn_core.datasets.cache import MEMORY_SHARE
from cnn_core.locations import default_data_dir
from measuring import interleaved, machine, median_ratio, spread, table
from page_cache import Evicting, read_all, share_in_memory
from peers.engine_run import EngineRun
from peers.task import experiment_of, task_of
from stand_ins import data_dir_with

PRESET, DATASET = "caltech101-alexnet-scratch", "caltech101"
_SAMPLE_S = 0.1


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=3, help="of the run whose memory is watched")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for it")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--images", type=int, default=128, help="of a round with and without")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--backbone", default="alexnet", help="of those rounds")
    parser.add_argument("--interval", type=float, default=0.1, help="seconds between evictions")
    parser.add_argument("--data-dir", type=Path, default=default_data_dir())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data_dir, real = data_dir_with(DATASET, options.data_dir, folder / "data")
        print(f"{DATASET if real else f'noise for {DATASET}'}; {machine()}", flush=True)
        print(resident(folder, data_dir, options.steps, options.set), "\n", sep="\n", flush=True)
        experiment = experiment_of(
            DATASET,
            options.backbone,
            image_size=224,
            images=options.images,
            batch_size=options.batch_size,
        )
        cache, cpu = folder / "some pixels", torch.device("cpu")
        # The task, which maps the pixels too, must be gone: pages mapped twice are never evicted.
        run = EngineRun(task_of(experiment, data_dir, folder, cache, cpu), "fp32")
        print(evicted(run, only_pixels(cache), options.rounds, options.interval))


@dataclasses.dataclass
class Peak:
    """The most bytes seen of each kind; ``resident`` is what the system counted."""

    resident: int = 0
    allocated: int = 0
    files: int = 0
    pixels: int = 0


def resident(folder: Path, data_dir: Path, steps: int, overrides: list[str]) -> str:
    """Return the table of the memory of a run that decodes, and of one that need not."""
    cache = folder / "pixels"
    heads = (f"GB at the peak, {PRESET}", "resident", "allocated", "files", "of them pixels")
    rows = []
    for what in ("decodes and trains", "trains"):
        peak = watch(folder / "runs", data_dir, cache, steps, overrides)
        figures = (peak.resident, peak.allocated, peak.files, peak.pixels)
        rows.append((f"{what} {steps} steps", *(f"{figure / 1e9:.2f}" for figure in figures)))
    size, available = only_pixels(cache).stat().st_size, psutil.virtual_memory().available
    return (
        f"{table(heads, rows)}\n"
        f"the pixels are {size / 1e9:.2f} GB, {size / available:.2f} of the {available / 1e9:.2f} "
        f"GB available now; above {MEMORY_SHARE} of it a run says that it may wait for the disk"
    )


def watch(runs_dir: Path, data_dir: Path, cache: Path, steps: int, overrides: list[str]) -> Peak:
    """Train so many steps in a process of its own; return its peaks."""
    settings = [f"--set={setting}" for setting in overrides]
    process = subprocess.Popen(
        [sys.executable, "-m", "cnn_tui", "run", PRESET, "--headless", "--json", *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ
        | {
            "CNN_TUI_RUNS": str(runs_dir),
            "CNN_TUI_DATA": str(data_dir),
            "CNN_TUI_CACHE": str(cache),
        },
    )
    peak = Peak()
    os.set_blocking(process.stdout.fileno(), False)
    output, done, asked = b"", 0, False
    while True:
        output += process.stdout.read() or b""
        *lines, output = output.split(b"\n")
        done = max([done, *(json.loads(line).get("global_step") or 0 for line in lines)])
        if done >= steps and not asked:
            process.send_signal(signal.SIGTERM)
            asked = True
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        sample(process.pid, peak)
        time.sleep(_SAMPLE_S)
    process.returncode = os.waitstatus_to_exitcode(status)
    if not asked:
        raise SystemExit(f"the run ended after {done} steps: {process.stderr.read().decode()}")
    peak.resident = usage.ru_maxrss * 1024
    return peak


def sample(pid: int, peak: Peak) -> None:
    """Raise the peaks to what the process has now; nothing of one that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return
    pixels = files = allocated = 0
    name = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == "Rss":
            mapped = int(value.split()[0]) * 1024
        elif key == "Anonymous":
            anonymous = int(value.split()[0]) * 1024
            allocated += anonymous
            files += mapped - anonymous
            pixels += mapped if name == PIXELS else 0
        elif "-" in key and "/" in line:
            name = line.rpartition("/")[2]
        elif "-" in key.split(" ")[0]:
            name = ""
    peak.allocated = max(peak.allocated, allocated)
    peak.files = max(peak.files, files)
    peak.pixels = max(peak.pixels, pixels)


def evicted(run: EngineRun, pixels: Path, rounds: int, interval_s: float) -> str:
    """Return the table of speeds with the pixels in memory and without."""
    shares: dict[str, list[float]] = {"in memory": [], "evicted": []}
    left = []

    def undisturbed() -> float:
        read_all(pixels)
        run()
        shares["in memory"].append(share_in_memory(pixels))
        return run.told[-1]

    def disturbed() -> float:
        with Evicting(pixels, interval_s) as evicting:
            run()
        shares["evicted"].append(evicting.held)
        left.append(evicting.left)
        return run.told[-1]

    speeds = interleaved({"in memory": undisturbed, "evicted": disturbed}, rounds)
    if max(left) > 0.05:
        raise SystemExit(f"{max(left):.0%} of the pages stayed: these speeds would tell nothing")
    rows = [
        (
            f"pixels {name}",
            *spread(figures, ",.1f"),
            f"{median_ratio(figures, speeds['in memory']):.3f}",
            f"{statistics.median(shares[name]):.1%}",
        )
        for name, figures in speeds.items()
    ]
    heads = ("images/s of training", "median", "min", "max", "ratio", "pages in memory")
    return (
        f"{table(heads, rows)}\n"
        f"an eviction every {interval_s} s, just before it so many pages are in memory, and "
        f"{statistics.median(left):.1%} just after; the file has {pixels.stat().st_size / 1e6:.0f} "
        "MB"
    )


def only_pixels(cache: Path) -> Path:
    """Return the one file of pixels of a cache."""
    (found,) = cache.glob(f"*/{PIXELS}")
    return found


if __name__ == "__main__":
    main()
