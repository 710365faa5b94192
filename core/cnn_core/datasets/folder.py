"""Any images: a folder for each class, with or without a split of their own."""

from pathlib import Path

from cnn_core.datasets.catalog import DATASETS, Dataset
from cnn_core.datasets.image_files import (
    folders_in,
    images_of_classes,
    index_of_folders,
    index_of_lists,
)
from cnn_core.datasets.index import (
    TEST,
    TRAIN,
    UNDIVIDED,
    VAL,
    Index,
    NotFoundError,
    index_of_files,
)
from cnn_core.errors import UserError, did_you_mean, printable

PARTS = {"train": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "test": TEST}


def read(root: Path) -> Index:
    """Return the images of ``root``, in the first layout that fits.

    ``train/``, ``test/`` and perhaps ``val/`` with a folder for each class in them; or a folder
    for each class, listed in train.txt and test.txt or not. Classes are in the order of
    ``sorted()``, as in torchvision's ImageFolder.
    """
    if not root.is_dir():
        raise NotFoundError(root)
    folders = folders_in(root)
    if not folders:
        raise UserError(f"{printable(root)}: no folders; expected one for each class")
    if is_divided(root):
        return index_of_parts(root)
    if (root / "train.txt").is_file():
        return index_of_lists(root, root, folders, folders)
    return index_of_folders(root, folders, folders, UNDIVIDED)


def is_divided(root: Path) -> bool:
    """Return whether ``root/train`` is a part of the images, rather than a class of that name."""
    return (root / "train").is_dir() and (
        bool(folders_in(root / "train")) or set(folders_in(root)) <= set(PARTS)
    )


def index_of_parts(root: Path) -> Index:
    """Return the images of ``root/train``, ``root/test`` and perhaps ``root/val``.

    Raises UserError for a class that has no folder in ``train``, or a folder without images.
    """
    present = [name for name in folders_in(root) if name in PARTS]
    if len(val := [name for name in present if PARTS[name] == VAL]) > 1:
        raise UserError(
            f"{printable(root)}: more than one folder of validation images: {', '.join(val)}"
        )
    classes = folders_in(root / "train")
    if not classes:
        raise UserError(f"{printable(root / 'train')}: no folders; expected one for each class")
    label_of = {name: label for label, name in enumerate(classes)}
    names: list[str] = []
    labels: list[int] = []
    parts: list[int] = []
    for part in sorted(present, key=PARTS.__getitem__):
        folders = folders_in(root / part)
        for folder in folders:
            if folder not in label_of:
                raise UserError(
                    f"{printable(root / part)}: class '{printable(folder)}' has no folder in train"
                    + printable(did_you_mean(folder, classes))
                )
        for folder, images in zip(folders, images_of_classes(root / part, folders), strict=True):
            names += [f"{part}/{image}" for image in images]
            labels += [label_of[folder]] * len(images)
            parts += [PARTS[part]] * len(images)
    return index_of_files(root, classes, names, labels, parts)


DATASETS.add(
    "folder",
    Dataset(
        name="folder",
        help="your own images: train/ and test/ with a folder for each class, or just the latter",
        native_size=None,
        classes=None,
        how_to_get="Set data.root to a folder that holds a folder of images for each class.",
        read=read,
    ),
)
