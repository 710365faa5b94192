"""Rectangles blotted out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from cnn_core.augment.catalog import ImageTransform, add_image_transform
from cnn_core.augment.fields import PositivePair, Probability, SharePair
from cnn_core.config import Section

if TYPE_CHECKING:
    from torch import Generator, Tensor


class RandomErasingOptions(Section):
    """Options of ``random_erasing``."""

    p: Probability = 0.5
    """Probability that an image loses a rectangle."""
    scale: SharePair = Field(default=[0.02, 0.33])
    """Share of the image's area that is lost, from and to."""
    ratio: PositivePair = Field(default=[0.3, 3.3])
    """Height over width of what is lost, from and to."""
    value: Annotated[int, Field(ge=0, le=255)] | Literal["random"] = 0
    """Grey level put in its place, 0 to 255, or "random" for noise."""


def build_random_erasing(options: RandomErasingOptions) -> ImageTransform:
    """Return a function that blots out a rectangle of each image with probability ``p``.

    It is drawn as by ``torchvision.transforms.v2.RandomErasing``: ten attempts, then nothing.
    """
    import numpy as np
    import torch

    from cnn_core.augment.batch import changed, on_device
    from cnn_core.augment.boxes import Boxes, box_masks, draw_boxes
    from cnn_core.augment.draws import chosen, numpy_generator

    (low, high), (flat, upright) = options.scale, options.ratio

    def erase(images_NCHW: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images_NCHW.shape
        erased = chosen(count, options.p, generator)
        boxes = draw_boxes(
            count,
            scale=(low, high),
            ratio=(1 / upright, 1 / flat),
            image=(height, width),
            fits=lambda heights, widths: (heights < height) & (widths < width),
            otherwise=(0, 0),
            generator=generator,
        )

        if options.value == "random":
            rng = numpy_generator(generator)
            noise = rng.integers(0, 256, images_NCHW.shape, dtype=np.uint8)
            values = torch.from_numpy(noise)
        else:
            values = torch.full((count, 1, 1, 1), options.value, dtype=torch.uint8)
        return changed(images_NCHW, erased, blot, values, *boxes)

    def blot(images_NCHW: Tensor, values: Tensor, *boxes: Tensor) -> Tensor:
        masks = box_masks(Boxes(*boxes), images_NCHW)
        return torch.where(masks, on_device(values, images_NCHW.device), images_NCHW)

    return erase


add_image_transform(
    "random_erasing",
    "blot out a rectangle of random place, size and shape with probability p",
    RandomErasingOptions,
    build_random_erasing,
)
