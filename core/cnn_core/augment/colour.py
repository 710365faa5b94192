"""Random changes of the colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from cnn_core.augment.catalog import ImageTransform, add_image_transform
from cnn_core.augment.fields import Probability
from cnn_core.config import NonNegative, Section

if TYPE_CHECKING:
    from torch import Generator, Tensor


class ColorJitterOptions(Section):
    """Options of ``color_jitter``."""

    brightness: NonNegative = 0.4
    """Factors are drawn from 1 - brightness (at least 0) to 1 + brightness."""
    contrast: NonNegative = 0.4
    """The same for the contrast."""
    saturation: NonNegative = 0.4
    """The same for the saturation."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Largest turn of the circle of colours, either way: 0.5 is half of it."""
    p: Probability = 1.0
    """Probability that an image is changed."""


class GrayscaleOptions(Section):
    """Options of ``grayscale``."""

    p: Probability = 0.1
    """Probability that an image loses its colours."""


def build_color_jitter(options: ColorJitterOptions) -> ImageTransform:
    """Return a function that changes the colours of each image by factors of its own.

    The four changes follow each other in an order drawn for each image.
    """
    import torch

    from cnn_core.augment import levels
    from cnn_core.augment.batch import change_some, changed
    from cnn_core.augment.draws import chosen, uniform

    changes = [
        (change, max(middle - width, lowest), middle + width)
        for change, width, middle, lowest in (
            (levels.brightness, options.brightness, 1, 0),
            (levels.contrast, options.contrast, 1, 0),
            (levels.saturation, options.saturation, 1, 0),
            (levels.hue, options.hue, 0, -0.5),
        )
        if width > 0
    ]

    def jitter(images_NCHW: Tensor, generator: Generator) -> Tensor:
        jittered = chosen(len(images_NCHW), options.p, generator)
        count = len(images_NCHW)
        amounts = [uniform(low, high, count, generator) for _, low, high in changes]
        # Sorting noise: any order is equally likely.
        orders = uniform(0, 1, (count, len(changes)), generator).argsort(1)
        return changed(images_NCHW, jittered, change_all, orders, *amounts)

    def change_all(images_NCHW: Tensor, orders: Tensor, *amounts: Tensor) -> Tensor:
        levels_NCHW = images_NCHW.to(torch.float32, memory_format=torch.contiguous_format)
        for turn in orders.unbind(1):
            for number, (change, _, _) in enumerate(changes):
                now = (turn == number).nonzero().flatten()
                change_some(levels_NCHW, now, change, amounts[number])
        return levels_NCHW.to(torch.uint8)

    return jitter


def build_grayscale(options: GrayscaleOptions) -> ImageTransform:
    """Return a function that takes each image's colours with probability ``p``."""
    from torchvision.transforms.v2.functional import rgb_to_grayscale

    from cnn_core.augment.batch import changed
    from cnn_core.augment.draws import chosen

    def grey(images_NCHW: Tensor, generator: Generator) -> Tensor:
        greyed = chosen(len(images_NCHW), options.p, generator)
        return changed(images_NCHW, greyed, lambda some: rgb_to_grayscale(some, 3))

    return grey


add_image_transform(
    "color_jitter",
    "change brightness, contrast, saturation and hue, in any order",
    ColorJitterOptions,
    build_color_jitter,
)
add_image_transform(
    "grayscale", "take the colours away with probability p", GrayscaleOptions, build_grayscale
)
