"""Scikit-learn's handwritten digits: 1,797 images of 8x8 pixels, always at hand."""

from pathlib import Path

import numpy as np

from cnn_core.datasets.catalog import DATASETS, Dataset
from cnn_core.datasets.index import UNDIVIDED, Index

GREY_LEVELS = 16


def read(root: Path) -> Index:
    """Return the digits, grey levels 0..16 scaled to 0..255; nothing is read from ``root``."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey_NHW = np.rint(digits.images * (255 / GREY_LEVELS)).astype(np.uint8)
    return Index(
        root=root,
        classes=tuple(str(digit) for digit in digits.target_names),
        labels=digits.target.astype(np.int64),
        parts=np.full(len(grey_NHW), UNDIVIDED, np.int8),
        names=tuple(f"digits:{i}" for i in range(len(grey_NHW))),
        array_NHWC=np.repeat(grey_NHW[..., None], 3, axis=3),
    )


DATASETS.add(
    "digits",
    Dataset(
        name="digits",
        help="1,797 handwritten digits of 8x8 pixels, part of scikit-learn: no download",
        native_size=8,
        classes=10,
        how_to_get="It comes with scikit-learn.",
        read=read,
    ),
)
