"""Parts of images brought to one size, each image with a part of its own."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_core.augment.batch import on_device
from cnn_core.augment.boxes import Boxes

_CHANNELS = 3


def resize_boxes(images_NCHW: Tensor, boxes: Boxes, size: tuple[int, int]) -> Tensor:
    """Return the inside of each image's box as uint8 of ``size`` = (height, width).

    Bilinear, antialiased where it shrinks, and nothing outside a box has any weight: what
    ``torchvision.transforms.v2.functional.resized_crop`` does, but for the rounding. The images
    may have any size.
    """
    count, _, height, width = images_NCHW.shape
    pixels = images_NCHW.permute(0, 2, 3, 1).reshape(-1)
    starts = torch.arange(count) * (_CHANNELS * height * width)
    return resize_parts(pixels, starts, torch.full((count,), width), boxes, size)


def resize_parts(
    pixels: Tensor, starts: Tensor, widths: Tensor, boxes: Boxes, size: tuple[int, int]
) -> Tensor:
    """Do as ``resize_boxes`` does, with images of any sizes that lie one after another.

    ``pixels``, uint8, flat and on any device, holds each as (height, width, 3) from its place in
    ``starts`` on. Those and ``widths`` are (N,) int64 on the CPU; the result (N, 3, H, W) is on
    the device of the pixels, channels_last. The windows that are read are all as large as the
    largest box.
    """
    device, count = pixels.device, len(starts)
    (high, wide), (tall, broad) = size, (int(lengths.max()) for lengths in boxes[2:])
    strides = _CHANNELS * widths
    starts = starts + boxes.tops * strides + _CHANNELS * boxes.lefts
    # A window wider than its box may not run past the end: it begins earlier, and is read later.
    ends = starts + (boxes.heights - 1) * strides + _CHANNELS * broad
    late = (ends - len(pixels)).clamp_(min=0)
    rows_NH = (starts - late).view(-1, 1) + strides.view(-1, 1) * torch.minimum(
        torch.arange(tall), boxes.heights.view(-1, 1) - 1
    )
    # Copies of whole rows, through a view of every place where one may begin.
    windows = pixels.unfold(0, _CHANNELS * broad, 1)[on_device(rows_NH.view(-1), device)]

    image = torch.arange(count, device=device).view(-1, 1, 1)
    places_NhK, weights_NhK = _taps(boxes.heights, high, device)
    # (N, h, W3): sums of a few weighted rows, which is all of an image that a row takes.
    short = _sums(windows.float(), places_NhK + tall * image, weights_NhK)
    columns = short.view(count, high, -1).transpose(1, 2).contiguous().view(-1, high)

    places_NwK, weights_NwK = _taps(boxes.widths, wide, device)
    places_NwK = places_NwK + on_device(late // _CHANNELS, device).view(-1, 1, 1) + broad * image
    channel = torch.arange(_CHANNELS, device=device).view(-1, 1)
    places_NwCK = _CHANNELS * places_NwK.unsqueeze(2) + channel
    weights_NwCK = weights_NwK.unsqueeze(2).expand(places_NwCK.shape)
    small = _sums(columns, places_NwCK, weights_NwCK)  # (N, w, C, h)

    levels = small.add_(0.5).to(torch.uint8).view(count, wide, _CHANNELS, high)
    return levels.permute(0, 2, 3, 1).contiguous(memory_format=torch.channels_last)


def _sums(rows: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums of rows: of those at the places along the last dimension."""
    taps = places.shape[-1]
    return F.embedding_bag(
        places.reshape(-1, taps), rows, mode="sum", per_sample_weights=weights.reshape(-1, taps)
    )


def _taps(lengths: Tensor, target: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return which pixels each of ``target`` takes, and how much of them: (N, target, K) each.

    Each weighs those of the box's ``lengths`` (N,) by a triangle about the place where its own
    middle lies among them, as wide as neighbours of the source or the target, whichever are
    further apart.
    """
    count = math.ceil(2 * max(int(lengths.max()) / target, 1))
    within = on_device(lengths, device).view(-1, 1, 1)
    step = within / target
    reach = step.clamp(min=1)
    middles = (torch.arange(target, device=device).view(-1, 1) + 0.5) * step
    first = (middles - reach + 0.5).floor_().clamp_(min=0)
    places = first + torch.arange(count, device=device)
    weights = (1 - (places + 0.5 - middles).abs_().div_(reach)).clamp_(min=0)
    weights = weights.mul_(places < within)
    return torch.minimum(places.long(), within - 1), weights.div_(weights.sum(2, keepdim=True))
