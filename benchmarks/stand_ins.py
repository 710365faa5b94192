"""Noise in the layout of data sets, where a machine does not have the real ones."""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_core.datasets.catalog import state_of

CIFAR_CLASSES = 10
CALTECH_CLASSES = 101
CALTECH_PARTS = {"train": 5784, "test": 2893}
"""Images of each part in the course's split of Caltech-101."""
CALTECH_PIXELS = (300, 200)
_DIFFERENT = 256
"""Files that differ from each other; those after them are copies."""


def data_dir_with(
    dataset: str, wanted: Path, folder: Path, images: int | None = None
) -> tuple[Path, bool]:
    """Return where the data set is: ``wanted`` if it is there, else ``folder``, filled with noise.

    The second value tells whether the data are real. Of noise there are at most ``images`` in a
    part, if that is given.
    """
    if state_of(dataset, wanted)[0] == "here":
        return wanted, True
    root = folder / dataset
    if not root.exists():
        _MAKERS[dataset](root, images)
    return folder, False


def make_cifar10(root: Path, images: int | None = None) -> None:
    """Write ``train/`` and ``test/`` of 50,000 and 10,000 PNG files in ten classes."""
    files = noise_files((32, 32), "PNG")
    for part, count in (("train", 50_000), ("test", 10_000)):
        for number in range(min(count, images or count)):
            folder = root / part / f"class{number % CIFAR_CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:05}.png").write_bytes(next(files))


def make_caltech101(root: Path, images: int | None = None) -> None:
    """Write 8,677 JPEG files of 300x200 pixels in 101 classes, with train.txt and test.txt."""
    files = noise_files(CALTECH_PIXELS, "JPEG")
    for part, count in CALTECH_PARTS.items():
        names = []
        # Four of each class, or the validation images could not be split off.
        least = 4 * CALTECH_CLASSES
        for number in range(count if images is None else min(count, max(images, least))):
            name = f"class{number % CALTECH_CLASSES:03}/{part}_{number:05}.jpg"
            path = root / "101_ObjectCategories" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(next(files))
            names.append(name)
        (root / f"{part}.txt").write_text("\n".join(names) + "\n")


def noise_files(size: tuple[int, int], form: str) -> Iterator[bytes]:
    """Return contents of image files, coarse noise that compresses about as photographs do."""
    random = np.random.default_rng(0)
    contents = []
    for _ in range(_DIFFERENT):
        coarse_HWC = random.integers(0, 256, (size[1] // 4, size[0] // 4, 3), np.uint8)
        image = Image.fromarray(coarse_HWC).resize(size, Image.Resampling.BILINEAR)
        file = io.BytesIO()
        image.save(file, form)
        contents.append(file.getvalue())
    return itertools.cycle(contents)


_MAKERS = {"cifar10": make_cifar10, "caltech101": make_caltech101}
