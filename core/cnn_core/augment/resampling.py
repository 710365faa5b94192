"""Turns, shifts, zooms and resized crops: pixels are interpolated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from cnn_core.augment.catalog import ImageTransform, add_image_transform
from cnn_core.augment.fields import Degrees, PositivePair, Probability, SharePair
from cnn_core.config import Section

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from cnn_core.augment.boxes import Boxes

_Share = Annotated[float, Field(ge=0, le=1)]


class RandomResizedCropOptions(Section):
    """Options of ``random_resized_crop``."""

    scale: SharePair = Field(default=[0.08, 1.0])
    """Share of the image's area that is kept, from and to."""
    ratio: PositivePair = Field(default=[3 / 4, 4 / 3])
    """Width over height of what is kept, from and to."""


class RotateOptions(Section):
    """Options of ``rotate``."""

    degrees: Degrees = 15.0
    """Largest angle, either way."""
    p: Probability = 1.0
    """Probability that an image is turned."""


class TranslateOptions(Section):
    """Options of ``translate``."""

    fraction: _Share = 0.1
    """Largest shift along each axis, as a share of the side, either way."""
    p: Probability = 1.0
    """Probability that an image is shifted."""


class ScaleOptions(Section):
    """Options of ``scale``."""

    low: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Smallest factor: below 1 the image shrinks and gets a black border."""
    high: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.2
    """Largest factor: above 1 the image grows and loses its border."""
    p: Probability = 1.0
    """Probability that an image is scaled."""


class AffineOptions(Section):
    """Options of ``affine``."""

    degrees: Degrees = 15.0
    """Largest angle, either way."""
    translate: _Share = 0.1
    """Largest shift along each axis, as a share of the side, either way."""
    scale: PositivePair = Field(default=[0.8, 1.2])
    """Factor of the size, from and to."""
    shear: Annotated[float, Field(ge=0, lt=90)] = 10.0
    """Largest angle of the shear along the rows, in degrees, either way."""
    p: Probability = 1.0
    """Probability that an image is changed."""


def build_random_resized_crop(options: RandomResizedCropOptions) -> ImageTransform:
    """Return a function that resizes a part of each image to the image's size."""
    import torch

    from cnn_core.augment.batch import changed
    from cnn_core.augment.boxes import Boxes
    from cnn_core.augment.resize import resize_boxes

    def crop(images_NCHW: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images_NCHW.shape
        heights, widths = (torch.full((count,), side) for side in (height, width))
        boxes = draw(options, heights, widths, generator)
        return changed(images_NCHW, torch.arange(count), resize, *boxes)

    def resize(images_NCHW: Tensor, *boxes: Tensor) -> Tensor:
        height, width = images_NCHW.shape[2:]
        return resize_boxes(images_NCHW, Boxes(*boxes), (height, width))

    return crop


def draw(
    options: RandomResizedCropOptions, heights: Tensor, widths: Tensor, generator: Generator
) -> Boxes:
    """Return the parts that resized crops take of images of (N,) heights and widths."""
    from cnn_core.augment.boxes import draw_crops

    (low, high), (narrow, wide) = options.scale, options.ratio
    return draw_crops(heights, widths, scale=(low, high), ratio=(narrow, wide), generator=generator)


def build_rotate(options: RotateOptions) -> ImageTransform:
    """Return a function that turns each image about its middle by an angle of its own."""
    from cnn_core.augment.draws import uniform
    from cnn_core.augment.warp import inverse_maps

    def maps(count: int, _height: int, _width: int, generator: Generator) -> Tensor:
        return inverse_maps(degrees=uniform(-options.degrees, options.degrees, count, generator))

    return _warped(maps, options.p)


def build_scale(options: ScaleOptions) -> ImageTransform:
    """Return a function that scales each image about its middle by a factor of its own."""
    import torch

    from cnn_core.augment.draws import uniform
    from cnn_core.augment.warp import inverse_maps

    def maps(count: int, _height: int, _width: int, generator: Generator) -> Tensor:
        factors = uniform(options.low, options.high, count, generator)
        return inverse_maps(degrees=torch.zeros_like(factors), scale=factors)

    return _warped(maps, options.p)


def build_affine(options: AffineOptions) -> ImageTransform:
    """Return a function that turns, shifts, scales and shears each image, all at once.

    Shifts are whole pixels, as those of ``torchvision.transforms.v2.RandomAffine`` are.
    """
    from cnn_core.augment.draws import uniform
    from cnn_core.augment.warp import inverse_maps

    def maps(count: int, height: int, width: int, generator: Generator) -> Tensor:
        far_x, far_y = options.translate * width, options.translate * height
        low, high = options.scale
        return inverse_maps(
            degrees=uniform(-options.degrees, options.degrees, count, generator),
            shift_x=uniform(-far_x, far_x, count, generator).round(),
            shift_y=uniform(-far_y, far_y, count, generator).round(),
            scale=uniform(low, high, count, generator),
            shear_x=uniform(-options.shear, options.shear, count, generator),
        )

    return _warped(maps, options.p)


def _warped(maps: Callable[[int, int, int, Generator], Tensor], p: float) -> ImageTransform:
    """Return a function that maps images, with probability ``p``, by what ``maps`` draws."""
    from cnn_core.augment.batch import changed
    from cnn_core.augment.draws import chosen
    from cnn_core.augment.warp import warp

    def apply(images_NCHW: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images_NCHW.shape
        warped = chosen(count, p, generator)
        maps_N23 = maps(count, height, width, generator)
        return changed(images_NCHW, warped, warp_all, maps_N23)

    def warp_all(images_NCHW: Tensor, maps_N23: Tensor) -> Tensor:
        return warp(images_NCHW, maps_N23, "bilinear")

    return apply


def build_translate(options: TranslateOptions) -> ImageTransform:
    """Return a function that shifts each image by whole pixels; what it leaves is black."""
    import torch

    from cnn_core.augment.draws import chosen, uniform
    from cnn_core.augment.windows import padded, windows

    def shift(images_NCHW: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images_NCHW.shape
        shifted = chosen(count, options.p, generator)
        tops, lefts = torch.zeros(2, count, dtype=torch.int64)
        far_y, far_x = options.fraction * height, options.fraction * width
        tops[shifted] = uniform(-far_y, far_y, len(shifted), generator).round().long()
        lefts[shifted] = uniform(-far_x, far_x, len(shifted), generator).round().long()
        rows, columns = round(far_y), round(far_x)
        return windows(
            padded(images_NCHW, (rows, columns), "constant"),
            rows - tops,
            columns - lefts,
            (height, width),
        )

    return shift


add_image_transform(
    "random_resized_crop",
    "resize a part of the image, of random size and shape, to the whole size",
    RandomResizedCropOptions,
    build_random_resized_crop,
)
add_image_transform("rotate", "turn by any angle up to degrees", RotateOptions, build_rotate)
add_image_transform(
    "translate", "shift by up to a fraction of the side", TranslateOptions, build_translate
)
add_image_transform("scale", "shrink or grow about the middle", ScaleOptions, build_scale)
add_image_transform(
    "affine", "turn, shift, scale and shear in one resampling", AffineOptions, build_affine
)
