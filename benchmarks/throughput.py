"""Images a second of training, ours beside others': ``python benchmarks/throughput.py``.

Everybody trains the same network on the same images, an epoch of ``--images`` a round, in rounds
in turn. Printed are medians, and the medians of the ratios to the first row in the same round. Ours
appears by its own events (the time of training) and by the clock (with the checkpoint that it
writes after each epoch). Its share of the limit is its speed over that of a bare step in the same
round, in the same arithmetic.

    python benchmarks/throughput.py --image-size 224 --backbone alexnet --dataset caltech101

trains from JPEG files, which others decode in every epoch and ours has decoded in the warm-up.
Real data are taken from ``--data-dir`` if they are there, else noise stands in for them.
"""

import argparse
import dataclasses
import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cnn_core.locations import default_data_dir
from cnn_core.training.device import resolve_device
from measuring import interleaved, machine, median_ratio, per_second, spread, table, with_words
from peers.engine_run import EngineRun
from peers.task import Task, TrainRound, experiment_of, task_of
from stand_ins import data_dir_with


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A module of ``peers`` with the arguments of its ``prepare``."""

    name: str
    module: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    limit: str | None = None
    """Ours: the row that it can't pass."""


FP32_LIMIT, BF16_LIMIT = "limit, channels_last, fused SGD", "limit, channels_last, bf16"
LIMITS = (
    Contestant("limit, NCHW", "limit", {"channels_last": False, "fused": False}),
    Contestant(FP32_LIMIT, "limit", {"channels_last": True, "fused": True}),
    Contestant(BF16_LIMIT, "limit", {"channels_last": True, "fused": True, "precision": "bf16"}),
)
OURS = (
    Contestant("cnn-tui", "engine_run", {"precision": "fp32"}, FP32_LIMIT),
    Contestant("cnn-tui, bf16", "engine_run", {"precision": "bf16"}, BF16_LIMIT),
)
PLAIN = (
    Contestant("plain loop, PIL", "plain_loop", {"kind": "pil"}),
    Contestant("plain loop, PIL, 2 workers", "plain_loop", {"kind": "pil", "workers": 2}),
    Contestant(
        "plain loop, PIL, 2 persistent workers",
        "plain_loop",
        {"kind": "pil", "workers": 2, "persistent": True},
    ),
)
OTHERS = (
    Contestant("plain loop, v2 on uint8 tensors", "plain_loop", {"kind": "v2"}),
    Contestant("Lightning", "lightning_fit"),
    Contestant("fastai", "fastai_fit"),
    Contestant("skorch", "skorch_fit"),
    Contestant("Keras on torch, channels_first", "keras_fit", {"layout": "channels_first"}),
    Contestant("Keras on torch, its default layout", "keras_fit", {"layout": "channels_last"}),
    Contestant("timm's loader", "timm_loop", {"workers": 0}),
    Contestant("timm's loader, 2 workers", "timm_loop", {"workers": 2}),
)
DECODED, FROM_FILES = (*PLAIN, *OTHERS, *OURS, *LIMITS), (*PLAIN, *OURS, *LIMITS)


def main() -> None:
    """Prepare all contestants, let them train in turn, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted ones (default: 5)")
    parser.add_argument("--images", type=int, help="of a round (default: 2560; from files 128)")
    parser.add_argument("--batch-size", type=int, help="(default: 128; from files 64)")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--backbone", default="cnn")
    parser.add_argument("--dataset", default="cifar10", choices=("cifar10", "caltech101"))
    parser.add_argument("--data-dir", type=Path, default=default_data_dir())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="of torch (default: torch's own choice)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="rows with a word in the name")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    from_files = options.dataset == "caltech101"
    contestants = {
        contestant.name: contestant for contestant in (FROM_FILES if from_files else DECODED)
    }
    chosen = [contestants[name] for name in with_words(list(contestants), options.only)]
    batch_size = options.batch_size or (64 if from_files else 128)
    images = options.images or (128 if from_files else 2560)
    experiment = experiment_of(
        options.dataset,
        options.backbone,
        image_size=options.image_size,
        images=images,
        batch_size=batch_size,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data_dir, real = data_dir_with(options.dataset, options.data_dir, folder / "data", images)
        device = resolve_device(options.device)
        task = task_of(experiment, data_dir, folder, folder / "pixels", device)
        print(
            f"{options.backbone} at {options.image_size} pixels, "
            f"{options.dataset if real else f'noise for {options.dataset}'}, batch size "
            f"{batch_size}, {task.images} images a round, rounds {options.rounds}"
        )
        print(machine(), flush=True)
        print(compare(task, chosen, options.rounds), flush=True)


def prepared(task: Task, contestants: Sequence[Contestant]) -> dict[str, TrainRound]:
    """Return the rounds of all contestants whose libraries are there; name the others."""
    rounds = {}
    for contestant in contestants:
        try:
            module = importlib.import_module(f"peers.{contestant.module}")
            rounds[contestant.name] = module.prepare(task, **contestant.arguments)
        except ModuleNotFoundError as missing:
            print(f"{contestant.name}: skipped, {missing.name} is not installed")
    return rounds


def compare(task: Task, contestants: Sequence[Contestant], rounds: int) -> str:
    """Return the table of all contestants' images/s."""
    by_name = prepared(task, contestants)
    if not by_name:
        raise SystemExit("nobody is left to measure")
    speeds = interleaved({name: per_second(train) for name, train in by_name.items()}, rounds)
    told = {name: train.told[1:] for name, train in by_name.items() if isinstance(train, EngineRun)}
    limits = {c.name: c.limit for c in contestants if c.limit is not None}
    return speed_table(speeds, told, limits)


def speed_table(
    speeds: dict[str, list[float]], told: dict[str, list[float]], limits: dict[str, str]
) -> str:
    """Return rows of medians; ``told`` are the figures of ours, ``limits`` their limits' names."""
    first = next(iter(speeds.values()))
    rows = []

    def add(name: str, figures: list[float], share: str = "") -> None:
        rows.append((name, *spread(figures, ",.0f"), f"{median_ratio(figures, first):.2f}", share))

    for name, figures in speeds.items():
        limit = speeds.get(limits.get(name, ""))
        if name not in told:
            add(name, figures)
            continue
        for which, ours in (("events", told[name]), ("clock", figures)):
            share = "" if limit is None else f"{median_ratio(ours, limit):.3f}"
            add(f"{name}, by {which}", ours, share)
    heads = ("images/s of training", "median", "min", "max", "ratio", "of limit")
    return table(heads, rows)


if __name__ == "__main__":
    main()
