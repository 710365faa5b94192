"""Where training stands, and how it can end badly."""

import dataclasses
import math
from typing import Literal

import torch
from torch import Tensor, nn


class Diverged(Exception):  # noqa: N818  (an outcome of training, not a fault of the program)
    """A loss or a weight is NaN or infinite."""


@dataclasses.dataclass(slots=True)
class LoopState:
    """Where training stands: all that a checkpoint must keep beside the tensors.

    ``epoch`` counts from 1 and is the one in progress; ``step`` is the number of optimizer
    steps done in it. The sums cover the images ``seen`` in it so far. ``finishing``: this epoch
    takes no further step and is the last one. ``halvings``: how often the pieces of a batch that
    are worked on at once were halved, as memory ran out.
    """

    base_lr: float
    batch_size: int
    epoch: int = 1
    step: int = 0
    global_step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    train_seconds: float = 0.0
    best_epoch: int = 0
    best_acc: float = -1.0
    epochs_without_better: int = 0
    finishing: bool = False
    halvings: int = 0

    def rank_epoch(self, val_acc: float | None) -> bool:
        """Return whether the epoch in progress is the best so far, and note that it is.

        Without validation images the last epoch is the best one.
        """
        best = val_acc is None or val_acc > self.best_acc
        if best:
            self.best_epoch = self.epoch
            self.best_acc = -1.0 if val_acc is None else val_acc
        self.epochs_without_better = 0 if best else self.epochs_without_better + 1
        return best

    def begin_next_epoch(self) -> None:
        """Stand before the first step of the next epoch."""
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum, self.correct, self.seen, self.train_seconds = 0.0, 0, 0, 0.0


PartName = Literal["train", "val", "test"]


@dataclasses.dataclass(frozen=True, slots=True)
class Positions:
    """Where the images of each part lie, (N,) int64 each."""

    train: Tensor
    val: Tensor
    test: Tensor


def check_weights(module: nn.Module, state: LoopState) -> None:
    """Raise Diverged where the last step spoilt a weight: no loss has told of it yet."""
    sums = [p.detach().sum() for p in module.parameters() if p.requires_grad]
    if not math.isfinite(total := torch.stack(sums).sum().item()):
        raise Diverged(f"the weights became {total} at epoch {state.epoch}, step {state.step}")
