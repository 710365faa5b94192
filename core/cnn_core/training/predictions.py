"""Logits of many images, kept in a file with all that is needed to judge them."""

import dataclasses
import errno
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_core.arrays import BROKEN_ARRAY
from cnn_core.errors import UserError, printable
from cnn_core.files import Stamp, write_atomically
from cnn_core.regular_files import open_regular


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a network says of N images.

    ``logits`` (N, classes) are float32; ``labels`` (N,) int64 are positions in ``classes``;
    ``names`` are those of the images, unique in their data set.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    classes: tuple[str, ...]


def predictions_path(run_dir: Path, split: str, checkpoint: str) -> Path:
    """Return where a run keeps the predictions of a checkpoint on a part of its images."""
    name = split if (split, checkpoint) == ("test", "best") else f"{split}-{checkpoint}"
    return run_dir / "predictions" / f"{name}.npz"


def save_predictions(path: Path, predictions: Predictions, stamp: Stamp | None) -> None:
    """Write the file, whole or not at all; ``stamp`` tells the checkpoint they are of.

    Raises OSError where it can't be written, or its folder is a link to another one.
    """
    path.parent.mkdir(exist_ok=True)
    if path.parent.is_symlink():
        why = "its folder is a link, through which nothing is written"
        raise OSError(errno.ELOOP, why, str(path))
    write_atomically(
        path,
        lambda file: np.savez(
            file,
            logits=predictions.logits,
            labels=predictions.labels,
            names=np.array(predictions.names, np.str_),
            classes=np.array(predictions.classes, np.str_),
            stamp=np.array(stamp or [], np.int64),
        ),
    )


def load_predictions(path: Path) -> tuple[Predictions, Stamp | None]:
    """Return the predictions of a file, and the stamp of their checkpoint where it has one.

    FileNotFoundError: there is none. UserError: it is damaged.
    """
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as kept:
            found = Predictions(
                np.asarray(kept["logits"], np.float32),
                np.asarray(kept["labels"], np.int64),
                tuple(kept["names"].tolist()),
                tuple(kept["classes"].tolist()),
            )
            stamp = kept["stamp"].tolist() if "stamp" in kept.files else []
    except FileNotFoundError:
        raise
    except BROKEN_ARRAY as error:
        raise UserError(f"{printable(path)}: damaged, or no file of predictions") from error
    count, classes = len(found.names), len(found.classes)
    if found.logits.shape != (count, classes) or found.labels.shape != (count,):
        raise UserError(f"{printable(path)}: damaged: its parts do not fit together")
    if count and not 0 <= found.labels.min() <= found.labels.max() < classes:
        raise UserError(f"{printable(path)}: damaged: a label that is no class")
    return found, stamp or None
