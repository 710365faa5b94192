"""Rectangles of pixels, one for each image."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from cnn_core.augment.batch import on_device
from cnn_core.augment.draws import below, uniform


class Boxes(NamedTuple):
    """Rectangles of pixels, one for each image: (N,) int64 each, on the CPU."""

    tops: Tensor
    lefts: Tensor
    heights: Tensor
    widths: Tensor


def draw_boxes(
    count: int,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    image: tuple[int | Tensor, int | Tensor],
    fits: Callable[[Tensor, Tensor], Tensor],
    otherwise: tuple[int | Tensor, int | Tensor],
    generator: Generator,
) -> Boxes:
    """Return boxes in images of ``image`` = (height, width) pixels, anywhere in them.

    Heights and widths are the same for all images, or (N,) int64.

    The share of the image's area is uniform in ``scale``, the logarithm of width over height in
    that of ``ratio``. Of ten attempts the first counts that ``fits(heights, widths)``; where none
    does, the box has the size ``otherwise`` and lies in the middle.
    """
    height, width = image
    areas = height * width * uniform(*scale, (10, count), generator)
    log_low, log_high = (math.log(end) for end in ratio)
    ratios = uniform(log_low, log_high, (10, count), generator).exp()
    heights, widths = (
        square.sqrt().round().clamp(max=2**31).long() for square in (areas / ratios, areas * ratios)
    )
    fitting = fits(heights, widths)
    # An eleventh row, which always fits: argmax finds the first of equals.
    first = torch.cat([fitting, fitting.new_ones(1, count)]).int().argmax(0)
    found = first < 10
    first = first.clamp(max=9)[None]
    heights = torch.where(found, heights.gather(0, first)[0], otherwise[0])
    widths = torch.where(found, widths.gather(0, first)[0], otherwise[1])
    down, right = height - heights, width - widths
    return Boxes(
        torch.where(found, below(down + 1, generator), down // 2),
        torch.where(found, below(right + 1, generator), right // 2),
        heights,
        widths,
    )


def draw_crops(
    heights: Tensor,
    widths: Tensor,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: Generator,
) -> Boxes:
    """Return the part of each image of (N,) heights and widths that a resized crop takes.

    Drawn as by ``torchvision.transforms.v2.RandomResizedCrop``: ten attempts, then the largest
    part in the middle whose ratio is allowed.
    """
    narrow, wide = ratio

    def fits(tall: Tensor, broad: Tensor) -> Tensor:
        return (tall > 0) & (tall <= heights) & (broad > 0) & (broad <= widths)

    return draw_boxes(
        len(heights),
        scale=scale,
        ratio=ratio,
        image=(heights, widths),
        fits=fits,
        # A pixel at least, however far the ratio is from the image's.
        otherwise=(
            torch.minimum(heights, (widths.double() / narrow).round().long()).clamp(min=1),
            torch.minimum(widths, (heights.double() * wide).round().long()).clamp(min=1),
        ),
        generator=generator,
    )


def box_masks(boxes: Boxes, images_NCHW: Tensor) -> Tensor:
    """Return masks (N, 1, H, W), true inside each image's box, on the images' device."""
    height, width = images_NCHW.shape[2:]
    device = images_NCHW.device
    top, left, tall, wide = on_device(torch.stack(boxes), device).view(4, -1, 1, 1, 1)
    row = torch.arange(height, device=device).view(-1, 1)
    column = torch.arange(width, device=device)
    masks_N1HW: Tensor = (row >= top) & (row < top + tall)
    return masks_N1HW.logical_and(column >= left).logical_and(column < left + wide)
