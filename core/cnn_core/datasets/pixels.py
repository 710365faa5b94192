"""The decoded pixels of a data set: made once, kept on the disk, opened at once afterwards.

A cache is a folder ``<key>`` with ``pixels.npy`` and ``meta.json``.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.lib import format as npy

from cnn_core.datasets.build import PIXELS, Recipe, build
from cnn_core.datasets.decode import DECODER_VERSION, Corrupt
from cnn_core.datasets.fingerprint import fingerprint
from cnn_core.datasets.index import Images, Index
from cnn_core.errors import UserError, printable
from cnn_core.made_once import META, made_once, read_meta
from cnn_core.progress import Progress, Remark

MEMORY_SHARE = 0.5
"""Pixels above this share of the available memory bring a warning that the disk may be slow."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Images (N,S,S,3); the corrupt ones, by position, are black."""

    images_NHWC: Images
    corrupt: dict[int, Corrupt]
    fingerprint: str


def load_pixels(
    index: Index, image_size: int, resize: int, cache_dir: Path
) -> Generator[Progress | Remark, None, Pixels]:
    """Return the pixels of all images of the index, decoded at the first call only.

    They are mapped from the disk: that takes no time, the system keeps in memory what fits, and
    several processes share it. Raises UserError where ``cache_dir`` cannot be used or is too
    small.
    """
    try:
        content = yield from fingerprint(index, cache_dir / "fingerprints")
        array_NHWC = index.array_NHWC
        if (
            array_NHWC is not None
            and array_NHWC.shape[1:3] == (resize, resize) == (image_size,) * 2
        ):
            return Pixels(array_NHWC, {}, content)
        settings = {
            "content": content,
            "image_size": image_size,
            "resize": resize,
            "decoder": DECODER_VERSION,
        }
        key = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16).hexdigest()
        folder, recipe = cache_dir / key, Recipe(index, image_size, resize)
        yield from made_once(
            folder,
            "decoded pixels",
            fault=lambda: _fault(folder, settings, recipe.shape),
            make=lambda part: build(recipe, settings, part),
        )
        corrupt = {
            position: Corrupt(index.names[position], why)
            for position, why in read_meta(folder)["corrupt"]
        }
        needed, available = math.prod(recipe.shape), psutil.virtual_memory().available
        if needed > MEMORY_SHARE * available:
            yield Remark(
                f"the pixels take {needed / 1e9:.2f} GB and {available / 1e9:.2f} GB of memory are "
                "available: training may wait for the disk"
            )
        return Pixels(np.load(folder / PIXELS, mmap_mode="r"), corrupt, content)
    except OSError as error:
        raise UserError(
            f"{printable(error.filename or cache_dir)}: {error.strerror or error}; decoded pixels "
            f"are kept in {printable(cache_dir)}: CNN_TUI_CACHE names another folder"
        ) from error


def _fault(folder: Path, settings: dict[str, Any], shape: tuple[int, ...]) -> str | None:
    """Return why the cache cannot be used, or None where it is whole."""
    try:
        meta = read_meta(folder)
        images_NHWC = npy.open_memmap(folder / PIXELS, mode="r")
    except (OSError, ValueError) as error:
        return str(error)
    if meta.get("settings") != settings or "corrupt" not in meta:
        return f"{META} is not of these images"
    if images_NHWC.shape != shape or images_NHWC.dtype != np.uint8:
        return f"{PIXELS} has the shape {images_NHWC.shape}, not {shape}"
    return None
