"""When checkpoints are written: never for more than a share of the time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cnn_core.errors import disk_fault
from cnn_core.training.checkpoint import State, remove_partial_checkpoints, save_checkpoint
from cnn_core.training.control import Control
from cnn_core.training.events import CheckpointName, CheckpointSaved, Notice
from cnn_core.training.insisting import insisted

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
        self.refused = ""  # why the disk took none at the last attempt

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

    def detach_best(self) -> None:
        """Copy what the best state held shares with the network, which changes from now on."""
        if self._best is not None:
            self._best = _copied(self._best)

    def try_write(
        self, state: State, *names: CheckpointName, unchanging: set[str]
    ) -> Iterator[CheckpointSaved | Notice]:
        """Write the state under these names; where the disk refuses, tell so, once.

        It is ``due`` again a minute later, and what is best is held meanwhile.
        """
        try:
            yield from self._write_all(state, *names)
            if self.refused:  # a faulty disk may not even let go of halves
                remove_partial_checkpoints(self._run_dir)
            self.refused = ""
        except OSError as error:
            if "best" in names:
                self.hold_best(state, unchanging)
            self._next = time.monotonic() + LONGEST_INTERVAL_S
            before, self.refused = self.refused, disk_fault(error, self._run_dir)
            if self.refused != before:
                text = (
                    f"no checkpoint could be written: {self.refused}; training goes on and tries "
                    "again, and would go on from the one before until then"
                )
                yield Notice(level="warning", text=text)

    def insist(self, state: State | None, control: Control) -> Iterator[CheckpointSaved | Notice]:
        """Write the best state if one is held, and this one as the last; wait for the disk.

        Raises NotWrittenError, as ``insisted`` does.
        """

        def attempt() -> Iterator[CheckpointSaved]:
            yield from self._write_all(state, "last") if state else self._write_held()
            remove_partial_checkpoints(self._run_dir)

        yield from insisted(attempt, "the checkpoint", self._run_dir, control)
        self.refused = ""

    def _write_held(self) -> Iterator[CheckpointSaved]:
        if self._best is not None:
            yield from self._write(self._best, "best")
            self._best = None

    def _write_all(self, state: State, *names: CheckpointName) -> Iterator[CheckpointSaved]:
        """Write the state, after a best one that is held."""
        if "best" in names:
            self._best = None
        yield from self._write_held()
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
