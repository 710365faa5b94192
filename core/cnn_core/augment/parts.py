"""Random parts of whole images, as resized crops take them."""

import dataclasses
import warnings

import numpy as np
import torch
from torch import Generator, Tensor

from cnn_core.augment.batch import on_device, pieces
from cnn_core.augment.boxes import Boxes
from cnn_core.augment.catalog import tables_of, whole_mistake
from cnn_core.augment.resampling import RandomResizedCropOptions, draw
from cnn_core.augment.resize import resize_parts
from cnn_core.config import Augment
from cnn_core.datasets.whole import WholeImages
from cnn_core.errors import UserError


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class WholeTensors:
    """``WholeImages`` as tensors: ``pixels`` on the device that resizes, the rest on the CPU."""

    pixels: Tensor
    offsets: Tensor
    sizes: Tensor

    @classmethod
    def on(cls, whole: WholeImages, device: torch.device) -> "WholeTensors":
        """Return them on a device: on the CPU mapped as they are, else copied."""
        with warnings.catch_warnings():
            # Mapped only for reading; nothing here writes.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            pixels = torch.from_numpy(whole.pixels)
        return cls(
            pixels.to(device),
            torch.from_numpy(np.ascontiguousarray(whole.offsets)),
            torch.from_numpy(np.ascontiguousarray(whole.sizes)),
        )


def without_crop(augment: Augment) -> tuple[RandomResizedCropOptions, Augment]:
    """Return the options of the first transform, a random_resized_crop, and what is left.

    Raises UserError where another transform is first.
    """
    if why := whole_mistake(augment.model_dump()):
        raise UserError(f"data.whole: {why}")
    crop, *rest = tables_of(augment)
    options = {key: value for key, value in crop.items() if key != "name"}
    return RandomResizedCropOptions.model_validate(options), Augment(transforms=rest)


def random_parts(
    whole: WholeTensors,
    positions: Tensor,
    size: int,
    options: RandomResizedCropOptions,
    generator: Generator,
) -> Tensor:
    """Return a random part of each image at the (B,) int64 positions, resized to a square.

    What ``torchvision.transforms.v2.RandomResizedCrop(size)`` makes of each image, but for the
    rounding: uint8 ``images_NCHW`` (B, 3, size, size), channels_last, on the device of the pixels.
    The generator is the CPU's.
    """
    heights, widths = whole.sizes[positions].unbind(1)
    boxes = draw(options, heights, widths, generator)
    device = whole.pixels.device
    parts_NCHW = torch.empty(
        (len(positions), 3, size, size),
        dtype=torch.uint8,
        device=device,
        memory_format=torch.channels_last,
    )
    # Alike ones together, for the windows of a piece are as large as the largest in it.
    areas, order = (boxes.heights * boxes.widths).sort()
    for piece in pieces(3 * areas.clamp(min=size * size), device):
        some = order[piece]
        parts_NCHW[on_device(some, device)] = resize_parts(
            whole.pixels,
            whole.offsets[positions[some]],
            widths[some],
            Boxes(*(part[some] for part in boxes)),
            (size, size),
        )
    return parts_NCHW
