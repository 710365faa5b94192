"""Decoding all images into one array on the disk."""

import dataclasses
import json
import math
import os
import shutil
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from PIL import Image

from cnn_core.datasets.decode import MAX_PIXELS, Corrupt, decode
from cnn_core.datasets.index import Images, Index
from cnn_core.datasets.parallel import map_in_order
from cnn_core.errors import UserError, printable
from cnn_core.progress import Progress, Remark

PIXELS = "pixels.npy"
META = "meta.json"
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
        from cnn_core.datasets.tensors import fit

        index, name = self.index, self.index.names[position]
        if index.files is not None:
            return decode(index.files[position], name, self.image_size, self.resize)
        assert index.array_NHWC is not None
        return fit(index.array_NHWC[position], self.image_size, self.resize, MAX_PIXELS)


def build(
    recipe: Recipe, settings: dict[str, Any], folder: Path
) -> Generator[Progress | Remark, None, None]:
    """Write ``folder`` with pixels.npy (uint8 NHWC) and meta.json, whole or not at all.

    Corrupt images are black in the array; meta.json holds ``settings`` and ``[position, why]``
    of each. States the cost first; raises UserError where the disk is too small for it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    yield _cost(recipe.shape, folder)
    # Pillow warns about odd metadata; a data set with thousands of such files is still fine.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.init()  # loads every plugin now, rather than in all threads at once
    try:
        part.mkdir()
        with (part / PIXELS).open("wb") as file:
            corrupt = yield from _write_pixels(recipe, file)
            _sync(file)
        with (part / META).open("wb") as file:
            file.write(json.dumps({"settings": settings, "corrupt": corrupt}).encode())
            _sync(file)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _cost(shape: tuple[int, ...], folder: Path) -> Remark:
    needed, free = math.prod(shape), shutil.disk_usage(folder.parent).free
    cost = (
        f"{shape[0]:,} images of {shape[1]}x{shape[1]} pixels need {needed / 1e9:.2f} GB in "
        f"{printable(folder.parent)}, where {free / 1e9:.2f} GB are free"
    )
    if needed > free:
        raise UserError(
            f"{cost}; make room, lower data.image_size or data.limit, or name another folder "
            "in CNN_TUI_CACHE"
        )
    return Remark(f"decoding once: {cost}")


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


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
