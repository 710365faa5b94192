"""Flips, crops and quarter turns: pixels change their place and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from cnn_core.augment.catalog import ImageTransform, add_image_transform
from cnn_core.augment.fields import Probability
from cnn_core.config import Section

if TYPE_CHECKING:
    from torch import Generator, Tensor


class FlipOptions(Section):
    """Options of ``horizontal_flip`` and ``vertical_flip``."""

    p: Probability = 0.5
    """Probability that an image is mirrored."""


class Rotate90Options(Section):
    """Options of ``rotate_90``."""

    p: Probability = 0.5
    """Probability that an image is turned."""


class RandomCropOptions(Section):
    """Options of ``random_crop``."""

    padding: Annotated[int, Field(ge=1, le=4096)] = 4
    """Pixels added on each side before a window of the image's own size is cut out."""
    mode: Literal["constant", "reflect", "edge"] = "constant"
    """What is added: black, the image mirrored at its border, or the border's pixels."""


def build_horizontal_flip(options: FlipOptions) -> ImageTransform:
    """Return a function that mirrors each image, left to right, with probability ``p``."""
    return _flip(3, options.p)


def build_vertical_flip(options: FlipOptions) -> ImageTransform:
    """Return a function that mirrors each image, top to bottom, with probability ``p``."""
    return _flip(2, options.p)


def _flip(dim: int, p: float) -> ImageTransform:
    from cnn_core.augment.batch import changed
    from cnn_core.augment.draws import chosen

    def flip(images_NCHW: Tensor, generator: Generator) -> Tensor:
        flipped = chosen(len(images_NCHW), p, generator)
        return changed(images_NCHW, flipped, lambda some: some.flip(dim))

    return flip


def build_rotate_90(options: Rotate90Options) -> ImageTransform:
    """Return a function that turns each square image with probability ``p``.

    Half of those turn to the left, half to the right.
    """
    import torch

    from cnn_core.augment.batch import changed
    from cnn_core.augment.draws import chosen

    def turn(images_NCHW: Tensor, generator: Generator) -> Tensor:
        turned = chosen(len(images_NCHW), options.p, generator)
        left = torch.rand(len(turned), generator=generator) < 0.5
        images_NCHW = changed(images_NCHW, turned[left], lambda some: some.rot90(1, (2, 3)))
        return changed(images_NCHW, turned[~left], lambda some: some.rot90(-1, (2, 3)))

    return turn


def build_random_crop(options: RandomCropOptions) -> ImageTransform:
    """Return a function that shifts each image by up to ``padding`` pixels either way.

    Both offsets of each image are uniform over the 2 * padding + 1 possible ones, as those of
    ``torchvision.transforms.RandomCrop(size, padding)`` are.
    """
    import torch

    from cnn_core.augment.windows import padded, windows

    padding, mode = options.padding, options.mode

    def crop(images_NCHW: Tensor, generator: Generator) -> Tensor:
        tops, lefts = torch.randint(2 * padding + 1, (2, len(images_NCHW)), generator=generator)
        size = images_NCHW.shape[2:]
        return windows(padded(images_NCHW, (padding, padding), mode), tops, lefts, size)

    return crop


add_image_transform(
    "horizontal_flip",
    "mirror left to right with probability p",
    FlipOptions,
    build_horizontal_flip,
)
add_image_transform(
    "vertical_flip",
    "mirror top to bottom with probability p",
    FlipOptions,
    build_vertical_flip,
)
add_image_transform(
    "rotate_90",
    "turn by 90 degrees to the left or to the right with probability p",
    Rotate90Options,
    build_rotate_90,
)
add_image_transform(
    "random_crop",
    "cut a window of the same size out of the image padded on each side",
    RandomCropOptions,
    build_random_crop,
)
