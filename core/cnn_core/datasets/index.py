"""What a data set holds, before any pixel is decoded."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_core.errors import UserError, did_you_mean, printable

Images = NDArray[np.uint8]
Positions = NDArray[np.int64]

TRAIN, VAL, TEST, UNDIVIDED = range(4)
"""The part of the data set's own split that an image belongs to, if it has such a split."""


class NotFoundError(Exception):
    """The files of a data set are in none of ``places``."""

    def __init__(self, *places: Path) -> None:
        super().__init__(*places)
        self.places = places


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Index:
    """N images with their classes; exactly one of ``files`` and ``array_NHWC`` is there.

    ``labels`` (N,) are positions in ``classes``; ``parts`` (N,) hold TRAIN, VAL, TEST or
    UNDIVIDED; ``names`` are unique and, for files, relative to ``root`` with "/" between.
    """

    root: Path
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    parts: NDArray[np.int8]
    names: tuple[str, ...]
    files: tuple[Path, ...] | None = None
    array_NHWC: Images | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def take(self, positions: NDArray[Any]) -> "Index":
        """Return the images at ``positions``, in that order, of the same classes."""
        files, array_NHWC = self.files, self.array_NHWC
        return dataclasses.replace(
            self,
            labels=self.labels[positions],
            parts=self.parts[positions],
            names=tuple(self.names[i] for i in positions),
            files=None if files is None else tuple(files[i] for i in positions),
            array_NHWC=None if array_NHWC is None else array_NHWC[positions],
        )

    def keep_classes(self, wanted: Sequence[str]) -> "Index":
        """Return the images of the ``wanted`` classes, labelled in the order wanted.

        Raises UserError with the nearest name for a class that is not there.
        """
        label_of = {name: label for label, name in enumerate(self.classes)}
        for name in wanted:
            if name not in label_of:
                raise UserError(
                    f"data.classes: unknown class '{printable(name)}'"
                    + printable(did_you_mean(name, self.classes))
                )
        new_labels = np.full(len(self.classes), -1, np.int64)
        for new, name in enumerate(wanted):
            new_labels[label_of[name]] = new
        kept = self.take(np.flatnonzero(new_labels[self.labels] >= 0))
        return dataclasses.replace(kept, classes=tuple(wanted), labels=new_labels[kept.labels])


def index_of_files(
    root: Path,
    classes: Sequence[str],
    names: Sequence[str],
    labels: Sequence[int],
    parts: Sequence[int],
) -> Index:
    """Return the index of the image files ``names``, given relative to ``root``."""
    return Index(
        root=root,
        classes=tuple(classes),
        labels=np.array(labels, np.int64),
        parts=np.array(parts, np.int8),
        names=tuple(names),
        files=tuple(root / name for name in names),
    )
