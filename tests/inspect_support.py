"""Runs that were really trained, tiny ones, for tests that look into them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnn_core.config import Experiment
from cnn_core.runs.session import new_run, train_run
from cnn_core.training.control import Control
from cnn_core.training.events import RunFinished

SIDE = 24
PRESET: dict[str, Any] = {
    "name": "tiny",
    "data": {"dataset": "folder", "root": "images", "image_size": 16, "resize": 18},
    "model": {"backbone": "cnn", "options": {"widths": [4, 6]}},
    "optim": {"lr": 0.05},
    "train": {"epochs": 2, "batch_size": 16},
}


def make_images(root: Path, classes: tuple[str, ...], each: int = 16) -> None:
    """Write JPEGs whose colour leans on the class, of two shapes, a quarter of them to test."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(classes):
        lean = rng.integers(0, 120, 3)
        for part, count in (("train", each), ("val", each // 4), ("test", each // 4)):
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                shape = (SIDE, SIDE + 6 * ((number + label) % 2), 3)
                pixels = rng.integers(0, 130, shape) + lean
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.jpg")


def trained_run(folder: Path, **sections: dict[str, Any]) -> Path:
    """Train ``PRESET``, some keys of its sections changed, on ``folder/data``; return the run."""
    table = {key: value | sections.get(key, {}) if isinstance(value, dict) else value
             for key, value in PRESET.items()}  # fmt: skip
    table |= {key: value for key, value in sections.items() if key not in PRESET}
    run_dir = new_run(folder / "runs", Experiment.model_validate(table))
    events = list(
        train_run(
            run_dir,
            Control(),
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            device="cpu",
        )
    )
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert end.status == "finished", end
    return run_dir
