"""From the ``[data]`` section of a preset to arrays that are ready to train on."""

import dataclasses
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_core.config import Data
from cnn_core.datasets.catalog import open_index, resolved_image_size
from cnn_core.datasets.decode import Corrupt
from cnn_core.datasets.duplicates import duplicates_told
from cnn_core.datasets.index import Images, Index, Positions
from cnn_core.datasets.pixels import load_pixels
from cnn_core.datasets.split import Split, divide
from cnn_core.datasets.statistics import mean_and_std
from cnn_core.datasets.whole import WholeImages, load_whole
from cnn_core.errors import UserError, printable
from cnn_core.progress import Progress, Remark

NAMES_SHOWN = 10


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """N images of S x S pixels, their classes and their split.

    ``train``, ``val`` and ``test`` are sorted positions, without the ``corrupt`` images, which
    are black in ``images_NHWC``. ``mean`` and ``std`` (3,) are of pixels scaled to 0..1.
    ``fingerprint`` is a digest of names and contents. ``whole`` has the training images before
    they are cropped, where ``data.whole`` asks for them.
    """

    classes: tuple[str, ...]
    images_NHWC: Images
    labels: NDArray[np.int64]
    train: Positions
    val: Positions
    test: Positions
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    names: tuple[str, ...]
    fingerprint: str
    corrupt: tuple[Corrupt, ...]
    whole: WholeImages | None


def prepare(
    data: Data, data_dir: Path, cache_dir: Path
) -> Generator[Progress | Remark, None, Prepared]:
    """Read, split, decode and measure a data set; return it when the generator ends.

    Raises UserError for a data set that is missing or malformed, for impossible splits and
    sizes, for corrupt images (unless ``data.on_corrupt`` is "skip") and for a disk too small.
    """
    image_size = resolved_image_size(data)
    resize = data.resize or image_size
    if resize < image_size:
        raise UserError(f"data.resize: {resize} is below the image size, {image_size}")
    index = open_index(data, data_dir)
    split = divide(index, data, cache_dir)
    if data.limit is not None:  # the rest need not be decoded
        index, split = _only_used(index, split)
    pixels = yield from load_pixels(index, image_size, resize, cache_dir)
    split = yield from _without(split, pixels.corrupt, data)
    corrupt, whole = pixels.corrupt, None
    if data.whole:
        whole, late = yield from load_whole(
            index, split.train, resize, pixels.fingerprint, cache_dir
        )
        split = yield from _without(split, late, data)
        corrupt |= late
    yield from duplicates_told(index, split, pixels.same)
    mean, std = yield from mean_and_std(
        pixels.images_NHWC, split.train, data.normalize, pixels.folder
    )
    return Prepared(
        classes=index.classes,
        images_NHWC=pixels.images_NHWC,
        labels=index.labels,
        train=split.train,
        val=split.val,
        test=split.test,
        mean=mean,
        std=std,
        names=index.names,
        fingerprint=pixels.fingerprint,
        corrupt=tuple(corrupt.values()),
        whole=whole,
    )


def _only_used(index: Index, split: Split) -> tuple[Index, Split]:
    used = np.sort(np.concatenate([split.train, split.val, split.test]))
    new = Split(
        train=np.searchsorted(used, split.train),
        val=np.searchsorted(used, split.val),
        test=np.searchsorted(used, split.test),
    )
    return index.take(used), new


def _without(
    split: Split, corrupt: dict[int, Corrupt], data: Data
) -> Generator[Remark, None, Split]:
    """Return the split without the corrupt images, which are told."""
    if not corrupt:
        return split
    yield _corrupt_remark(corrupt, data)
    left_out = np.array(sorted(corrupt), np.int64)
    split = Split(
        train=np.setdiff1d(split.train, left_out),
        val=np.setdiff1d(split.val, left_out),
        test=np.setdiff1d(split.test, left_out),
    )
    if not len(split.train):
        raise UserError(f"data set {data.dataset!r}: every training image is corrupt")
    return split


def _corrupt_remark(corrupt: dict[int, Corrupt], data: Data) -> Remark:
    """Return a warning that names the corrupt images; raise UserError if it is to be an error."""
    shown = "; ".join(
        f"{printable(image.name)} ({printable(image.why)})"
        for image in list(corrupt.values())[:NAMES_SHOWN]
    )
    more = f"; and {len(corrupt) - NAMES_SHOWN} more" if len(corrupt) > NAMES_SHOWN else ""
    images = "1 corrupt image" if len(corrupt) == 1 else f"{len(corrupt)} corrupt images"
    if data.on_corrupt == "error":
        raise UserError(f'{images}: {shown}{more}. Replace them, or set data.on_corrupt = "skip"')
    return Remark(f"{images} skipped: {shown}{more}", warning=True)
