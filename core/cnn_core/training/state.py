"""Where training stands, and how it can end badly."""

import dataclasses

from torch import Tensor


class Diverged(Exception):  # noqa: N818  (an outcome of training, not a fault of the program)
    """A loss or a weight is NaN or infinite."""


@dataclasses.dataclass(slots=True)
class LoopState:
    """Where training stands: all that a checkpoint must keep beside the tensors.

    ``epoch`` counts from 1 and is the one in progress; ``step`` is the number of optimizer
    steps done in it. The sums cover the images ``seen`` in it so far.
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


@dataclasses.dataclass(frozen=True, slots=True)
class Positions:
    """Where the images of each part lie, (N,) int64 each."""

    train: Tensor
    val: Tensor
    test: Tensor
