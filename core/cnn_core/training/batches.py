"""Batches: decoded pixels in, normalised images on the device out."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnn_core.config import Experiment

Positions = npt.NDArray[np.int64]

# Share of the free memory of a GPU that the pixels of a data set may take.
DEVICE_SHARE = 0.5


class Batches:
    """The images of a run on their way to the network.

    Pixels stay on the device where they fit in ``DEVICE_SHARE`` of its free memory. NHWC in
    memory is channels_last to torch, so no layout is ever converted.
    """

    def __init__(
        self,
        images_NHWC: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.int64],
        *,
        mean: npt.NDArray[np.float32],
        std: npt.NDArray[np.float32],
        device: torch.device,
    ) -> None:
        self._device = device
        self._images_NHWC = images_NHWC
        self._resident_NHWC: Tensor | None = None
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if images_NHWC.nbytes < DEVICE_SHARE * free:
                self._resident_NHWC = _copy_to(device, images_NHWC)
        self._labels = torch.from_numpy(labels).to(device)
        # ((x / 255) - mean) / std as one product and one sum.
        self._scale_C11 = torch.from_numpy(1 / (255 * std)).view(-1, 1, 1).to(device)
        self._shift_C11 = torch.from_numpy(-mean / std).view(-1, 1, 1).to(device)

    def pixels(self, positions: Tensor) -> Tensor:
        """Return ``images_NCHW`` uint8 on the device, channels_last, at (B,) int64 positions."""
        if self._resident_NHWC is not None:
            batch_NHWC = self._resident_NHWC.index_select(0, positions.to(self._device))
        else:
            batch_NHWC = torch.from_numpy(np.take(self._images_NHWC, positions.numpy(), axis=0))
            if self._device.type == "cuda":
                batch_NHWC = batch_NHWC.pin_memory().to(self._device, non_blocking=True)
        return batch_NHWC.permute(0, 3, 1, 2)

    def labels(self, positions: Tensor) -> Tensor:
        """Return labels (B,) int64 on the device."""
        return self._labels[positions.to(self._device)]

    def normalize(self, images_NCHW: Tensor) -> Tensor:
        """Return float32 images with the data set's mean taken off and deviation divided out."""
        return images_NCHW.float().mul_(self._scale_C11).add_(self._shift_C11)


def _copy_to(device: torch.device, images_NHWC: npt.NDArray[np.uint8]) -> Tensor:
    """Return the pixels on the device, copied in pieces: they may be mapped from a larger file."""
    resident_NHWC = torch.empty(images_NHWC.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images_NHWC), 1024):
        piece = np.array(images_NHWC[start : start + 1024])
        resident_NHWC[start : start + 1024] = torch.from_numpy(piece)
    return resident_NHWC


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
