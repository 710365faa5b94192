"""Images a second of each transform and policy: ``python benchmarks/augment.py [--rounds 5]``.

Whole batches of noise, 512 of 32x32 pixels and 64 of 224x224, on the CPU and on a GPU if there is
one. Rounds are interleaved, so that a busy moment does not fall on one transform alone; printed
are the medians, in thousands of images a second. The last row is a resized crop from whole images
of 300x200 pixels, as ``data.whole`` keeps them.
"""

import argparse
import statistics
import time

import torch

from cnn_core.augment.catalog import POLICIES, TRANSFORMS, build_augmentation
from cnn_core.augment.parts import WholeTensors, random_parts
from cnn_core.augment.resampling import RandomResizedCropOptions
from cnn_core.config import Augment

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
    print(f"threads {torch.get_num_threads()}, rounds {rounds}, thousands of images a second")
    columns = [(device, batch) for device in devices for batch in BATCHES]
    print(f"{'':<26}" + "".join(f"{f'{device} {batch}':>14}" for device, batch in columns))
    spent = {name: {column: [] for column in columns} for name in augments}
    parts = "parts of whole images"
    spent[parts] = {column: [] for column in columns}
    for _ in range(rounds + 1):
        for device, batch in columns:
            spent[parts][device, batch].append(timed_parts(*BATCHES[batch], device))
        for name, augment in augments.items():
            for device, batch in columns:
                spent[name][device, batch].append(timed(augment, *BATCHES[batch], device))
    for name, times in spent.items():
        # The first round loads what is loaded once.
        speeds = [
            BATCHES[batch][0] / statistics.median(times[device, batch][1:]) / 1000
            for device, batch in columns
        ]
        print(f"{name:<26}" + "".join(f"{speed:>14.3g}" for speed in speeds))


def timed(augment: Augment, count: int, side: int, device: str) -> float:
    """Return the seconds that a batch takes, waiting for the device included."""
    generator = torch.Generator().manual_seed(0)
    shape = (count, side, side, 3)
    images_NHWC = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images_NCHW = images_NHWC.to(device).permute(0, 3, 1, 2)
    labels = torch.randint(0, CLASSES, (count,), generator=generator).to(device)
    augmentation = build_augmentation(augment, CLASSES)
    started = time.perf_counter()
    result_NCHW, _ = augmentation(images_NCHW, labels, generator)
    result_NCHW[0, 0, 0, 0].item()
    return time.perf_counter() - started


def timed_parts(count: int, side: int, device: str) -> float:
    """Return the seconds that a batch of parts of whole images takes."""
    generator = torch.Generator().manual_seed(0)
    height, width = 200, 300
    pixels = torch.randint(0, 256, (count * height * width * 3,), dtype=torch.uint8)
    whole = WholeTensors(
        pixels.to(device),
        torch.arange(count) * (height * width * 3),
        torch.tensor([[height, width]]).repeat(count, 1),
    )
    started = time.perf_counter()
    result_NCHW = random_parts(
        whole, torch.arange(count), side, RandomResizedCropOptions(), generator
    )
    result_NCHW[0, 0, 0, 0].item()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
