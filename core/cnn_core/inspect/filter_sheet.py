"""All filters of a convolution as one picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnn_core.datasets.index import Images
from cnn_core.inspect.filters import filter_limit, filter_pictures
from cnn_core.inspect.sheet import Tile, sheet, stacked

# From how many filters on a row has so many.
_COLUMNS = ((1025, 64), (257, 32), (65, 16), (0, 8))
_WIDTH = 480
_RGB = ("red", "green", "blue")


def filter_sheet(
    states: Sequence[tuple[str, NDArray[np.float32]]], channels: Sequence[int] = ()
) -> Images:
    """Return all filters of a convolution in each state side by side, uint8 (height, width, 3).

    A state is its title and weights (O,I,H,W). Below come the same filters for each of the input
    ``channels`` alone. Each grid has a scale of its own, which its title tells.
    """
    return stacked([_row(states, channel) for channel in (None, *channels)])


def _row(states: Sequence[tuple[str, NDArray[np.float32]]], channel: int | None) -> Images:
    grids = [_grid(title, weights_OIHW, channel) for title, weights_OIHW in states]
    return stacked([grid_HWC.swapaxes(0, 1) for grid_HWC in grids]).swapaxes(0, 1)


def _grid(title: str, weights_OIHW: NDArray[np.float32], channel: int | None) -> Images:
    pictures = filter_pictures(weights_OIHW, channel)
    columns = next(columns for least, columns in _COLUMNS if len(pictures) >= least)
    columns = min(columns, len(pictures))
    side = max(weights_OIHW.shape[2:])
    # Whole multiples, so that all pixels of a filter are of one size.
    scale = max(round(_WIDTH / columns / side), -(-10 // side), 1)
    inputs = weights_OIHW.shape[1]
    if channel is not None:
        title = f"{title}, {_RGB[channel] if inputs == 3 else f'channel {channel}'}"
    elif inputs != 3:
        title = f"{title}, mean of {inputs} channels"
    limit = filter_limit(weights_OIHW, channel)
    title = f"{title}, ±{limit:.2g}"
    return sheet(list(map(Tile, pictures)), columns=columns, side=side * scale, title=title)
