"""Logits as means over views of an image: mirrored, and shifted by a pixel."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from cnn_core.augment.windows import padded
from cnn_core.config import TestViews

Classifier: TypeAlias = Callable[[Tensor], Tensor]


def averaged(classifier: Classifier, views: TestViews) -> Classifier:
    """Return a function from ``images_NCHW`` to the mean of their views' logits (N, classes).

    ``none``: the classifier itself. ``flip``: each image and its mirror image count a half.
    ``flip-shift``: so they do for half of the mean; the other half is that of the images shifted
    by one pixel up and left, and of those shifted down and right, with what is left free mirrored
    at the border (multi-crop evaluation in Jordan 2024, arXiv 2404.00498). Means are float32.
    """

    def mirrored(images_NCHW: Tensor) -> Tensor:
        return (classifier(images_NCHW).float() + classifier(images_NCHW.flip(3)).float()) / 2

    def shifted(images_NCHW: Tensor) -> Tensor:
        wide_NCHW = padded(images_NCHW, (1, 1), "reflect")
        shifts = (wide_NCHW[:, :, 2:, 2:], wide_NCHW[:, :, :-2, :-2])
        one, other = (
            mirrored(shift.contiguous(memory_format=torch.channels_last)) for shift in shifts
        )
        return mirrored(images_NCHW) / 2 + (one + other) / 4

    return {"none": classifier, "flip": mirrored, "flip-shift": shifted}[views]
