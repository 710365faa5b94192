"""The data sets by name, and how one of them is opened."""

import dataclasses
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Literal

from cnn_core.config import Data
from cnn_core.datasets.index import Index, NotFoundError
from cnn_core.errors import UserError, printable
from cnn_core.locations import expanded
from cnn_core.progress import Progress
from cnn_core.registry import Registry

DEFAULT_IMAGE_SIZE = 224
"""Side in pixels for data sets whose images have no common size, as ImageNet networks take."""


@dataclasses.dataclass(frozen=True, slots=True)
class Dataset:
    """A family of files that can be read as an Index.

    ``native_size`` is the side in pixels where all images share one; ``how_to_get`` a sentence
    for error messages. ``read(root)`` raises NotFoundError where nothing of the data set is
    below ``root``; ``download(root)`` puts its files there, yielding progress in bytes.
    """

    name: str
    help: str
    native_size: int | None
    classes: int | None
    how_to_get: str
    read: Callable[[Path], Index]
    download: Callable[[Path], Generator[Progress, None, None]] | None = None


DATASETS: Registry[Dataset] = Registry(
    "data set",
    (
        "cnn_core.datasets.digits",
        "cnn_core.datasets.cifar",
        "cnn_core.datasets.caltech",
        "cnn_core.datasets.folder",
    ),
)


def resolved_image_size(data: Data) -> int:
    """Return the side in pixels: ``data.image_size``, else the data set's own, else 224."""
    return data.image_size or DATASETS[data.dataset].native_size or DEFAULT_IMAGE_SIZE


def root_of(data: Data, data_dir: Path) -> Path:
    """Return the data set's folder: ``data.root``, or its name, below ``data_dir``."""
    return data_dir / expanded(data.root or data.dataset)


def state_of(name: str, data_dir: Path) -> tuple[Literal["here", "missing", "unusable"], str]:
    """Return whether a data set can be opened in its default place, and the sentence if not."""
    dataset = DATASETS[name]
    try:
        dataset.read(data_dir / name)
    except NotFoundError:
        return "missing", dataset.how_to_get
    except (UserError, OSError) as error:
        return "unusable", str(error)
    return "here", ""


def open_index(data: Data, data_dir: Path) -> Index:
    """Return what the data set holds, of the classes that ``data.classes`` keeps.

    Raises UserError where the data set is not found, not as it should be, or lacks a class.
    """
    dataset = DATASETS[data.dataset]
    try:
        index = dataset.read(root_of(data, data_dir))
    except NotFoundError as missing:
        places = ", ".join(printable(place) for place in missing.places)
        raise UserError(
            f"data set {data.dataset!r} not found; looked for {places}. {dataset.how_to_get} "
            "Other folders: --data-dir or CNN_TUI_DATA for all data, data.root for this data set"
            f"{_beside(data) or '.'}"
        ) from None
    except OSError as error:
        raise UserError(
            f"data set {data.dataset!r}: cannot read {printable(error.filename)}: {error.strerror}"
        ) from error
    return index.keep_classes(data.classes) if data.classes else index


def _beside(data: Data) -> str:
    """Return what somebody may mean whose root is a folder seen from the current one."""
    if data.root and (here := expanded(data.root).absolute()).is_dir():
        return f"; did you mean data.root={printable(here)}?"
    return ""


def count_classes(data: Data, data_dir: Path) -> int:
    """Return the number of classes, without the data where it is known.

    Raises UserError where the data must be looked at and can't be.
    """
    known = len(data.classes) if data.classes else DATASETS[data.dataset].classes
    return known if known is not None else len(open_index(data, data_dir).classes)
