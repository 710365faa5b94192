"""Which images train, validate and test: disjoint, stratified by class, repeatable."""

import contextlib
import dataclasses
import hashlib
import math
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnn_core.arrays import BROKEN_ARRAY
from cnn_core.config import Data
from cnn_core.datasets.index import TEST, VAL, Index, Positions
from cnn_core.errors import UserError, printable
from cnn_core.files import write_atomically


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Sorted positions of the images of each part."""

    train: Positions
    val: Positions
    test: Positions


@dataclasses.dataclass(frozen=True, slots=True)
class SplitRow:
    """Images of one class in each part; ``label`` counts from 0."""

    label: int
    name: str
    train: int
    val: int
    test: int


def divide(index: Index, data: Data, cache_dir: Path | None = None) -> Split:
    """Split the images; what the data set divides itself stays as it is.

    Without a test part, ``data.test_fraction`` of the images that no part has claimed is set
    aside first; without a validation part, ``data.val_fraction`` of the training images. Both
    are drawn by scikit-learn's ``train_test_split``, stratified, with ``data.split_seed``. At
    most ``data.limit`` images of each part are kept. What was drawn is noted in ``cache_dir``, if
    given. Raises UserError where a class is too small to be split, or nothing is left to train on.
    """
    val = np.flatnonzero(index.parts == VAL)
    test = np.flatnonzero(index.parts == TEST)
    train = np.flatnonzero((index.parts != VAL) & (index.parts != TEST))
    if not len(test):
        train, test = _set_aside(index, train, "test_fraction", data, cache_dir)
    if not len(val):
        train, val = _set_aside(index, train, "val_fraction", data, cache_dir)
    if not len(train):
        raise UserError(f"data set {data.dataset!r}: no training images are left by the split")
    if data.limit is not None:
        train, val, test = (
            _limited(index, part, data.limit, data.split_seed) for part in (train, val, test)
        )
    return Split(train=np.sort(train), val=np.sort(val), test=np.sort(test))


def split_table(index: Index, split: Split) -> list[SplitRow]:
    """Return the number of images of each class in each part, in the order of labels."""
    counts = [
        np.bincount(index.labels[part], minlength=len(index.classes)).tolist()
        for part in (split.train, split.val, split.test)
    ]
    return [
        SplitRow(label, name, *row)
        for label, (name, row) in enumerate(
            zip(index.classes, zip(*counts, strict=True), strict=True)
        )
    ]


def _set_aside(
    index: Index,
    positions: Positions,
    key: Literal["test_fraction", "val_fraction"],
    data: Data,
    cache_dir: Path | None,
) -> tuple[Positions, Positions]:
    """Return the positions that stay, and the fraction of them that is set aside."""
    fraction = getattr(data, key)
    if fraction == 0 or not len(positions):
        return positions, positions[:0]
    _check_sizes(index, positions, key, fraction)
    stay, aside = _drawn(index.labels[positions], fraction, data.split_seed, cache_dir)
    return positions[stay], positions[aside]


def _drawn(
    labels: NDArray[np.int64], fraction: float, seed: int, cache_dir: Path | None
) -> tuple[Positions, Positions]:
    """Return what scikit-learn's train_test_split makes of images with these labels.

    It is noted, since importing scikit-learn takes longer than all else before the first step.
    """
    settings = f"{version('scikit-learn')} {fraction!r} {seed} ".encode()
    name = hashlib.blake2b(settings + labels.tobytes(), digest_size=16).hexdigest()
    note = None if cache_dir is None else cache_dir / "splits" / f"{name}.npy"
    if note is not None and note.is_file():
        with contextlib.suppress(*BROKEN_ARRAY):  # drawn again
            noted: Positions = np.load(note)
            if np.array_equal(np.sort(noted), np.arange(len(labels))):
                return _parted(noted, fraction)
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(labels))
    parts = train_test_split(everything, test_size=fraction, stratify=labels, random_state=seed)
    order = np.concatenate(parts)
    if note is not None:
        with contextlib.suppress(OSError):  # a folder that can't be written is told of later
            note.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(note, lambda file: np.save(file, order), sync=False)
    return _parted(order, fraction)


def _parted(order: Positions, fraction: float) -> tuple[Positions, Positions]:
    aside = math.ceil(len(order) * fraction)
    return order[:-aside], order[-aside:]


def _check_sizes(index: Index, positions: Positions, key: str, fraction: float) -> None:
    """Raise UserError where ``train_test_split`` could not stratify, in the user's terms."""
    counts = np.bincount(index.labels[positions], minlength=len(index.classes))
    if small := np.flatnonzero(counts == 1).tolist():
        shown = ", ".join(f"'{printable(index.classes[label])}'" for label in small[:10])
        more = f" and {len(small) - 10} more" if len(small) > 10 else ""
        raise UserError(
            f"data.{key} = {fraction}: cannot split a class of 1 image: {shown}{more}; "
            f"add images, leave the class out with data.classes, or set data.{key} = 0"
        )
    classes, total = int((counts > 0).sum()), len(positions)
    aside = math.ceil(total * fraction)
    if min(aside, total - aside) < classes:
        which, change = ("sets aside", "raise") if aside < classes else ("leaves", "lower")
        raise UserError(
            f"data.{key} = {fraction}: {which} {min(aside, total - aside)} of {total} images, too "
            f"few for one of each of the {classes} classes; {change} it, or set it to 0"
        )


def _limited(index: Index, positions: Positions, limit: int, seed: int) -> Positions:
    """Return at most ``limit`` positions, about the same share of each class, at random.

    The k-th image of a class of n is ranked (k + 1/2) / n, and the first ranks are kept.
    """
    if len(positions) <= limit:
        return positions
    shuffled = np.random.default_rng(seed).permutation(positions)
    labels = index.labels[shuffled]
    rank = np.empty(len(shuffled))
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        rank[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    return shuffled[np.argsort(rank, kind="stable")[:limit]]
