"""Affine maps of images, each image with a map of its own, in one resampling."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_core.augment.batch import on_device


def inverse_maps(
    *,
    degrees: Tensor,
    shift_x: Tensor | float = 0.0,
    shift_y: Tensor | float = 0.0,
    scale: Tensor | float = 1.0,
    shear_x: Tensor | float = 0.0,
    shear_y: Tensor | float = 0.0,
    centre_x: Tensor | float = 0.0,
    centre_y: Tensor | float = 0.0,
) -> Tensor:
    """Return maps (N, 2, 3) from places in the result to places in the image, float64.

    Places count pixels from the middle of the image, to the right and down. The image is sheared
    (degrees), scaled and turned clockwise (degrees) about ``centre``, then shifted (pixels): the
    arguments, float64 (N,), are those of ``torchvision.transforms.v2.functional.affine``.
    """
    turn = torch.deg2rad(degrees)
    zero = torch.zeros_like(turn)
    lean_x, lean_y = torch.deg2rad(zero + shear_x), torch.deg2rad(zero + shear_y)
    a = torch.cos(turn - lean_y) / torch.cos(lean_y)
    b = -(a * torch.tan(lean_x) + torch.sin(turn))
    c = torch.sin(turn - lean_y) / torch.cos(lean_y)
    d = torch.cos(turn) - c * torch.tan(lean_x)
    # The inverse of [[a, b], [c, d]], whose determinant is 1.
    xx, xy, yx, yy = d / scale, -b / scale, -c / scale, a / scale
    to_x, to_y = centre_x + shift_x, centre_y + shift_y
    x = zero + centre_x - xx * to_x - xy * to_y
    y = zero + centre_y - yx * to_x - yy * to_y
    return torch.stack([xx, xy, x, yx, yy, y], dim=1).view(-1, 2, 3)


def warp(
    images_NCHW: Tensor, inverse_maps_N23: Tensor, mode: Literal["bilinear", "nearest"]
) -> Tensor:
    """Return the uint8 images mapped, black where a map leads outside of them."""
    height, width = images_NCHW.shape[2:]
    device = images_NCHW.device
    x = torch.arange(width, device=device) - (width - 1) / 2
    y = torch.arange(height, device=device) - (height - 1) / 2
    places_HW3 = torch.stack(
        [x.expand(height, -1), y.view(-1, 1).expand(-1, width), x.new_ones(height, width)], dim=2
    )
    # grid_sample counts half widths and half heights.
    half = torch.tensor([0.5 * width, 0.5 * height])
    maps_N32 = on_device(inverse_maps_N23.float().transpose(1, 2) / half, device)
    grid_NHW2 = (places_HW3.view(1, -1, 3) @ maps_N32).view(-1, height, width, 2)
    sampled_NCHW = F.grid_sample(
        images_NCHW.float(), grid_NHW2, mode=mode, padding_mode="zeros", align_corners=False
    )
    return sampled_NCHW.round_().to(torch.uint8)
