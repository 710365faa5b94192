"""Trains the presets of a folder, one after another, with the other processes of a torchrun.

Each run lies beside its preset, with the first process's events. Under ``missing`` in the preset's
notes, the processes but the first one have no data.
"""

import sys
import time
from pathlib import Path

import torch

from cnn_core.preset_files import load_experiment
from cnn_core.training.control import Control
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import encode
from cnn_core.training.joining import joined, launched


def main(folder: Path) -> None:
    place = launched()
    assert place is not None
    with joined(place, torch.device("cpu")) as (ranks, _):
        for preset in sorted(folder.glob("*.toml")):
            experiment = load_experiment(preset)
            run_dir = folder / preset.stem
            (run_dir / "checkpoints").mkdir(parents=True, exist_ok=True)
            missing = "missing" in experiment.notes and not ranks.first
            places = Places(run_dir, folder / ("nowhere" if missing else "data"), folder / "cache")
            events = list(stream(experiment, Control(), places, device="cpu", ranks=ranks))
            if ranks.first:
                lines = [encode(event, time.time()) for event in events]
                (run_dir / "events.jsonl").write_text("\n".join(lines) + "\n")


main(Path(sys.argv[1]))
