"""Decoded images on the disk: made once, opened at once afterwards.

A cache is a folder ``<key>`` with ``pixels.npy`` and ``meta.json``, and later what is measured of
the pixels.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.lib import format as npy

from cnn_core.arrays import BROKEN_ARRAY
from cnn_core.datasets.build import PIXELS, Recipe, build
from cnn_core.datasets.index import Images
from cnn_core.errors import UserError, first_line, is_of_process, printable
from cnn_core.made_once import META, made_once, read_meta, size_text
from cnn_core.progress import Progress, Remark

MEMORY_SHARE = 0.5
"""Pixels above this share of the available memory bring a warning that the disk may be slow."""

Making = Generator[Progress | Remark, None, Recipe]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """The pixels, mapped from the disk, what meta.json tells of them, and where they are."""

    pixels: Images
    meta: dict[str, Any]
    folder: Path


def cached(
    settings: dict[str, Any], cache_dir: Path, recipe: Callable[[], Making]
) -> Generator[Progress | Remark, None, Cached]:
    """Return the cache of these settings, built by the ``recipe`` where there is none.

    Its pixels are mapped: that takes no time, the system keeps in memory what fits, and several
    processes share it.
    """
    key = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16).hexdigest()
    folder = cache_dir / key

    def make(part: Path) -> Generator[Progress | Remark, None, None]:
        yield from build((yield from recipe()), settings, part)

    yield from made_once(
        folder, "decoded pixels", fault=lambda: _fault(folder, settings), make=make
    )
    pixels = np.load(folder / PIXELS, mmap_mode="r")
    available = psutil.virtual_memory().available
    if pixels.nbytes > MEMORY_SHARE * available:
        yield Remark(
            f"the pixels take {size_text(pixels.nbytes)} and {size_text(available)} of memory are "
            "available: training may wait for the disk"
        )
    return Cached(pixels, read_meta(folder), folder)


@contextmanager
def disk_told(cache_dir: Path) -> Iterator[None]:
    """Raise UserError where the block fails because ``cache_dir`` cannot be used."""
    try:
        yield
    except OSError as error:
        if is_of_process(error):
            raise
        raise UserError(
            f"{printable(error.filename or cache_dir)}: {error.strerror or error}; decoded pixels "
            f"are kept in {printable(cache_dir)}: CNN_TUI_CACHE names another folder"
        ) from error


def _fault(folder: Path, settings: dict[str, Any]) -> str | None:
    """Return why the cache cannot be used, or None where it is whole."""
    try:
        meta = read_meta(folder)
        pixels = npy.open_memmap(folder / PIXELS, mode="r")
    except BROKEN_ARRAY as error:
        return first_line(error)
    if meta.get("settings") != settings or "corrupt" not in meta:
        return f"{META} is not of these images"
    if list(pixels.shape) != meta.get("shape") or pixels.dtype != np.uint8:
        return f"{PIXELS} has the shape {list(pixels.shape)}, not {meta.get('shape')}"
    return None
