"""The decoded pixels of a data set: made once, kept on the disk, opened at once afterwards.

A cache is a folder ``<key>`` with ``pixels.npy`` and ``meta.json``, and later what is measured of
the pixels. It is made as ``<key>.part``
by whoever holds ``<key>.lock``, and renamed when it is whole. A lock ends with its process.
"""

import dataclasses
import hashlib
import json
import math
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import psutil
from numpy.lib import format as npy

from cnn_core.datasets.build import META, PIXELS, Recipe, build
from cnn_core.datasets.decode import DECODER_VERSION, Corrupt
from cnn_core.datasets.fingerprint import fingerprint
from cnn_core.datasets.index import Images, Index
from cnn_core.errors import UserError, printable
from cnn_core.progress import Progress, Remark

MEMORY_SHARE = 0.5
"""Pixels above this share of the available memory bring a warning that the disk may be slow."""

LOCK_POLL_S = 0.2


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Images (N,S,S,3); the corrupt ones, by position, are black.

    ``folder`` holds them, and what else is to be kept of them; None where nothing was decoded.
    """

    images_NHWC: Images
    corrupt: dict[int, Corrupt]
    fingerprint: str
    folder: Path | None


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
            return Pixels(array_NHWC, {}, content, None)
        settings = {
            "content": content,
            "image_size": image_size,
            "resize": resize,
            "decoder": DECODER_VERSION,
        }
        key = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16).hexdigest()
        folder, recipe = cache_dir / key, Recipe(index, image_size, resize)
        if _fault(folder, settings, recipe.shape):
            yield from _build_once(folder, settings, recipe)
        corrupt = {
            position: Corrupt(index.names[position], why)
            for position, why in json.loads((folder / META).read_bytes())["corrupt"]
        }
        needed, available = math.prod(recipe.shape), psutil.virtual_memory().available
        if needed > MEMORY_SHARE * available:
            yield Remark(
                f"the pixels take {needed / 1e9:.2f} GB and {available / 1e9:.2f} GB of memory are "
                "available: training may wait for the disk"
            )
        return Pixels(np.load(folder / PIXELS, mmap_mode="r"), corrupt, content, folder)
    except OSError as error:
        raise UserError(
            f"{printable(error.filename or cache_dir)}: {error.strerror or error}; decoded pixels "
            f"are kept in {printable(cache_dir)}: CNN_TUI_CACHE names another folder"
        ) from error


def _fault(folder: Path, settings: dict[str, Any], shape: tuple[int, ...]) -> str | None:
    """Return why the cache cannot be used, or None where it is whole."""
    try:
        meta = json.loads((folder / META).read_bytes())
        images_NHWC = npy.open_memmap(folder / PIXELS, mode="r")
    except (OSError, ValueError) as error:
        return str(error)
    if not isinstance(meta, dict) or meta.get("settings") != settings or "corrupt" not in meta:
        return f"{META} is not of these images"
    if images_NHWC.shape != shape or images_NHWC.dtype != np.uint8:
        return f"{PIXELS} has the shape {images_NHWC.shape}, not {shape}"
    return None


def _build_once(
    folder: Path, settings: dict[str, Any], recipe: Recipe
) -> Generator[Progress | Remark, None, None]:
    """Build the cache, or wait while another process does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_parts_of_the_dead(folder.parent)
    # Not bound to a thread: a generator may be closed by another one than ran it.
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"), thread_local=False)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=LOCK_POLL_S)
        except filelock.Timeout:
            yield Progress("waiting for another process that decodes these images", 0, 0)
    try:
        if not (why := _fault(folder, settings, recipe.shape)):
            return
        if folder.exists():
            yield Remark(
                f"the decoded pixels in {printable(folder)} are damaged ({printable(why)}); "
                "they are made again",
                warning=True,
            )
            shutil.rmtree(folder)
        yield from build(recipe, settings, folder)
    finally:
        lock.release()


def _remove_parts_of_the_dead(cache_dir: Path) -> None:
    """Remove what builders left that were killed: the parts whose lock nobody holds."""
    for part in cache_dir.glob("*.part"):
        lock = filelock.FileLock(part.with_suffix(".lock"))
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(part)
        except filelock.Timeout:
            continue
