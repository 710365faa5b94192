"""Images a second of each transform and policy: ``python benchmarks/augment.py [--rounds 5]``.

Whole batches of noise, 512 of 32x32 pixels and 64 of 224x224, on the CPU and on a GPU if there is
one. Rounds are interleaved, so that a busy moment does not fall on one transform alone; printed
are the medians, in thousands of images a second. The last row takes resized crops from whole
images of 300x200 pixels, as ``data.whole`` keeps them.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from cnn_core.augment.catalog import POLICIES, TRANSFORMS, build_augmentation
from cnn_core.augment.parts import WholeTensors, random_parts
from cnn_core.augment.resampling import RandomResizedCropOptions
from cnn_core.config import Augment
from measuring import interleaved, machine, table

BATCHES = {"32x32": (512, 32), "224x224": (64, 224)}
CLASSES = 100


def main() -> None:
    """Print a table: a row for each transform and policy, a column for each batch and device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    augments = {
        **{name: Augment(transforms=[{"name": name}]) for name in TRANSFORMS.names()},
        **{f"policy {name}": Augment(policy=name) for name in POLICIES if name != "none"},
    }
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    columns = [(device, batch) for device in devices for batch in BATCHES]
    contestants: dict[tuple[str, str, str], Callable[[], float]] = {
        (name, device, batch): partial(speed, augment, *BATCHES[batch], device)
        for name, augment in augments.items()
        for device, batch in columns
    }
    parts = "parts of whole images"
    for device, batch in columns:
        contestants[parts, device, batch] = partial(speed_of_parts, *BATCHES[batch], device)
    speeds = interleaved(contestants, rounds)
    rows = [
        (name, *(f"{statistics.median(speeds[name, *column]) / 1000:.3g}" for column in columns))
        for name in (*augments, parts)
    ]
    print(f"{machine()}, rounds {rounds}")
    heads = [f"{device} {batch}" for device, batch in columns]
    print(table(("thousands of images a second", *heads), rows))


def speed(augment: Augment, count: int, side: int, device: str) -> float:
    """Return the images/s of a batch, waiting for the device included."""
    generator = torch.Generator().manual_seed(0)
    shape = (count, side, side, 3)
    images_NHWC = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images_NCHW = images_NHWC.to(device).permute(0, 3, 1, 2)
    labels = torch.randint(0, CLASSES, (count,), generator=generator).to(device)
    augmentation = build_augmentation(augment, CLASSES)
    started = time.perf_counter()
    result_NCHW, _ = augmentation(images_NCHW, labels, generator)
    result_NCHW[0, 0, 0, 0].item()
    return count / (time.perf_counter() - started)


def speed_of_parts(count: int, side: int, device: str) -> float:
    """Return the images/s of a batch of parts of whole images, waiting for the device included."""
    generator = torch.Generator().manual_seed(0)
    height, width = 200, 300
    pixels = torch.randint(0, 256, (count * height * width * 3,), dtype=torch.uint8)
    whole = WholeTensors(
        pixels.to(device),
        torch.arange(count) * (height * width * 3),
        torch.tensor([[height, width]]).repeat(count, 1),
    )
    options = RandomResizedCropOptions()
    started = time.perf_counter()
    result_NCHW = random_parts(whole, torch.arange(count), side, options, generator)
    result_NCHW[0, 0, 0, 0].item()
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
