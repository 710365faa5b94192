"""Flips and crops of whole batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from cnn_core.augment.catalog import TRANSFORMS, Augmentation, Transform
from cnn_core.config import Count, Section

if TYPE_CHECKING:
    from torch import Generator, Tensor


class HorizontalFlipOptions(Section):
    """Options of ``horizontal_flip``."""

    p: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Probability that an image is mirrored."""


class RandomCropOptions(Section):
    """Options of ``random_crop``."""

    padding: Count = 4
    """Black pixels added on each side before a window of the image's own size is cut out."""


def build_horizontal_flip(options: HorizontalFlipOptions) -> Augmentation:
    """Return a function that mirrors each image, left to right, with probability ``p``."""
    import torch

    def flip(images_NCHW: Tensor, generator: Generator) -> Tensor:
        draws = torch.rand(len(images_NCHW), generator=generator)
        # Indices are found on the CPU, so that a GPU need not be waited for.
        chosen = (draws < options.p).nonzero().flatten()
        chosen = chosen.to(images_NCHW.device, non_blocking=True)
        flipped = images_NCHW.clone(memory_format=torch.channels_last)
        flipped[chosen] = images_NCHW[chosen].flip(3)
        return flipped

    return flip


def build_random_crop(options: RandomCropOptions) -> Augmentation:
    """Return a function that shifts each image by up to ``padding`` pixels either way.

    Both offsets of each image are uniform over the 2 * padding + 1 possible ones, as those of
    ``torchvision.transforms.RandomCrop(size, padding)`` are.
    """
    import torch
    import torch.nn.functional as F

    padding = options.padding

    def crop(images_NCHW: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images_NCHW.shape
        offsets = torch.randint(2 * padding + 1, (2, count), generator=generator)
        top, left = offsets.to(images_NCHW.device, non_blocking=True)
        padded = F.pad(images_NCHW, (padding,) * 4)
        # A view of every window, indexed once: it copies no more pixels than it returns.
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        each = torch.arange(count, device=images_NCHW.device)
        return windows[each, :, top, left].contiguous(memory_format=torch.channels_last)

    return crop


TRANSFORMS.add(
    "horizontal_flip",
    Transform(
        name="horizontal_flip",
        help="mirror left to right with probability p",
        options=HorizontalFlipOptions,
        build=build_horizontal_flip,
    ),
)
TRANSFORMS.add(
    "random_crop",
    Transform(
        name="random_crop",
        help="cut a window of the same size out of the image padded with black",
        options=RandomCropOptions,
        build=build_random_crop,
    ),
)
