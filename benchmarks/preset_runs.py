"""Whole trainings of presets, timed."""

import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import torch

from cnn_core.config import Experiment
from cnn_core.preset_files import load_experiment
from cnn_core.shipped import shipped_presets
from cnn_core.training.control import Control
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import EpochFinished, RunFinished, RunStarted, TestEvaluated
from measuring import table
from stand_ins import data_dir_with

SCRATCH, FAST = "caltech101-alexnet-scratch", "cifar10-fast"


@dataclasses.dataclass
class Outcome:
    """Times of a run in seconds, and the accuracy of its best weights on the test images."""

    prepared_s: float = 0.0
    trained_s: float = 0.0
    """The epochs, validation included."""
    total_s: float = 0.0
    """From the first step to the end of the test, checkpoints included."""
    epochs: int = 0
    accuracy: float | None = None


def preset_table(options: argparse.Namespace, folder: Path, device: torch.device) -> str:
    """Return a row for each run: AlexNet from scratch once, the quick CIFAR-10 for each seed."""
    runs = [(SCRATCH, 0), *((FAST, seed) for seed in range(options.seeds))]
    missing = {name for name, _ in runs} - shipped_presets().keys()
    lines = [f"{name}: no such preset is shipped" for name in sorted(missing)]
    rows = []
    accuracies = []
    for name, seed in runs:
        if name in missing:
            continue
        experiment = preset_of(name, seed, options)
        dataset = experiment.data.dataset
        data_dir, real = data_dir_with(dataset, options.data_dir, folder / "data", options.images)
        outcome = run(experiment, data_dir, folder, device)
        # The accuracy on noise tells nothing.
        accuracy = outcome.accuracy if real else None
        if name == FAST and accuracy is not None:
            accuracies.append(accuracy)
        seconds = (outcome.prepared_s, outcome.trained_s, outcome.total_s)
        rows.append(
            (
                f"{name}, seed {seed}" + ("" if real else ", noise"),
                str(outcome.epochs),
                *(f"{each:.1f}" for each in seconds),
                "-" if accuracy is None else f"{accuracy:.2%}",
            )
        )
    heads = ("preset", "epochs", "preparing s", "epochs s", "first step to test s", "test accuracy")
    lines.append(table(heads, rows))
    if accuracies:
        lines.append(
            f"{FAST}, {len(accuracies)} seeds: mean {statistics.mean(accuracies):.2%}, "
            f"lowest {min(accuracies):.2%}"
        )
    return "\n".join(lines)


def preset_of(name: str, seed: int, options: argparse.Namespace) -> Experiment:
    """Return the preset with what the command line changes in it."""
    overrides = [f"seed={seed}", *options.set]
    if options.epochs is not None:
        overrides.append(f"train.epochs={options.epochs}")
        overrides.append("optim.warmup_epochs=0")
    if options.images is not None:
        overrides.append(f"data.limit={options.images}")
    if options.batch_size is not None:
        overrides.append(f"train.batch_size={options.batch_size}")
    return load_experiment(name, overrides)


def run(experiment: Experiment, data_dir: Path, folder: Path, device: torch.device) -> Outcome:
    """Train to the end; exit where the run fails."""
    run_dir = Path(tempfile.mkdtemp(dir=folder))
    (run_dir / "checkpoints").mkdir()
    places = Places(run_dir=run_dir, data_dir=data_dir, cache_dir=folder / "pixels")
    outcome, began = Outcome(), time.perf_counter()
    for event in stream(experiment, Control(), places, device=str(device)):
        match event:
            case RunStarted():
                outcome.prepared_s = time.perf_counter() - began
            case EpochFinished():
                outcome.trained_s += event.seconds
                outcome.epochs = event.epoch
            case TestEvaluated(checkpoint="best"):
                outcome.accuracy = event.acc
            case RunFinished():
                if event.status != "finished":
                    raise SystemExit(f"{experiment.name}: {event.status}, {event.error}")
                outcome.total_s = time.perf_counter() - began - outcome.prepared_s
    return outcome
