"""Training images as large as they are, for crops that are drawn from all of an image."""

import dataclasses
import hashlib
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_core.datasets.cache import Making, cached, disk_told
from cnn_core.datasets.decode import DECODER_VERSION, Corrupt, decode_whole, whole_bytes
from cnn_core.datasets.index import Images, Index, Positions
from cnn_core.datasets.parallel import map_in_order
from cnn_core.progress import Progress, Remark

LARGEST_SHORT = 2
"""Images whose shorter side is above so many times ``data.resize`` are scaled down to that."""

FILES_A_TASK = 64


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class WholeImages:
    """Images of any sizes, one after another in ``pixels``, uint8 (bytes,).

    Each lies as (height, width, 3) from its place in ``offsets`` (N,) int64 on; ``sizes`` (N, 2)
    int64 are (height, width), and 0 for the images of the data set that are not kept.
    """

    pixels: Images
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]


def load_whole(
    index: Index, kept: Positions, resize: int, content: str, cache_dir: Path
) -> Generator[Progress | Remark, None, tuple[WholeImages, dict[int, Corrupt]]]:
    """Return the images at the positions ``kept``, and those of them that turned out corrupt.

    ``content`` is the fingerprint of the index. Raises UserError where ``cache_dir`` cannot be
    used or is too small.
    """
    if index.array_NHWC is not None:
        return _of_array(index.array_NHWC), {}
    settings = {
        "content": content,
        "whole": hashlib.blake2b(kept.astype("<i8").tobytes(), digest_size=16).hexdigest(),
        "largest_short": LARGEST_SHORT * resize,
        "decoder": DECODER_VERSION,
    }
    chosen = index.take(kept)

    def recipe() -> Making:
        return (yield from _measured(chosen, LARGEST_SHORT * resize))

    with disk_told(cache_dir):
        found = yield from cached(settings, cache_dir, recipe)
    sizes = np.zeros((len(index), 2), np.int64)
    sizes[kept] = found.meta["sizes"]
    offsets = np.zeros(len(index), np.int64)
    offsets[kept] = found.meta["offsets"][:-1]
    corrupt = {
        int(kept[row]): Corrupt(chosen.names[row], why) for row, why in found.meta["corrupt"]
    }
    return WholeImages(found.pixels, offsets, sizes), corrupt


def whole_at(index: Index, position: int, largest_short: int) -> Images | Corrupt:
    """Return one image as it is kept, uint8 (height, width, 3), or why it can't be."""
    if index.array_NHWC is not None:
        image_HWC: Images = index.array_NHWC[position]
        return image_HWC
    assert index.files is not None
    return decode_whole(index.files[position], index.names[position], largest_short)


def gathered(images: Sequence[Images]) -> WholeImages:
    """Return images of any sizes, each (height, width, 3), as one array."""
    ends = np.cumsum([0, *(image_HWC.size for image_HWC in images)], dtype=np.int64)
    return WholeImages(
        pixels=np.concatenate([image_HWC.reshape(-1) for image_HWC in images]),
        offsets=ends[:-1],
        sizes=np.array([image_HWC.shape[:2] for image_HWC in images], np.int64),
    )


def _of_array(array_NHWC: Images) -> WholeImages:
    count, height, width, channels = array_NHWC.shape
    return WholeImages(
        pixels=array_NHWC.reshape(-1),
        offsets=np.arange(count) * (height * width * channels),
        sizes=np.tile(np.array([height, width]), (count, 1)),
    )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """The recipe: all images of an index of files."""

    index: Index
    largest_short: int
    offsets: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int]:
        return (int(self.offsets[-1]),)

    @property
    def what(self) -> str:
        return f"{len(self.index):,} whole training images"

    def decode_at(self, position: int) -> Images | Corrupt:
        return whole_at(self.index, position, self.largest_short)


def _measured(index: Index, largest_short: int) -> Making:
    """Return the recipe, once the headers of all files have told how large the images are."""
    files = index.files or ()
    tasks = (files[start : start + FILES_A_TASK] for start in range(0, len(files), FILES_A_TASK))
    sizes: list[int] = []
    for some in map_in_order(lambda task: [whole_bytes(f, largest_short) for f in task], tasks):
        sizes += some
        yield Progress("measuring files", len(sizes), len(files))
    return _Whole(index, largest_short, np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]))
