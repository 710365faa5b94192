"""Images mixed with others of their batch, and their labels with those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnn_core.augment.catalog import TRANSFORMS, Augmentation, Transform
from cnn_core.augment.fields import Probability
from cnn_core.config import Positive, Section

if TYPE_CHECKING:
    from torch import Generator, Tensor


class MixOptions(Section):
    """Options of ``mixup`` and ``cutmix``."""

    alpha: Positive = 1.0
    """Both parameters of the Beta distribution of shares: small is little mixing, 1 is any."""
    p: Probability = 1.0
    """Probability that an image is mixed."""


def build_mixup(options: MixOptions, classes: int) -> Augmentation:
    """Return a function that blends each image, and its label, with another of the batch."""
    import torch

    from cnn_core.augment.batch import changed, each, on_device
    from cnn_core.augment.partners import class_shares, mixed_shares, own_shares, partners

    def mix(images_NCHW: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        own = own_shares(len(images_NCHW), options.alpha, options.p, generator)
        others = partners(len(images_NCHW), generator)

        def blend(some_NCHW: Tensor, own: Tensor, others: Tensor) -> Tensor:
            device = some_NCHW.device
            others_NCHW = images_NCHW[on_device(others, device)].float()
            return others_NCHW.lerp_(some_NCHW.float(), each(own, device)).round_().to(torch.uint8)

        mixed = (own < 1).nonzero().flatten()
        blended_NCHW = changed(images_NCHW, mixed, blend, own, others)
        return blended_NCHW, mixed_shares(class_shares(targets, classes), own, others)

    return mix


def build_cutmix(options: MixOptions, classes: int) -> Augmentation:
    """Return a function that gives each image a rectangle of another of the batch.

    Its label gets that one's share: the share of pixels that the rectangle takes. Rectangles are
    drawn as by ``torchvision.transforms.v2.CutMix``, one for each image.
    """
    import torch

    from cnn_core.augment.batch import changed, on_device
    from cnn_core.augment.boxes import Boxes, box_masks
    from cnn_core.augment.draws import below
    from cnn_core.augment.partners import class_shares, mixed_shares, own_shares, partners

    def draw_boxes(own: Tensor, height: int, width: int, generator: Generator) -> Boxes:
        ends = []
        for side in (height, width):
            middle = below(torch.full_like(own, side), generator)
            half = (0.5 * (1 - own).sqrt() * side).long()
            ends.append(((middle - half).clamp(min=0), (middle + half).clamp(max=side)))
        (top, bottom), (left, right) = ends
        return Boxes(top, left, bottom - top, right - left)

    def mix(images_NCHW: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        count, _, height, width = images_NCHW.shape
        wanted = own_shares(count, options.alpha, options.p, generator)
        boxes = draw_boxes(wanted, height, width, generator)
        others = partners(count, generator)

        def paste(some_NCHW: Tensor, others: Tensor, *boxes: Tensor) -> Tensor:
            others_NCHW = images_NCHW[on_device(others, some_NCHW.device)]
            return torch.where(box_masks(Boxes(*boxes), some_NCHW), others_NCHW, some_NCHW)

        # The rectangle is whole pixels, cut off at the border: the share is what it has become.
        own = 1 - (boxes.heights * boxes.widths).double() / (height * width)
        mixed = (own < 1).nonzero().flatten()
        pasted_NCHW = changed(images_NCHW, mixed, paste, others, *boxes)
        return pasted_NCHW, mixed_shares(class_shares(targets, classes), own, others)

    return mix


TRANSFORMS.add(
    "mixup",
    Transform("mixup", "blend with another image of the batch, label too", MixOptions, build_mixup),
)
TRANSFORMS.add(
    "cutmix",
    Transform(
        "cutmix",
        "paste a rectangle of another image of the batch, label too",
        MixOptions,
        build_cutmix,
    ),
)
