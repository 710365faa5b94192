"""Windows of padded images: shifts by whole pixels."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_core.augment.batch import on_device

Border = Literal["constant", "reflect", "edge"]


def padded(images_NCHW: Tensor, padding: tuple[int, int], mode: Border) -> Tensor:
    """Return the images with (rows, columns) of padding on both sides.

    They are black (constant), those of the image mirrored at its border, as often as it takes,
    or the border's pixels (edge).
    """
    rows, columns = padding
    if mode == "constant":
        return F.pad(images_NCHW, (columns, columns, rows, rows))
    for dim, width in ((2, rows), (3, columns)):
        size = images_NCHW.shape[dim]
        places = torch.arange(-width, size + width, device=images_NCHW.device)
        if mode == "reflect":
            period = max(2 * (size - 1), 1)
            places = size - 1 - (places.remainder(period) - (size - 1)).abs()
        images_NCHW = images_NCHW.index_select(dim, places.clamp(0, size - 1))
    return images_NCHW


def windows(images_NCHW: Tensor, tops: Tensor, lefts: Tensor, size: Sequence[int]) -> Tensor:
    """Return the window of ``size`` = (height, width) at (N,) tops and lefts of each image."""
    height, width = size
    device = images_NCHW.device
    top, left = on_device(torch.stack([tops, lefts]), device)
    # A view of every window, indexed once: it copies no more pixels than it returns.
    every = images_NCHW.unfold(2, height, 1).unfold(3, width, 1)
    return every[torch.arange(len(images_NCHW), device=device), :, top, left]
