"""Splits: disjoint, stratified, repeatable, and refused in words where impossible."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from cnn_core.config import Data
from cnn_core.datasets.index import TEST, TRAIN, UNDIVIDED, VAL, Index
from cnn_core.datasets.split import Split, SplitRow, divide, split_table
from cnn_core.errors import UserError


def index_with(*groups: tuple[int, int, int]) -> Index:
    """Return an index of (label, part, count) groups."""
    labels = [label for label, _, count in groups for _ in range(count)]
    parts = [part for _, part, count in groups for _ in range(count)]
    return Index(
        root=Path("nowhere"),
        classes=tuple(f"class{label}" for label in range(max(labels) + 1)),
        labels=np.array(labels, np.int64),
        parts=np.array(parts, np.int8),
        names=tuple(str(i) for i in range(len(labels))),
        array_NHWC=np.zeros((len(labels), 1, 1, 3), np.uint8),
    )


def data(**keys: Any) -> Data:
    return Data(dataset="folder", **keys)


def counts(index: Index, split: Split) -> list[tuple[int, int, int]]:
    return [(row.train, row.val, row.test) for row in split_table(index, split)]


def test_undivided_is_stratified_and_whole() -> None:
    index = index_with((0, UNDIVIDED, 100), (1, UNDIVIDED, 50))
    split = divide(index, data(test_fraction=0.2, val_fraction=0.25))
    assert counts(index, split) == [(60, 20, 20), (30, 10, 10)]
    together = np.concatenate([split.train, split.val, split.test])
    assert sorted(together) == list(range(150))
    for part in (split.train, split.val, split.test):
        assert (np.diff(part) > 0).all()


def test_given_parts_are_kept() -> None:
    index = index_with((0, TRAIN, 10), (0, VAL, 3), (0, TEST, 4), (1, TRAIN, 10), (1, VAL, 2))
    split = divide(index, data())
    assert counts(index, split) == [(10, 3, 4), (10, 2, 0)]


def test_validation_is_scikit_learns_split_of_the_training_images() -> None:
    index = index_with((0, TEST, 5), (0, TRAIN, 31), (1, TRAIN, 20))
    split = divide(index, data(val_fraction=0.5, split_seed=7))
    positions = np.arange(5, 56)
    train, val = train_test_split(
        positions, test_size=0.5, stratify=index.labels[5:], random_state=7
    )
    assert split.train.tolist() == sorted(train)
    assert split.val.tolist() == sorted(val)
    assert split.test.tolist() == list(range(5))


def test_given_validation_without_test() -> None:
    index = index_with((0, TRAIN, 20), (0, VAL, 5))
    assert counts(index, divide(index, data(test_fraction=0.1))) == [(18, 5, 2)]


def test_seeds_repeat_and_differ() -> None:
    index = index_with((0, UNDIVIDED, 50), (1, UNDIVIDED, 50))
    one, same, other = (divide(index, data(split_seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.train, same.train)
    assert not np.array_equal(one.train, other.train)


def test_fractions_of_zero_give_empty_parts() -> None:
    index = index_with((0, UNDIVIDED, 1), (1, UNDIVIDED, 9))
    split = divide(index, data(val_fraction=0.0, test_fraction=0.0))
    assert (len(split.train), len(split.val), len(split.test)) == (10, 0, 0)


def test_impossible_splits() -> None:
    with pytest.raises(UserError, match=r"data\.test_fraction = 0\.2: .* 1 image: 'class1'; add"):
        divide(index_with((0, UNDIVIDED, 9), (1, UNDIVIDED, 1)), data())
    many = index_with(*((label, UNDIVIDED, 2) for label in range(10)))
    with pytest.raises(UserError, match=r"sets aside 4 of 20 images, .* 10 classes; raise it"):
        divide(many, data())
    with pytest.raises(UserError, match=r"data\.val_fraction = 0\.9: leaves 2 of 20 .*; lower it"):
        divide(many, data(test_fraction=0.0, val_fraction=0.9))
    with pytest.raises(UserError, match="no training images"):
        divide(index_with((0, TEST, 9), (0, VAL, 1)), data())


def test_our_check_agrees_with_scikit_learn() -> None:
    for total in range(4, 12):
        for fraction in (0.1, 0.25, 0.3, 0.5, 0.7, 0.9):
            index = index_with((0, TRAIN, total - 2), (1, TRAIN, 2))
            try:
                train_test_split(range(total), test_size=fraction, stratify=index.labels)
            except ValueError:
                with pytest.raises(UserError):
                    divide(index, data(test_fraction=0.0, val_fraction=fraction))
            else:
                divide(index, data(test_fraction=0.0, val_fraction=fraction))


def test_limit_is_stratified_and_nested() -> None:
    index = index_with((0, TRAIN, 60), (1, TRAIN, 30), (0, VAL, 3), (1, VAL, 3), (0, TEST, 90))
    small = divide(index, data(limit=9))
    large = divide(index, data(limit=30))
    assert counts(index, small) == [(6, 3, 9), (3, 3, 0)]
    assert counts(index, large) == [(20, 3, 30), (10, 3, 0)]
    assert set(small.train) <= set(large.train)


def test_table() -> None:
    index = index_with((0, TRAIN, 2), (1, TRAIN, 1), (1, TEST, 4))
    assert split_table(index, divide(index, data(val_fraction=0.0))) == [
        SplitRow(label=0, name="class0", train=2, val=0, test=0),
        SplitRow(label=1, name="class1", train=1, val=0, test=4),
    ]


UNDIVIDED_INDEX = index_with((0, UNDIVIDED, 60), (1, UNDIVIDED, 40), (2, UNDIVIDED, 33))


@pytest.mark.parametrize("fraction", [0.2, 0.31, 0.5])
def test_a_noted_split_is_the_one_drawn_and_needs_no_scikit_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fraction: float
) -> None:
    section = data(split_seed=3, val_fraction=fraction, test_fraction=0.27)
    everything, labels = np.arange(133), UNDIVIDED_INDEX.labels
    rest, test = train_test_split(everything, test_size=0.27, stratify=labels, random_state=3)
    train, val = train_test_split(rest, test_size=fraction, stratify=labels[rest], random_state=3)
    drawn = divide(UNDIVIDED_INDEX, section, tmp_path)
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    for split in (drawn, divide(UNDIVIDED_INDEX, section, tmp_path)):
        assert split.train.tolist() == sorted(train)
        assert split.val.tolist() == sorted(val)
        assert split.test.tolist() == sorted(test)
    with pytest.raises(ImportError):
        divide(UNDIVIDED_INDEX, data(split_seed=4), tmp_path)


def stored(positions: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(positions))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"damaged", b"\x93NUMPY\x01\x00v\x00{(", stored([]), stored([0.5, 1])),
        *(stored(range(60)), stored([0] * 133), stored(range(1, 134)), stored([range(133)])),
    ],
    ids=range(9),
)
def test_a_damaged_note_is_drawn_again(tmp_path: Path, content: bytes) -> None:
    drawn = divide(UNDIVIDED_INDEX, data(), tmp_path)
    for note in (tmp_path / "splits").iterdir():
        note.write_bytes(content)
    assert divide(UNDIVIDED_INDEX, data(), tmp_path).val.tolist() == drawn.val.tolist()
