"""Decoding all images into one array on the disk."""

import dataclasses
import math
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cnn_core.datasets.decode import Corrupt, decode, fit, set_up_pillow
from cnn_core.datasets.index import Images, Index
from cnn_core.datasets.parallel import map_in_order
from cnn_core.made_once import check_room, sync, write_meta
from cnn_core.progress import Progress, Remark

PIXELS = "pixels.npy"
IMAGES_A_TASK = 64
BYTES_A_TASK = 16_000_000


class Recipe(Protocol):
    """The images of one cache, and how they are decoded.

    ``pixels.npy`` gets the ``shape``: (N,S,S,3) for squares, (bytes,) for images of sizes of their
    own. ``offsets`` (N + 1,) int64 tell where each begins, in bytes, and ``what`` they are.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def offsets(self) -> NDArray[np.int64]: ...

    @property
    def what(self) -> str: ...

    def decode_at(self, position: int) -> Images | Corrupt:
        """Return the pixels of an image, uint8 (height, width, 3), or why not."""


@dataclasses.dataclass(frozen=True, slots=True)
class Squares:
    """All images of an index, cropped to squares."""

    index: Index
    image_size: int
    resize: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the array, NHWC."""
        return len(self.index), self.image_size, self.image_size, 3

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each image begins, in bytes."""
        return np.arange(len(self.index) + 1) * math.prod(self.shape[1:])

    @property
    def what(self) -> str:
        """Number and size of the images."""
        return f"{len(self.index):,} images of {self.image_size}x{self.image_size} pixels"

    def decode_at(self, position: int) -> Images | Corrupt:
        """Return the pixels of an image, uint8 (image_size, image_size, 3), or why not."""
        index, name = self.index, self.index.names[position]
        if index.files is not None:
            return decode(index.files[position], name, self.image_size, self.resize)
        assert index.array_NHWC is not None
        return fit(index.array_NHWC[position], self.image_size, self.resize)


def build(
    recipe: Recipe, settings: dict[str, Any], part: Path
) -> Generator[Progress | Remark, None, None]:
    """Write pixels.npy (uint8) and meta.json into the folder ``part``.

    Corrupt images are black in the array; meta.json holds ``settings``, the array's ``shape``,
    ``[position, why]`` of each corrupt image and, where they differ, the ``sizes`` (height,
    width) and ``offsets`` of all. States the cost first; raises UserError where the disk is too
    small for it.
    """
    yield check_room(
        math.prod(recipe.shape),
        part,
        f"decoding once: {recipe.what}",
        "make room, lower data.image_size, data.resize or data.limit, or name another folder in "
        "CNN_TUI_CACHE",
    )
    set_up_pillow()
    with (part / PIXELS).open("wb") as file:
        decoded = yield from _write_pixels(recipe, file)
        sync(file)
    meta = {"settings": settings, "shape": recipe.shape, "corrupt": decoded.corrupt}
    if len(recipe.shape) == 1:
        meta |= {"sizes": decoded.sizes, "offsets": recipe.offsets.tolist()}
    write_meta(part, meta)


@dataclasses.dataclass(slots=True)
class _Decoded:
    """Pixels of consecutive images, one after another, and what is known of each."""

    pixels: Images
    sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    corrupt: list[tuple[int, str]] = dataclasses.field(default_factory=list)


def _write_pixels(recipe: Recipe, file: BinaryIO) -> Generator[Progress, None, _Decoded]:
    """Write the array; return sizes and corrupt images, without pixels."""
    header = {"descr": "|u1", "fortran_order": False, "shape": recipe.shape}
    npy.write_array_header_1_0(file, header)
    offsets = recipe.offsets
    total = len(offsets) - 1
    everything = _Decoded(np.empty(0, np.uint8))
    for some in map_in_order(partial(_decode_some, recipe, offsets), _tasks(offsets)):
        file.write(some.pixels.data)
        everything.sizes += some.sizes
        everything.corrupt += some.corrupt
        yield Progress("decoding images", len(everything.sizes), total)
    return everything


def _tasks(offsets: NDArray[np.int64]) -> Iterator[range]:
    """Yield the positions of all images in pieces of bounded number and size."""
    start, total = 0, len(offsets) - 1
    while start < total:
        filled = int(np.searchsorted(offsets, offsets[start] + BYTES_A_TASK, "right")) - 1
        stop = min(start + IMAGES_A_TASK, max(filled, start + 1), total)
        yield range(start, stop)
        start = stop


def _decode_some(recipe: Recipe, offsets: NDArray[np.int64], positions: range) -> _Decoded:
    first = offsets[positions.start]
    decoded = _Decoded(np.zeros(offsets[positions.stop] - first, np.uint8))
    for position in positions:
        place = decoded.pixels[offsets[position] - first : offsets[position + 1] - first]
        pixels_HWC = recipe.decode_at(position)
        if not isinstance(pixels_HWC, Corrupt) and pixels_HWC.size != place.size:
            pixels_HWC = Corrupt("", "it is not of the size that its header tells")
        if isinstance(pixels_HWC, Corrupt):
            decoded.sizes.append((0, 0))
            decoded.corrupt.append((position, pixels_HWC.why))
        else:
            height, width = pixels_HWC.shape[:2]
            decoded.sizes.append((height, width))
            place.reshape(pixels_HWC.shape)[...] = pixels_HWC
    return decoded
