"""Images that are in a data set more than once: what they do to its figures."""

from collections.abc import Iterator

import numpy as np

from cnn_core.datasets.index import Index
from cnn_core.datasets.split import Split
from cnn_core.errors import printable
from cnn_core.progress import Remark

_NOWHERE, _TRAIN = -1, 0
_HELD_OUT = {1: "validation", 2: "test"}


def duplicates_told(
    index: Index, split: Split, same: tuple[tuple[int, ...], ...]
) -> Iterator[Remark]:
    """Yield a warning for images held out that train too, and one for images in several classes.

    ``same`` are the positions of files whose bytes are the same.
    """
    if not same:
        return
    part = np.full(len(index), _NOWHERE)
    for number, held in enumerate((split.train, split.val, split.test)):
        part[held] = number
    leaked = dict.fromkeys(_HELD_OUT, 0)
    told_apart: list[tuple[int, int]] = []
    leak: tuple[int, int] | None = None
    for positions in same:
        used = [position for position in positions if part[position] != _NOWHERE]
        trained = [position for position in used if part[position] == _TRAIN]
        for position in used if trained else ():
            if part[position] != _TRAIN:
                leaked[int(part[position])] += 1
                leak = leak or (position, trained[0])
        labels = {int(index.labels[position]): position for position in used}
        if len(labels) > 1:
            first, second, *_ = labels.values()
            told_apart.append((first, second))
    if leak is not None:
        sizes = {1: len(split.val), 2: len(split.test)}
        counts = [
            f"{count:,} of {sizes[number]:,} {_HELD_OUT[number]} images"
            for number, count in leaked.items()
            if count
        ]
        yield Remark(
            f"{' and '.join(counts)} are training images too, byte for byte ({_pair(index, leak)}):"
            " accuracy on them tells nothing of new images",
            warning=True,
        )
    if told_apart:
        count = len(told_apart)
        images = "1 image is" if count == 1 else f"{count:,} images are"
        yield Remark(
            f"{images} in more than one class, byte for byte ({_pair(index, told_apart[0])})",
            warning=True,
        )


def _pair(index: Index, positions: tuple[int, int]) -> str:
    one, other = (f"'{printable(index.names[position])}'" for position in positions)
    return f"such as {one} and {other}"
