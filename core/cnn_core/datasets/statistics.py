"""Mean and standard deviation of the pixels, channel by channel."""

import hashlib
import json
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_core.datasets.index import Images, Positions
from cnn_core.files import write_text_atomically
from cnn_core.progress import Progress

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of RGB in 0..1, as torchvision's ImageNet weights expect them."""

CHUNK_BYTES = 300_000
EXACT_ROWS = 258
"""Squares of this many bytes add up to less than 2**24, so float32 sums of them are exact."""

Channels = NDArray[np.float32]


def mean_and_std(
    images_NHWC: Images, train: Positions, normalize: str, cache: Path | None = None
) -> Generator[Progress, None, tuple[Channels, Channels]]:
    """Return mean and deviation (3,), of pixels in 0..1, that ``data.normalize`` asks for.

    "dataset" measures the images at the positions ``train``, once for a folder ``cache`` of
    these images; "none" is mean 0, deviation 1.
    """
    if normalize == "dataset" and cache is not None:
        return (yield from _measure_once(images_NHWC, train, cache))
    if normalize == "dataset":
        return (yield from _measure(images_NHWC, train))
    mean, std = {
        "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
        "half": ((0.5,) * 3, (0.5,) * 3),
        "none": ((0.0,) * 3, (1.0,) * 3),
    }[normalize]
    return np.array(mean, np.float32), np.array(std, np.float32)


def _measure_once(
    images_NHWC: Images, train: Positions, cache: Path
) -> Generator[Progress, None, tuple[Channels, Channels]]:
    digest = hashlib.blake2b(train.astype("<i8").tobytes(), digest_size=16).hexdigest()
    memo = cache / f"mean-and-std-{digest}.json"
    with suppress(OSError, ValueError, TypeError):  # not yet there, or damaged: measured
        known = np.array(json.loads(memo.read_bytes()), np.float32)
        if known.shape == (2, images_NHWC.shape[3]) and np.isfinite(known).all():
            return known[0], known[1]
    mean, std = yield from _measure(images_NHWC, train)
    with suppress(OSError):  # a cache that is only for reading saves no time here, that is all
        write_text_atomically(memo, json.dumps([mean.tolist(), std.tolist()]), sync=False)
    return mean, std


def _measure(
    images_NHWC: Images, train: Positions
) -> Generator[Progress, None, tuple[Channels, Channels]]:
    """Return the population's mean and deviation, from exact sums; a constant has deviation 1."""
    _, height, width, channels = images_NHWC.shape
    step = max(1, CHUNK_BYTES // (height * width * channels))
    sums, squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, len(train), step):
        chunk_sums, chunk_squares = _sums(images_NHWC[train[start : start + step]])
        sums += chunk_sums
        squares += chunk_squares
        yield Progress("measuring images", min(start + step, len(train)), len(train))
    count = len(train) * height * width
    moments = [(int(s), int(q)) for s, q in zip(sums, squares, strict=True)]
    mean = np.array([s / (255 * count) for s, _ in moments])
    # Integers of any size keep the difference of the two large terms exact.
    std = np.array([(count * q - s * s) ** 0.5 / (255 * count) for s, q in moments])
    return mean.astype(np.float32), np.where(std > 0, std, 1).astype(np.float32)


def _sums(images_NHWC: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sum and sum of squares of each channel: whole numbers, exact below 2**53.

    Products with a vector of ones, on blocks that fit a core's cache: 3 times as fast as
    integer sums or histograms.
    """
    _, _, width, channels = images_NHWC.shape
    rows = images_NHWC.reshape(-1, width * channels)
    sums, squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, len(rows), EXACT_ROWS):
        block = rows[start : start + EXACT_ROWS].astype(np.float32)
        ones = np.ones(len(block), np.float32)
        sums += (ones @ block).reshape(-1, channels).sum(axis=0, dtype=np.float64)
        block *= block
        squares += (ones @ block).reshape(-1, channels).sum(axis=0, dtype=np.float64)
    return sums, squares
