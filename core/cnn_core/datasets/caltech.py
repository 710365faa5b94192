"""Caltech-101 and Caltech-256: a folder for each class, perhaps with train.txt and test.txt."""

import functools
import re
from pathlib import Path

from cnn_core.datasets.catalog import DATASETS, Dataset
from cnn_core.datasets.image_files import folders_in, index_of_folders, index_of_lists
from cnn_core.datasets.index import UNDIVIDED, Index, NotFoundError

CLUTTER = frozenset({"BACKGROUND_Google", "257.clutter"})
"""Folders of images that belong to no class."""


def read(image_folder: str, root: Path) -> Index:
    """Return the images of ``root/image_folder``, or of ``root`` itself, without the clutter.

    Classes are in the order of their folders' names regardless of case: Caltech-101 counts
    accordion, airplanes, ..., and Caltech-256 keeps the order of its own numbers.
    """
    if not root.is_dir():
        raise NotFoundError(root / image_folder, root)
    images = root / image_folder if (root / image_folder).is_dir() else root
    folders = sorted(set(folders_in(images)) - CLUTTER, key=str.casefold)
    if not folders:
        raise NotFoundError(root / image_folder, root)
    classes = [re.sub(r"^\d{3}\.", "", folder) for folder in folders]
    if (root / "train.txt").is_file():
        return index_of_lists(root, images, folders, classes, CLUTTER)
    return index_of_folders(images, folders, classes, UNDIVIDED)


def _add(name: str, classes: int, image_folder: str, images: str, record: str) -> None:
    entry = Dataset(
        name=name,
        help=f"{images} photographs of {classes} kinds of things; train.txt, test.txt if there",
        native_size=None,
        classes=classes,
        how_to_get=f"Download it from https://data.caltech.edu/records/{record} and unpack it so "
        f"that {name}/{image_folder} is in the data folder.",
        read=functools.partial(read, image_folder),
    )
    DATASETS.add(name, entry)


_add("caltech101", 101, "101_ObjectCategories", "8,677", "mzrjq-6wc02")
_add("caltech256", 256, "256_ObjectCategories", "29,780", "nyy15-4j048")
