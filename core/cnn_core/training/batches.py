"""Batches: decoded pixels in, normalised images on the device out."""

from collections.abc import Generator, Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnn_core.training.rows import Rows


class Batches:
    """The images of a run on their way to the network.

    NHWC in memory is channels_last to torch, so no layout is ever converted.
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
        self._images_NHWC = Rows(images_NHWC, device)
        self._labels = torch.from_numpy(labels).to(device)
        # ((x / 255) - mean) / std as one product and one sum.
        self._scale_C = torch.from_numpy(1 / (255 * std)).to(device)
        self._shift_C = torch.from_numpy(-mean / std).to(device)

    @property
    def at_hand(self) -> bool:
        """Whether the pixels are in the memory of the device that works on them."""
        return self._device.type == "cpu" or self._images_NHWC.resident

    def pixels(self, positions: Tensor) -> Tensor:
        """Return ``images_NCHW`` uint8 on the device, channels_last, at (B,) int64 positions."""
        return self._images_NHWC.take(positions).permute(0, 3, 1, 2)

    def stream(self, parts: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        """Yield the ``pixels`` of each part of the positions, one batch ahead."""
        for batch_NHWC in self._images_NHWC.stream(parts):
            yield batch_NHWC.permute(0, 3, 1, 2)

    def labels(self, positions: Tensor) -> Tensor:
        """Return labels (B,) int64 on the device."""
        return self._labels[positions.to(self._device, non_blocking=True)]

    def normalize(self, images_NCHW: Tensor) -> Tensor:
        """Return float32 images with the data set's mean taken off and deviation divided out.

        They are channels_last, as the images should be.
        """
        count, channels, height, width = images_NCHW.shape
        # By rows of pixels: a CPU does three values at a time several times as slowly.
        rows = images_NCHW.permute(0, 2, 3, 1).reshape(count, height, width * channels).float()
        rows.mul_(self._scale_C.repeat(width)).add_(self._shift_C.repeat(width))
        return rows.view(count, height, width, channels).permute(0, 3, 1, 2)
