"""Many small pictures as one that fits in cells: filters, feature maps."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from cnn_core.datasets.index import Images

_GAP = 1
# Pixels a side below which a feature map can't be told.
_SMALLEST = 10


def mosaic(
    pictures: Sequence[Images], columns: int, rows: int, background: tuple[int, int, int]
) -> tuple[Images, int]:
    """Return pictures in a grid, uint8 (2*rows, columns, 3), and how many of them are in.

    All have the shape of the first one, (height, width, 3). They are as large as lets all of
    them in; where even the smallest that can be told do not fit, the last are left out. Small
    ones grow by whole factors, so that all of their pixels are of one size.
    """
    room = (2 * rows, columns)
    shape = pictures[0].shape[:2]
    tall, wide = _size(len(pictures), shape, room)
    down, across = _grid((tall, wide), room)
    shown = pictures[: across * down]
    whole = Image.new("RGB", room[::-1], background)
    for number, picture_HWC in enumerate(shown):
        line, column = divmod(number, across)
        resample = Image.Resampling.NEAREST if tall >= shape[0] else Image.Resampling.BOX
        scaled = Image.fromarray(picture_HWC).resize((wide, tall), resample)
        whole.paste(scaled, (column * (wide + _GAP), line * (tall + _GAP)))
    found: Images = np.asarray(whole)
    return found, len(shown)


def _size(count: int, shape: tuple[int, ...], room: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the largest pictures of which ``count`` fit."""
    size = (1, 1)
    for size in _sizes(shape, room):
        down, across = _grid(size, room)
        if down * across >= count and size[0] <= room[0] and size[1] <= room[1]:
            break
    return size


def _sizes(shape: tuple[int, ...], room: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for factor in range(max(room) // min(shape) + 1, 0, -1):
        yield shape[0] * factor, shape[1] * factor
    longest = max(shape)
    for side in range(longest - 1, _SMALLEST - 1, -1):
        yield max(round(shape[0] * side / longest), 1), max(round(shape[1] * side / longest), 1)


def _grid(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Return how many pictures of this size fit below and beside each other, at least one."""
    down, across = ((space + _GAP) // (side + _GAP) for space, side in zip(room, size, strict=True))
    return max(down, 1), max(across, 1)
