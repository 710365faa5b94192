"""A laboratory that trains tiny networks on generated images, shared by the training tests."""

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnn_core.config import Experiment
from cnn_core.training import saver
from cnn_core.training.checkpoint import load_checkpoint
from cnn_core.training.control import Control, RequestKind
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import EpochFinished, Event, TestEvaluated

Script = dict[int, list[tuple[RequestKind, float | None]]]

SIDE = 16
COUNTS = {"train": (10, 9, 8), "val": (4, 4, 4), "test": (5, 5, 5)}
DEFAULTS: dict[str, Any] = {
    "data": {"dataset": "folder", "image_size": SIDE},
    "model": {"backbone": "cnn", "options": {"widths": [4, 6]}},
    "optim": {"lr": 0.05},
    "train": {"epochs": 3, "batch_size": 8},
}


class ScriptedControl(Control):
    """Makes its requests after given steps; a poll while paused counts like a step."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script, self.polls = script, 0

    def poll(self) -> None:
        super().poll()
        self.polls += 1
        for kind, value in self._script.get(self.polls, []):
            self.request(kind, value)


@dataclasses.dataclass
class Lab:
    """Trains in ``folder/<name>`` on 27 images of 3 classes, 12 to validate, 15 to test.

    Other data.root: no-val, train-only, and seven, which has that many classes.
    """

    data_dir: Path
    cache_dir: Path
    folder: Path

    def experiment(self, **sections: dict[str, Any] | Any) -> Experiment:
        """Return the default experiment with some keys of its sections changed."""
        table: dict[str, Any] = dict(DEFAULTS)
        for name, value in sections.items():
            table[name] = DEFAULTS.get(name, {}) | value if isinstance(value, dict) else value
        return Experiment.model_validate(table)

    def places(self, name: str) -> Places:
        run_dir = self.folder / name
        (run_dir / "checkpoints").mkdir(parents=True, exist_ok=True)
        return Places(run_dir=run_dir, data_dir=self.data_dir, cache_dir=self.cache_dir)

    def train(
        self, experiment: Experiment, name: str = "run", script: Script | None = None
    ) -> list[Event]:
        """Train to the end, or to the stop that the script asks for; return all events."""
        control = ScriptedControl(script or {})
        return list(stream(experiment, control, self.places(name), device="cpu"))

    def state(self, name: str, which: Any = "last") -> dict[str, Any]:
        return load_checkpoint(self.folder / name, which)

    @staticmethod
    def history(events: Iterable[Event]) -> list[tuple[Any, ...]]:
        """Return what does not depend on the clock of the last account of each epoch."""
        epochs = {
            e.epoch: (e.epoch, e.train_loss, e.train_acc, e.val_loss, e.val_acc, e.lr, e.best)
            for e in events
            if isinstance(e, EpochFinished)
        }
        return [epochs[number] for number in sorted(epochs)]

    @staticmethod
    def tests(events: Iterable[Event]) -> list[Event]:
        return [event for event in events if isinstance(event, TestEvaluated)]

    @staticmethod
    def differences(one: Any, two: Any, path: str = "") -> list[str]:
        """Return where two checkpoints differ in any bit, but for the time they took."""
        if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
            return [
                found
                for key in one
                if not str(key).endswith("seconds")
                for found in Lab.differences(one[key], two[key], f"{path}.{key}")
            ]
        if isinstance(one, list | tuple) and isinstance(two, list | tuple) and len(one) == len(two):
            pairs = enumerate(zip(one, two, strict=True))
            return [found for i, (a, b) in pairs for found in Lab.differences(a, b, f"{path}[{i}]")]
        if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
            return [] if one.dtype == two.dtype and torch.equal(one, two) else [path]
        return [] if type(one) is type(two) and one == two else [path]


def make_images(root: Path, counts: dict[str, tuple[int, ...]], side: int = SIDE) -> None:
    """Write noise whose brightness leans a little on the class, so that it can be learnt."""
    rng = np.random.default_rng(0)
    for part, sizes in counts.items():
        for label, size in enumerate(sizes):
            folder = root / part / f"class{label}"
            folder.mkdir(parents=True)
            for number in range(size):
                pixels = rng.integers(0, 200, (side, side, 3)) + np.array([20 * label, 0, 0])
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")


@pytest.fixture(scope="session")
def _images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    data_dir = tmp_path_factory.mktemp("data")
    make_images(data_dir / "folder", COUNTS)
    make_images(data_dir / "no-val", {part: COUNTS[part] for part in ("train", "test")})
    make_images(data_dir / "train-only", {"train": COUNTS["train"]})
    make_images(data_dir / "seven", dict.fromkeys(COUNTS, (4,) * 7))
    return data_dir, tmp_path_factory.mktemp("cache")


@pytest.fixture
def lab(_images: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    # Epochs here take milliseconds: checkpoints would be written when the clock wants them.
    monkeypatch.setattr(saver, "TIME_SHARE", math.inf)
    data_dir, cache_dir = _images
    return Lab(data_dir, cache_dir, tmp_path)
