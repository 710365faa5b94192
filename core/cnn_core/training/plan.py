"""Which images each step of an epoch takes, and the seeds of what is drawn for it."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnn_core.config import Experiment

Positions = npt.NDArray[np.int64]


class EpochPlan:
    """Which training images each optimizer step of an epoch takes."""

    def __init__(self, positions: Positions, config: Experiment, batch_size: int) -> None:
        """``positions`` (N,) are those of all training images."""
        self._positions, self._seed = positions, config.seed
        self._group_size = batch_size * config.train.accumulate
        left_out = len(positions) % batch_size if config.train.drop_last else 0
        self._used = len(positions) - left_out
        self.steps = math.ceil(self._used / self._group_size)

    def groups(self, epoch: int) -> list[Tensor]:
        """Return the positions of each step, the same ones for an epoch in every sitting."""
        order = epoch_order(self._positions, seed=self._seed, epoch=epoch)
        return chunks(order[: self._used], self._group_size)


def epoch_order(positions: Positions, *, seed: int, epoch: int) -> Tensor:
    """Return the positions (N,) shuffled for this epoch, always alike for a seed and epoch."""
    generator = torch.Generator().manual_seed(derived_seed(seed, epoch))
    return torch.from_numpy(positions)[torch.randperm(len(positions), generator=generator)]


def derived_seed(*parts: int) -> int:
    """Return an independent 63-bit seed for each tuple of non-negative integers."""
    # The length too: to SeedSequence (1, 2) and (1, 2, 0) are the same.
    sequence = np.random.SeedSequence((len(parts), *parts))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def chunks(positions: Tensor, size: int) -> list[Tensor]:
    """Return consecutive pieces of at most ``size`` positions."""
    return [positions[start : start + size] for start in range(0, len(positions), size)]


def pieces(positions: Tensor, size: int, halvings: int) -> list[Tensor]:
    """Return pieces of at most ``size`` positions, each halved so often, but none to below two."""
    return [
        piece
        for chunk in chunks(positions, size)
        for piece in torch.tensor_split(chunk, min(1 << halvings, max(len(chunk) // 2, 1)))
    ]
