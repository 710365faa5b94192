"""A data set of many files: ``python benchmarks/many_files.py [--classes 1000] [--images 128]``.

Makes a folder of links to a few JPEGs of 500 x 375 pixels (TMPDIR says where), and times what a
first and a later start do with it before they decode: listing, splitting, the fingerprint of the
contents (first start) or of what the file system says (later ones). Links share their bytes: they
are read from memory, not from a disk.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from cnn_core.config import Data
from cnn_core.datasets.catalog import open_index
from cnn_core.datasets.fingerprint import fingerprint
from cnn_core.datasets.split import divide
from measuring import machine

Result = TypeVar("Result")
_SOURCES = 16


def main() -> None:
    """Print seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images", type=int, default=128, help="of each class")
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder, "big", "train"), arguments.classes, arguments.images)
        data = Data(dataset="folder", root="big", image_size=224, resize=256)
        cache = Path(folder, "cache")
        before = memory()
        index = timed("list the files", lambda: open_index(data, Path(folder)))
        split = timed("split them, first time", lambda: divide(index, data, cache))
        timed("split them, later", lambda: divide(index, data, cache))
        print(f"{'memory of all this':<28} {memory() - before:8.0f} MiB")
        time.sleep(3)  # files that are only just made are not trusted to stay
        timed("fingerprint, first time", lambda: drained(fingerprint(index, cache)))
        timed("fingerprint, later", lambda: drained(fingerprint(index, cache)))
        print(f"{'images':<28} {len(index):8,}")
        print(f"{'of them to train on':<28} {len(split.train):8,}")


def make(folder: Path, classes: int, images: int) -> None:
    """Write a few JPEGs and link them."""
    rng = np.random.default_rng(0)
    sources = []
    for number in range(_SOURCES):
        small = rng.integers(0, 255, (38, 50, 3), dtype=np.uint8)
        path = folder.parent.parent / f"source{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
        sources.append(path)
    for label in range(classes):
        below = folder / f"n{label:08d}"
        below.mkdir(parents=True)
        for number in range(images):
            os.link(sources[(label + number) % _SOURCES], below / f"n{label:08d}_{number}.JPEG")


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Do the work and print its seconds."""
    began = time.perf_counter()
    result = work()
    print(f"{what:<28} {time.perf_counter() - began:8.2f} s")
    return result


def drained(work: object) -> None:
    """Let a generator come to its end."""
    for _ in work:  # type: ignore[attr-defined]
        pass


def memory() -> float:
    """Return the most memory used so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
