"""What a network makes of an image, as one picture."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnn_core.datasets.index import Images
from cnn_core.inspect.maps import map_pictures
from cnn_core.inspect.sheet import Tile, sheet, stacked

_COLUMNS, _SIDE = 16, 54
# The pictures of the image itself.
_LARGE = 300


def map_sheet(images: Sequence[Tile], maps: Mapping[str, NDArray[np.float32]], most: int) -> Images:
    """Return large ``images``, then feature maps (C,H,W) of each layer; uint8 (height, width, 3).

    Of a layer with more than ``most`` maps those with the greatest mean are shown, the greatest
    first. Below each map is its number, counted from 0; it is scaled by itself.
    """
    top = sheet(images, columns=len(images), side=_LARGE)
    return stacked([top, *(_layer(name, maps_CHW, most) for name, maps_CHW in maps.items())])


def strongest(maps_CHW: NDArray[np.float32], most: int) -> list[int]:
    """Return the numbers of the ``most`` maps of the greatest mean, the greatest first."""
    order: list[int] = np.argsort(-maps_CHW.mean((1, 2)), kind="stable")[:most].tolist()
    return order


def _layer(name: str, maps_CHW: NDArray[np.float32], most: int) -> Images:
    numbers = strongest(maps_CHW, most)
    count, height, width = maps_CHW.shape
    of = f"{count}" if len(numbers) == count else f"the {len(numbers)} strongest of {count}"
    tiles = [
        Tile(picture_HWC, (f"{number}",))
        for number, picture_HWC in zip(numbers, map_pictures(maps_CHW[numbers]), strict=True)
    ]
    title = f"{name}: {of} maps of {width}x{height}"
    return sheet(tiles, columns=_COLUMNS, side=_SIDE, title=title)
