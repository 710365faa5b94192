"""Training on a GPU: ``python benchmarks/gpu.py``; without one it says so and ends.

For each network: images/s of the engine by its events and by the clock (with checkpoints), the
share of what a bare step on one resident batch reaches in the same arithmetic (channels_last, fused
SGD), the ratio to a plain loop over a DataLoader of PIL images with persistent workers in that
arithmetic, the load of the card as its driver tells it while the engine trains, and the share of
the card's peak that convolutions and matrix products make up. Then whole presets, from their first
step to the end of the test. Noise stands in for data that are not in ``--data-dir``.

    python benchmarks/gpu.py --device cpu --images 32 --batch-size 16 --epochs 1 --rounds 1

tries all of it on a CPU in a few minutes, most of them VGG16's.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import torch

from cnn_core.locations import default_data_dir
from cnn_core.training.device import Precision, resolve_device, resolve_precision
from cnn_tui.device_stats import DeviceStats
from flops import flops_per_image, peak_flops
from measuring import interleaved, machine, median_ratio, per_second, table, with_words
from peers import engine_run, limit, plain_loop
from peers.task import Task, experiment_of, task_of
from preset_runs import preset_table
from stand_ins import data_dir_with

_LOAD_INTERVAL_S = 0.1


@dataclasses.dataclass(frozen=True)
class Case:
    """A network and the images that it is trained on."""

    name: str
    dataset: str
    backbone: str
    image_size: int
    batch_size: int
    options: dict[str, str] = dataclasses.field(default_factory=dict)


CASES = (
    Case("CIFAR-10, small CNN", "cifar10", "cnn", 32, 512),
    Case("CIFAR-10, ResNet18, small stem", "cifar10", "resnet18", 32, 512, {"stem": "small"}),
    Case("Caltech-101, AlexNet", "caltech101", "alexnet", 224, 256),
    Case("Caltech-101, VGG16", "caltech101", "vgg16", 224, 64),
)
IMAGES = {"cifar10": 50_000, "caltech101": 5784}
"""Training images of a data set, all of which a round takes unless ``--images`` says less."""
HEADS = ("images/s of training", "events", "clock", "of limit", "of loop", "load", "of peak")


def main() -> None:
    """Print a table of networks and one of presets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", help="(default: a GPU; cpu tries the script)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, help="most of a round, and of a part in presets")
    parser.add_argument("--batch-size", type=int, help="the largest (default: each case's own)")
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--watch", type=float, default=5.0, help="seconds to watch the load")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="networks with it in the name")
    parser.add_argument("--seeds", type=int, default=3, help="runs of cifar10-fast; 0: no presets")
    parser.add_argument("--epochs", type=int, help="of the presets, then without warm-up")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in them")
    parser.add_argument("--data-dir", type=Path, default=default_data_dir())
    options = parser.parse_args()
    if options.device is None and not torch.cuda.is_available():
        print("no GPU is visible to torch: nothing to measure (--device cpu tries the script)")
        return
    cases = {case.name: case for case in CASES}
    chosen = [cases[name] for name in with_words(list(cases), options.only)]
    device = resolve_device(options.device or "auto")
    precision = precision_of(device)
    torch.backends.cudnn.benchmark = True  # for everybody: shapes never change
    print(f"{machine()}, {precision}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for case in chosen:
            task, real = task_for(case, options, folder, device)
            rows.append(
                (case.name + ("" if real else ", noise"), *measure(task, precision, options))
            )
            print(f"{rows[-1][0]}: {rows[-1][1]} images/s", flush=True)
        print("", table(HEADS, rows), "", sep="\n", flush=True)
        if options.seeds:
            print(preset_table(options, folder, device))


def precision_of(device: torch.device) -> Precision:
    """Return the quickest arithmetic: bf16, on cards before Ampere fp16, on a CPU fp32."""
    found = resolve_precision("auto", device)
    return "fp16" if device.type == "cuda" and found == "fp32" else found


def task_for(
    case: Case, options: argparse.Namespace, folder: Path, device: torch.device
) -> tuple[Task, bool]:
    """Return the training of a case, and whether its images are real."""
    data_dir, real = data_dir_with(case.dataset, options.data_dir, folder / "data", options.images)
    experiment = experiment_of(
        case.dataset,
        case.backbone,
        image_size=case.image_size,
        images=min(IMAGES[case.dataset], options.images or IMAGES[case.dataset]),
        batch_size=min(case.batch_size, options.batch_size or case.batch_size),
        options=case.options,
    )
    return task_of(experiment, data_dir, folder, folder / "pixels", device), real


def measure(task: Task, precision: Precision, options: argparse.Namespace) -> tuple[str, ...]:
    """Return the cells of a network's row."""
    ours = engine_run.prepare(task, precision=precision)
    contestants = {
        "ours": ours,
        "limit": limit.prepare(task, channels_last=True, fused=True, precision=precision),
        "loop": plain_loop.prepare(
            task,
            kind="pil",
            workers=options.workers,
            persistent=options.workers > 0,
            precision=precision,
        ),
    }
    speeds = interleaved({n: per_second(train) for n, train in contestants.items()}, options.rounds)
    told = ours.told[1:]
    peak = None
    if task.device.type == "cuda":
        peak = peak_flops(torch.cuda.get_device_name(task.device))
    computed = statistics.median(told) * flops_per_image(task.network(), task.image_size)
    load = watched_load(ours, task.device, options.watch)
    return (
        f"{statistics.median(told):,.0f}",
        f"{statistics.median(speeds['ours']):,.0f}",
        f"{median_ratio(told, speeds['limit']):.3f}",
        f"{median_ratio(told, speeds['loop']):.2f}",
        "-" if load is None else f"{load:.0%}",
        "-" if peak is None else f"{computed / peak:.3f}",
    )


def watched_load(train: engine_run.EngineRun, device: torch.device, seconds: float) -> float | None:
    """Return the card's mean load, 0 to 1, over whole epochs that last about so many seconds."""
    if device.type != "cuda":
        return None
    stats, ended = DeviceStats(str(device)), threading.Event()
    loads: list[float | None] = []

    def watch() -> None:
        while not ended.wait(_LOAD_INTERVAL_S):
            loads.append(stats.sample().busy)

    watcher = threading.Thread(target=watch)
    watcher.start()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        train()
    ended.set()
    watcher.join()
    known = [load for load in loads if load is not None]
    return statistics.mean(known) if known else None


if __name__ == "__main__":
    main()
