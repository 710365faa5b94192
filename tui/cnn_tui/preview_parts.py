"""Parts of the previews: what they hold, and what is worked out without a cache."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_core.config import Optim, Train
from cnn_core.datasets.index import Images
from cnn_core.datasets.split import SplitRow
from cnn_core.training.schedule import lr_factor
from cnn_tui.device_stats import DeviceLoad

if TYPE_CHECKING:
    from cnn_core.step_memory import StepMemory
    from cnn_core.summary import Summary
    from cnn_core.training.samples import Sample

IMBALANCE = 3
"""Largest over smallest class from which a warning is due."""
SAMPLES = 4
DRAWS = 3
_SHOWN_SIDE = 96
# More points than any chart has columns.
_CURVE_POINTS = 600
# Steps an epoch that stand in where they are not known.
_NOMINAL_STEPS = 100


@dataclass(frozen=True, slots=True)
class SplitPreview:
    """Images of each class and part; ``imbalance`` is a warning, or "".

    ``place`` is the folder of the images, None for those that a package brings along.
    """

    rows: list[SplitRow]
    train: int
    val: int
    test: int
    place: Path | None
    imbalance: str


@dataclass(frozen=True, slots=True)
class NetworkPreview:
    """Stages, totals and memory; ``steps`` an epoch is None where it is not known."""

    summary: "Summary"
    step: "StepMemory"
    optimizer: str
    classes: int
    image_size: int
    batch_size: int | None
    """None: found at the start ("auto"), and the memory is that of one image."""
    images_a_step: int | None
    steps: int | None
    load: DeviceLoad
    """Of the device it would train on, when this was made."""
    warning: str
    """Of weights that expect another normalisation, or ""."""


@dataclass(frozen=True, slots=True, eq=False)
class SchedulePreview:
    """The learning rate over epochs, from 0 on, and what happens in words."""

    epochs: NDArray[np.float64]
    lr: NDArray[np.float64]
    words: str
    marks: tuple[tuple[float, str], ...]


def imbalance_warning(rows: list[SplitRow]) -> str:
    """Return a warning where the largest class has many times the smallest's training images."""
    counts = [row.train for row in rows]
    largest, smallest = max(counts), min(counts)
    if largest <= IMBALANCE * smallest:
        return ""
    share = 100 * largest / sum(counts)
    return (
        f"accuracy misleads: {largest:,} training images in the largest class, {smallest:,} in "
        f"the smallest; a constant guess reaches {share:.1f} %"
    )


def steps_an_epoch(train: Train, known: tuple[int, int] | None) -> int | None:
    """Return the optimizer steps of an epoch, as the trainer counts them.

    ``known`` are the numbers of classes and of training images.
    """
    if known is None or train.batch_size == "auto":
        return None
    images = known[1]
    usable = images - images % train.batch_size if train.drop_last else images
    return math.ceil(usable / (train.batch_size * train.accumulate))


def lr_curve(
    optim: Optim, train: Train, steps: int | None, unfreeze_at: int | None
) -> SchedulePreview:
    """Return the learning rate of a run with this many steps an epoch, None if not known."""
    an_epoch = steps or _NOMINAL_STEPS
    total = an_epoch * train.epochs
    at = np.unique(np.linspace(0, total - 1, min(total, _CURVE_POINTS)).round().astype(int))
    lr = np.array(
        [
            optim.lr
            * lr_factor(optim, step=int(step), steps_per_epoch=an_epoch, epochs=train.epochs)
            for step in at
        ]
    )
    words = f"{optim.schedule}: {lr[0]:.3g} at first, {lr.max():.3g} at most, {lr[-1]:.3g} at last"
    if optim.schedule == "plateau":
        words = (
            f"plateau: {optim.lr:g}, times {optim.gamma:g} after {optim.step_size} epochs without "
            "a better validation accuracy; when that is, only the training will show"
        )
    words += f"; {total:,} steps" if steps else "; the number of steps is not known yet"
    marks = ((float(unfreeze_at - 1), "unfreeze"),) if unfreeze_at else ()
    return SchedulePreview(at / an_epoch, lr, words, marks)


def shrunk(sample: "Sample") -> "Sample":
    """Return the sample no larger than it is ever shown: drawing happens on the event loop."""
    return dataclasses.replace(
        sample,
        before_HWC=shrunk_image(sample.before_HWC, _SHOWN_SIDE),
        after_NHWC=np.stack(
            [shrunk_image(image_HWC, _SHOWN_SIDE) for image_HWC in sample.after_NHWC]
        ),
    )


def shrunk_image(image_HWC: Images, side: int) -> Images:
    """Return a copy of the image (H,W,3), its longer side at most ``side`` pixels."""
    small = Image.fromarray(image_HWC)
    small.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=None)
    pixels_HWC: Images = np.asarray(small)
    return pixels_HWC
