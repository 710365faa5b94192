"""Decoding, images a second: ``python benchmarks/decode.py [--dataset caltech101]``.

Plain Pillow, torchvision's decoder with its transforms v2, and ours, on files of the data set: one
thread, then a thread for each core. Each way resizes the shorter side to 256 pixels and cuts out
224. Printed are medians of rounds in turn, a core's by the time of its own thread. Then the whole
data set: the first start, which decodes, and the next ones. Where the data set is missing, the
same is done with 600 pictures made for it.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.io import decode_jpeg
from torchvision.transforms import v2

from cnn_core.config import Data
from cnn_core.datasets.catalog import open_index
from cnn_core.datasets.decode import decode
from cnn_core.datasets.parallel import map_in_order, usable_cores
from cnn_core.datasets.prepare import prepare
from cnn_core.errors import UserError
from cnn_core.locations import default_data_dir
from measuring import interleaved, machine, median_ratio, table

RESIZE, SIZE = 256, 224
WARM_STARTS = 5
MADE = 600


def by_pillow(file: Path) -> Any:
    """Decode, convert, resize, crop: as a Dataset of torchvision's does it."""
    with Image.open(file) as image:
        image = image.convert("RGB")
    short, long = sorted(image.size)
    scaled = int(RESIZE * long / short)
    size = (RESIZE, scaled) if image.width <= image.height else (scaled, RESIZE)
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((image.width - SIZE) / 2), round((image.height - SIZE) / 2)
    return np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))


def by_torchvision(file: Path) -> Any:
    """Decode a JPEG to a tensor and transform that."""
    content = torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8)
    image_CHW = decode_jpeg(content, mode="RGB")
    image_CHW = v2.functional.resize(image_CHW, [RESIZE], antialias=True)
    return v2.functional.center_crop(image_CHW, [SIZE, SIZE])


def by_us(file: Path) -> Any:
    """Decode as the cache is built."""
    return decode(file, file.name, SIZE, RESIZE)


WAYS = {"plain Pillow": by_pillow, "torchvision + v2": by_torchvision, "ours": by_us}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=default_data_dir())
    parser.add_argument("--dataset", default="caltech101", help="one of image files")
    parser.add_argument("--root", help="folder of the data set, below the data folder")
    parser.add_argument("--images", type=int, default=300, help="number of files in a round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        data = Data(dataset=options.dataset, root=options.root, resize=RESIZE, image_size=SIZE)
        data_dir: Path = options.data_dir
        try:
            index = open_index(data, data_dir)
        except UserError as missing:
            print(f"{missing}\nMaking {MADE} pictures of 300x225 pixels instead.\n")
            data_dir = Path(scratch)
            make(data_dir / "made")
            data = data.model_copy(update={"dataset": "folder", "root": "made"})
            index = open_index(data, data_dir)
        if index.files is None:
            parser.error(f"{options.dataset} is one array, not files to decode")
        jpegs = [file for file in index.files if file.suffix.lower() in (".jpg", ".jpeg")]
        if not jpegs:
            parser.error(f"{options.dataset} has no JPEG files")
        chosen = np.random.default_rng(0).permutation(len(jpegs))[: options.images]
        compare([jpegs[i] for i in chosen], options.rounds)
        starts(data, data_dir, Path(scratch) / "cache")


def compare(files: Sequence[Path], rounds: int) -> None:
    """Print images a second for each way."""
    columns = {"a core": a_core, f"{usable_cores()} cores": all_cores}
    speeds = interleaved(
        {
            (name, column): partial(measure, way, files)
            for name, way in WAYS.items()
            for column, measure in columns.items()
        },
        rounds,
    )
    print(f"{machine()}, {len(files)} files, rounds {rounds}")
    rows = []
    for name in WAYS:
        row = [name]
        for column in columns:
            figures, plain = speeds[name, column], speeds["plain Pillow", column]
            row += [f"{statistics.median(figures):.0f}", f"{median_ratio(figures, plain):.2f}"]
        rows.append(row)
    heads = [head for column in columns for head in (column, "ratio")]
    print(table(("images a second", *heads), rows))


def a_core(way: Callable[[Path], Any], files: Sequence[Path]) -> float:
    """Return images a second of this thread's time."""
    started = time.thread_time()
    for file in files:
        way(file)
    return len(files) / (time.thread_time() - started)


def all_cores(way: Callable[[Path], Any], files: Sequence[Path]) -> float:
    """Return images a second by the clock, with a thread for each core."""
    started = time.perf_counter()
    parts = [files[start : start + 16] for start in range(0, len(files), 16)]
    for _ in map_in_order(lambda part: [way(file) for file in part], parts):
        pass
    return len(files) / (time.perf_counter() - started)


def starts(data: Data, data_dir: Path, cache_dir: Path) -> None:
    """Print the seconds of the first start and of those that find everything decoded."""
    seconds = []
    for _ in range(1 + WARM_STARTS):
        started = time.perf_counter()
        for _ in prepare(data, data_dir, cache_dir):
            pass
        seconds.append(time.perf_counter() - started)
    print(f"\n{data.dataset}: first start {seconds[0]:.2f} s (reading, decoding, measuring)")
    print(f"median of {WARM_STARTS} later ones {statistics.median(seconds[1:]):.2f} s")


def make(root: Path) -> None:
    """Write JPEGs of noise that is about as smooth as photographs are."""
    rng = np.random.default_rng(0)
    for position in range(MADE):
        folder = root / f"class{position % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 256, (57, 75, 3), dtype=np.uint8))
        large = small.resize((300, 225), Image.Resampling.BICUBIC)
        large.save(folder / f"{position}.jpg", quality=90)


if __name__ == "__main__":
    main()
