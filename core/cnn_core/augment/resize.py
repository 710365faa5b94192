"""Parts of images brought to one size, each image with a part of its own."""

import torch
from torch import Tensor

from cnn_core.augment.batch import on_device
from cnn_core.augment.boxes import Boxes


def resize_boxes(images_NCHW: Tensor, boxes: Boxes, size: tuple[int, int]) -> Tensor:
    """Return the inside of each image's box as uint8 of ``size`` = (height, width).

    Bilinear, antialiased where it shrinks, and nothing outside a box has any weight: what
    ``torchvision.transforms.v2.functional.resized_crop`` does, but for the rounding. The images
    may have any size.
    """
    source_height, source_width = images_NCHW.shape[2:]
    device = images_NCHW.device
    top, left, tall, wide = on_device(torch.stack(boxes).float(), device)
    rows_NhH = _weights(top, tall, source_height, size[0])
    columns_NWw = _weights(left, wide, source_width, size[1]).transpose(1, 2)
    # Planes: a product of matrices with 3 columns, one for each channel, would be slow.
    planes_NCHW = images_NCHW.to(torch.float32, memory_format=torch.contiguous_format)
    narrow_NXw = planes_NCHW.flatten(1, 2) @ columns_NWw
    narrow_NCHw = narrow_NXw.view(*images_NCHW.shape[:3], size[1])
    return (rows_NhH.unsqueeze(1) @ narrow_NCHw).round_().to(torch.uint8)


def _weights(starts: Tensor, lengths: Tensor, source: int, target: int) -> Tensor:
    """Return what each of ``target`` pixels takes of each of ``source``: (N, target, source).

    Those from ``starts`` (N,) on, ``lengths`` (N,) of them, become the target's: each weighs them
    by a triangle about the place where its own middle lies among them, as wide as neighbours of
    the source or the target, whichever are further apart.
    """
    device = starts.device
    step = (lengths / target).view(-1, 1, 1)
    middles = (torch.arange(target, device=device).view(-1, 1) + 0.5) * step
    places = torch.arange(source, device=device) + 0.5 - starts.view(-1, 1, 1)
    weights = 1 - (places - middles).abs_().div_(step.clamp(min=1))
    weights = weights.clamp_(min=0).mul_((places > 0) & (places < lengths.view(-1, 1, 1)))
    return weights.div_(weights.sum(2, keepdim=True))
