"""When checkpoints are written: never for more than a share of the time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cnn_core.training.checkpoint import State, save_checkpoint
from cnn_core.training.events import CheckpointName, CheckpointSaved

# Share of the time that writing may take where epochs are short; what a crash then costs is the
# time between two writes, which is never above the second figure.
TIME_SHARE = 0.05
LONGEST_INTERVAL_S = 60.0


class Saver:
    """Writes the checkpoints of a run, and holds the best one while it is put off."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._best: State | None = None
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() >= self._next

    def hold_best(self, state: State, unchanging: set[str]) -> None:
        """Keep a copy of the best state so far, to be written before the next one.

        The tensors of its model named in ``unchanging`` are not copied.
        """
        model = {
            name: tensor if name in unchanging else _copied(tensor)
            for name, tensor in state["model"].items()
        }
        self._best = {key: model if key == "model" else _copied(state[key]) for key in state}

    def write_held(self) -> Iterator[CheckpointSaved]:
        """Write the best state if one is held."""
        if self._best is not None:
            yield from self._write(self._best, "best")
            self._best = None

    def write(self, state: State, *names: CheckpointName) -> Iterator[CheckpointSaved]:
        """Write the state under these names, after a best one that is held."""
        if "best" in names:
            self._best = None
        yield from self.write_held()
        yield from self._write(state, *names)

    def _write(self, state: State, *names: CheckpointName) -> Iterator[CheckpointSaved]:
        began = time.monotonic()
        save_checkpoint(self._run_dir, state, *names)
        ended = time.monotonic()
        self._next = ended + min((ended - began) / TIME_SHARE, LONGEST_INTERVAL_S)
        for name in names:
            progress = state["progress"]
            yield CheckpointSaved(name=name, epoch=progress["epoch"], step=progress["step"])


def _copied(value: Any) -> Any:
    """Return the value with all tensors inside copied, to the host's memory."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(item) for item in value)
    return value
