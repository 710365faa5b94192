"""Decoding all images into one array on the disk."""

import dataclasses
import math
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from PIL import Image

from cnn_core.datasets.decode import Corrupt, decode, fit
from cnn_core.datasets.index import Images, Index
from cnn_core.datasets.parallel import map_in_order
from cnn_core.made_once import check_room, sync, write_meta
from cnn_core.progress import Progress, Remark

PIXELS = "pixels.npy"
IMAGES_A_TASK = 64
BYTES_A_TASK = 16_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """The images of one cache, and how they are decoded."""

    index: Index
    image_size: int
    resize: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the array, NHWC."""
        return len(self.index), self.image_size, self.image_size, 3

    def decode_at(self, position: int) -> Images | Corrupt:
        """Return the pixels of an image, uint8 (image_size, image_size, 3), or why not."""
        index, name = self.index, self.index.names[position]
        if index.files is not None:
            return decode(index.files[position], name, self.image_size, self.resize)
        assert index.array_NHWC is not None
        return fit(Image.fromarray(index.array_NHWC[position]), self.image_size, self.resize)


def build(
    recipe: Recipe, settings: dict[str, Any], part: Path
) -> Generator[Progress | Remark, None, None]:
    """Write pixels.npy (uint8 NHWC) and meta.json into the folder ``part``.

    Corrupt images are black in the array; meta.json holds ``settings`` and ``[position, why]``
    of each. States the cost first; raises UserError where the disk is too small for it.
    """
    count, side = recipe.shape[:2]
    yield check_room(
        math.prod(recipe.shape),
        part,
        f"decoding once: {count:,} images of {side}x{side} pixels",
        "make room, lower data.image_size or data.limit, or name another folder in CNN_TUI_CACHE",
    )
    # Pillow warns about odd metadata; a data set with thousands of such files is still fine.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.init()  # loads every plugin now, rather than in all threads at once
    with (part / PIXELS).open("wb") as file:
        corrupt = yield from _write_pixels(recipe, file)
        sync(file)
    write_meta(part, {"settings": settings, "corrupt": corrupt})


def _write_pixels(
    recipe: Recipe, file: BinaryIO
) -> Generator[Progress, None, list[tuple[int, str]]]:
    header = {"descr": "|u1", "fortran_order": False, "shape": recipe.shape}
    npy.write_array_header_1_0(file, header)
    total, image_bytes = len(recipe.index), math.prod(recipe.shape[1:])
    step = max(1, min(IMAGES_A_TASK, BYTES_A_TASK // image_bytes))
    tasks = (range(start, min(start + step, total)) for start in range(0, total, step))

    def decode_some(positions: range) -> tuple[Images, list[tuple[int, str]]]:
        block_NHWC = np.zeros((len(positions), *recipe.shape[1:]), np.uint8)
        corrupt = []
        for row, position in enumerate(positions):
            pixels = recipe.decode_at(position)
            if isinstance(pixels, Corrupt):
                corrupt.append((position, pixels.why))
            else:
                block_NHWC[row] = pixels
        return block_NHWC, corrupt

    done, all_corrupt = 0, []
    for block_NHWC, corrupt in map_in_order(decode_some, tasks):
        file.write(block_NHWC.data)
        all_corrupt += corrupt
        done += len(block_NHWC)
        yield Progress("decoding images", done, total)
    return all_corrupt
